"""Puts measured blocks into a document: what stands between ``<!-- NAME -->`` and ``<!-- end -->`` is replaced."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def fill(document: Path, blocks: Mapping[str, str]) -> None:
    """Replace every block of a document.

    Raises:
        SystemExit: the document lacks one of them.
    """
    text = document.read_text()
    for name, block in blocks.items():
        text, count = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda found, block=block: f"{found[1]}{block.rstrip()}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise SystemExit(f"{document}: block {name!r} stands there {count} times")
    document.write_text(text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)
