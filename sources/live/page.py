"""What a refusal says: the text of an HTTP body, fit for one line."""

import re
from html.parser import HTMLParser

_MOST_BYTES = 1 << 16  # of the body that are looked at
_MOST_CHARACTERS = 200
_HIDDEN = ("script", "style", "head", "noscript", "template")


class _Text(HTMLParser):
    """Collects what a browser would show; a title, for it often says it best."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0
        self._titled = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin to hide, or to show the title."""
        self._titled = self._titled or tag == "title"
        self._hidden += tag in _HIDDEN
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        self._titled = self._titled and tag != "title"
        if tag in _HIDDEN and self._hidden:
            self._hidden -= 1
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if self._titled or not self._hidden:
            self.parts.append(data)


def page_text(body: bytes) -> str:
    """The text of an HTML page, or of any other body, in one short line: no tags, no control characters.

    >>> page_text(b"<html><title>403 Forbidden</title><body><p>Blocked in &amp; out</p></body>")
    '403 Forbidden Blocked in & out'
    """
    text = body[:_MOST_BYTES].decode("utf-8", "replace")
    if re.search(r"<[a-zA-Z!/]", text):
        parser = _Text()
        parser.feed(text)
        parser.close()
        text = "".join(parser.parts)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
