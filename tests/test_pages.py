"""Every block of README.md and docs/ does what it says (`tests.pages`)."""

import contextlib
import os
import textwrap
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.kafka.conftest import cluster  # noqa: F401
from tests.pages import PageError, Reader, blocks
from tests.stores import s3_server

BROKER = "localhost:9092"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Blocks that are shown and not run, by why; what is added here has no other way to be run.
EXEMPT = {
    "setup": 1,  # `.ci/run` runs it, word for word, on a clean checkout
    "bench": 1,  # takes an hour, and brings another NumPy
    "long": 3,  # most of a minute, of which tests run every step on less
}

SOAK = {"kafka.md", "acting.md", "learning.md"}  # a minute each


def reader(folder: Path, stand_ins: Mapping[str, str] | None = None, **around: str) -> Reader:
    """A reader whose environment has no setting."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("TICKWAX_", "BYTEWAX_"))}
    return Reader(folder, {**clean, "COLUMNS": "120", "NO_COLOR": "1", **around}, stand_ins or {})


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, id=p.name, marks=[pytest.mark.soak] if p.name in SOAK else [])
        for p in PAGES
        if any(b.runs for b in blocks(p))
    ],
)
def test_every_block_runs(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    code = "".join(b.code for b in blocks(page) if b.runs)
    around, stand_ins = {}, {"--duration 1h": "--duration 3s"}
    if "$MARKET_DATA" in code:
        around["MARKET_DATA"] = str(request.getfixturevalue("market_data"))
    if BROKER in code:
        stand_ins[BROKER] = request.getfixturevalue("cluster").bootstrap
    with contextlib.ExitStack() as servers:
        if "s3://" in code:
            store = servers.enter_context(s3_server())
            assert store.ask("PUT", "/market")[0] == 200
            around |= {**store.environment, "XDG_STATE_HOME": str(tmp_path / "state")}
        with reader(tmp_path, stand_ins, **around) as someone:
            assert someone.read(page) == sum(b.runs for b in blocks(page))


def test_what_is_not_run_is_counted() -> None:
    assert Counter(b.exempt for page in PAGES for b in blocks(page) if b.exempt) == EXEMPT


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1000


class TestReader:
    """A page that is not true is noticed."""

    @pytest.fixture
    def read(self, tmp_path: Path):
        def read(text: str) -> int:
            page = tmp_path / "page.md"
            page.write_text(textwrap.dedent(text))
            with reader(tmp_path) as someone:
                return someone.read(page)

        return read

    def test_blocks_follow_each_other(self, read) -> None:
        page = """
            <!-- before
            mkdir inner
            -->
            ```sh
            cd inner
            export WORD=bird
            echo first > file
            ```
            and
            ```python
            import os, pathlib
            said = pathlib.Path("file").read_text() + os.environ["WORD"]
            print(said)
            ```
            <!-- output -->
            ```text
            first
            b...d
            ```
            ```pycon
            >>> said[-1]
            'd'
            ```
            ```sh
            test "$(cat file)" = first
            ```
            <!-- not run (network): asks the exchange -->
            ```sh
            false
            ```
            """
        assert read(page) == 5

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("x\n```sh\nfalse\ntrue\n```\n", r"page.md:3: exit status 1"),
            ("```sh\nexit 0 | exit 3\n```\n", r"page.md:2: exit status 3"),
            ("x\n```python\nx = 1\nx.y\n```\n", r"page.md:3: AttributeError"),
            ("```pycon\n>>> 1\n2\n```\n", r"page.md:2: 1 of 1 examples failed"),
            ("```pycon\n1\n```\n", r"page.md:2: 0 of 0 examples"),
            ("```toml\n[features]\nsampling = 'never'\n```\n", r"page.md:2: exit status 2(?s:.*)features.sampling"),
            ("```sh\necho a\n```\n<!-- output -->\n```text\nb\n```\n", r"page.md:6: the page shows"),
            ("```\ntrue\n```\n", r"page.md:1: the fence names no language"),
            ("```sh\ntrue\n", r"page.md:1: no '```' follows"),
            ("<!-- before\ntrue\n", r"page.md:1: no '-->' follows"),
            ("<!-- not run: lazy -->\n```sh\ntrue\n```\n", r"page.md:1: expected '<!-- not run \(WHY\)"),
            ("<!-- not run (network): asks -->\n\n```sh\ntrue\n```\n", r"page.md:2: the comment above belongs to no"),
            ("<!-- output -->\n", r"the comment at the end belongs to no block"),
        ],
    )
    def test_what_is_wrong(self, read, text: str, said: str) -> None:
        with pytest.raises(PageError, match=said):
            read(text)

    def test_what_was_started_ends(self, read, tmp_path: Path) -> None:
        assert read("```sh\nsleep 1000 &\necho $! > pid\n```\n") == 1
        status = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
        deadline = time.monotonic() + 10
        while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.01)
