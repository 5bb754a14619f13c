"""The exceptions that a user is meant to read."""

from pathlib import Path


class TickwaxError(Exception):
    """Bad input or an impossible request; its text is one line that names what is wrong and what is allowed."""


class DiskFailure(TickwaxError):
    """Something could not be written that was begun: work half-way, and no mistake of whoever asked for it."""


class BadName(TickwaxError):
    """A name that no folder, key or terminal is given: in a list it is left out, from a user it is refused."""


class DamagedError(TickwaxError):
    """A file is not what was written; the text names it, and what of it is damaged."""

    def __init__(self, text: str, path: Path | None = None) -> None:
        """``path``: of a file whose content is to blame, so that to read it again is of no use."""
        super().__init__(text)
        self.path = path


class TickwaxWarning(UserWarning):
    """Something was left out, such as damaged rows; its text is one line, as that of a `TickwaxError`."""
