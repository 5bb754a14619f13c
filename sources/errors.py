"""The exceptions that a user is meant to read."""


class TickwaxError(Exception):
    """Bad input or an impossible request; its text is one line that names what is wrong and what is allowed."""


class BadName(TickwaxError):
    """A name that no folder, key or terminal is given: in a list it is left out, from a user it is refused."""


class DamagedError(TickwaxError):
    """A file is not what was written; the text names it, and what of it is damaged."""
