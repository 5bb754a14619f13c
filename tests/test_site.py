"""The documentation builds as a site, without a network, and a link that leads nowhere ends the build."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

_OUTSIDE = re.compile(r"""<(?:script|link|img)\b[^>]*?(?:src|href)=["']?(?:https?:)?//""")


def build(docs: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ROOT / "docs" / "build_site.py", "--docs", docs, "--out", out]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", out)
    assert done.returncode == 0, done.stdout
    return out / "site"


def test_every_page_is_there_and_in_the_navigation(site: Path) -> None:
    front = (site / "index.html").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
        assert f'href="./{page.stem}.html" class="md-nav__link"' in front


def test_tables_and_code_are_rendered(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        text, html = page.read_text(), (site / f"{page.stem}.html").read_text()
        assert html.count("<table>") == len(re.findall(r"^\|(?:[ :]*-+[ :]*\|)+$", text, re.MULTILINE))
        assert "```" not in html


def test_the_library_has_its_docstrings(site: Path) -> None:
    html = (site / "library.html").read_text()
    for name in ("operators.ofi.OrderFlowImbalance.update", "operators.fracdiff.find_optimal_d"):
        assert f'id="{name}"' in html
    assert "Order flow imbalance of any number of symbols" in html
    assert "<p>&gt;&gt;&gt;" not in html  # examples are code


def test_nothing_comes_from_another_machine(site: Path) -> None:
    for page in site.glob("*.html"):
        assert not _OUTSIDE.search(page.read_text()), page.name


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("[x](nowhere.md)", "page does not exist"),
        ("[x](features.md#nothing)", "anchor does not exist"),
        ("[x](../operators/nothing.py)", "nothing.py, which is not there"),
    ],
)
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, link: str, said: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("features", "tape", "dictionary", "durability", "regime"):
        shutil.copy(ROOT / "docs" / f"{name}.md", docs)
    (docs / "index.md").write_text(f"# A page\n\n{link}\n")
    done = build(docs, tmp_path / "out")
    assert done.returncode == 1
    assert said in re.sub(r"\x1b\[[\d;]*m", "", done.stdout)
