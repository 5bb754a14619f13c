"""What cites a section of docs/ cites one that is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = ("features", "tape", "execution", "learning", "forecasts", "acting", "reflecting")
_CITED = re.compile(r"docs/(\w+)\.md, (\d[\d.]*\d|\d)((?:(?:, | and )\d[\d.]*\d)*)")
_HEADING = re.compile(r"^#{2,3} (\d[\d.]*)\.? ", re.MULTILINE)


def sections(page: str) -> set[str]:
    return {number.rstrip(".") for number in _HEADING.findall((ROOT / "docs" / f"{page}.md").read_text())}


def cited(text: str) -> Iterator[tuple[str, str]]:
    """Page and section of every citation of a text."""
    for page, first, others in _CITED.findall(text):
        for number in (first, *re.findall(r"\d[\d.]*\d", others)):
            yield page, number


def sources() -> Iterator[Path]:
    for pattern in ("*/**/*.py", "*.md", "docs/*.md"):
        for file in ROOT.glob(pattern):
            if not any(part.startswith(".") for part in file.relative_to(ROOT).parts):
                yield file


def test_what_a_citation_is() -> None:
    text = "(docs/tape.md, 2; docs/features.md, 4.3 and 4.11). In docs/features.md, 4.2, 4.7 and 5."
    assert list(cited(text)) == [
        ("tape", "2"), ("features", "4.3"), ("features", "4.11"), ("features", "4.2"), ("features", "4.7"),
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_sections_are_in_order(page: str) -> None:
    numbers = [
        tuple(map(int, n.rstrip(".").split("."))) for n in _HEADING.findall((ROOT / "docs" / f"{page}.md").read_text())
    ]
    assert numbers == sorted(set(numbers))


def test_every_section_that_is_cited_is_there() -> None:
    there = {page: sections(page) for page in PAGES}
    found = {(page, number, file.relative_to(ROOT)) for file in sources() for page, number in cited(file.read_text())}
    assert len(found) > 30
    here = Path(__file__).relative_to(ROOT)
    assert {c for c in found if c[2] != here and c[1] not in there[c[0]]} == set()
