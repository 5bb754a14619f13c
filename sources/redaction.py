"""What is left of a text once what must not be read is taken out: on a screen, in an error and in a log."""

import re

HIDDEN = "***"

_USERINFO = re.compile(r"(?<=://)[^\s/?#]*@")
_ADDRESS = re.compile(r"(['\"]?(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?)(.*?)(['\"]?)", re.DOTALL)


def redacted(text: str, *, address: bool = False) -> str:
    """The text without the name and the password that an address may hold before its host.

    Args:
        address: the text is an address, or should be one, perhaps in quotes: whatever stands before its last ``@``
            goes, and all of one with a ``?``, for one that is written badly has to keep its secret no less.

    >>> redacted("connected url=wss://me:secret@host/stream?streams=btcusdt@depth")
    'connected url=wss://***@host/stream?streams=btcusdt@depth'
    >>> redacted("me:sec/ret@host:9092", address=True)
    '***@host:9092'
    """
    if address:
        found = _ADDRESS.fullmatch(text)
        assert found is not None  # it takes any text
        begin, rest, end = found.groups()
        if "?" in rest:
            rest = HIDDEN
        return f"{begin}{HIDDEN}@{rest.rpartition('@')[2]}{end}" if "@" in rest else begin + rest + end
    return _USERINFO.sub(f"{HIDDEN}@", text)
