"""`docs/durability.md` names a test for every promise, and each of them exists."""

import ast
import re

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "durability.md").read_text()
TABLES = [block.splitlines() for block in PAGE.split("\n\n") if block.startswith("|")]
ROWS = [row for table in TABLES if not table[0].startswith("| files | damages |") for row in table[2:]]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def defined(path: str) -> set[str]:
    """Tests and classes of a file, as pytest names them."""
    out: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            out.add(node.name)
        if isinstance(node, ast.ClassDef):
            out |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return out


def test_the_page_has_rows():
    assert len(ROWS) >= 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_promise_names_tests_that_exist(row):
    named = NAMED.findall(row)
    assert named, "no test is named"
    assert row.count("::") == sum(1 + test.count("::") for _, test in named), "a name is not of the form file::test"
    for path, test in named:
        assert test.split("::")[-1].startswith("test_")
        assert test in defined(path), f"{path} has no {test}"
