"""The one exception that a user is meant to read."""


class TickwaxError(Exception):
    """Bad input or an impossible request; its text is one line that names what is wrong and what is allowed."""
