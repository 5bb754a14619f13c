"""The blocks of a Markdown page, and what runs them: one after the other, in one folder, as a reader would.

=====================================  ==================================================================
in the page                            what is done
=====================================  ==================================================================
```` ```sh ````                        run by bash; it ends at the first command that fails. Exported variables
                                       and the folder hold for the blocks after it
```` ```python ````                    run; names hold for the Python blocks after it
```` ```pycon ````                     run as a doctest, with the same names
```` ```toml ````                      read as a file of settings
```` ```text ````, any other language  shown only; right behind ``<!-- output -->`` it is compared with what the
                                       block before printed, ``...`` standing for anything
``<!-- before``, lines, ``-->``        run by bash, and not shown: what a reader has already
``<!-- before python``                 the same of Python
``<!-- not run (WHY): reason -->``     the block right behind it is not run
=====================================  ==================================================================

``$MARKET_DATA`` is the folder of recorded market data. What a test does not have, as an hour of time or a broker at a
fixed address, is replaced by what stands in for it (`Reader`).
"""

import contextlib
import doctest
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WITHIN_S = 300  # a block
_RUN = {"sh", "python", "pycon", "toml"}
_FENCE = re.compile(r"^( *)(`{3,})(.*)$")
_NOT_RUN = re.compile(r"^<!-- not run \((\w+)\): (.+) -->$")
_BEFORE = re.compile(r"^<!-- before(?: (python))?$")
_OUTPUT = "<!-- output -->"
_LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_COMPILING = re.compile(r"^tickwax: compiling for this machine, once; .*\n", re.MULTILINE)  # by whoever is the first


class PageError(Exception):
    """A page that cannot be read as blocks, or one of whose blocks is not as it says."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page, or a hidden one.

    Attributes:
        line: of its first line of code, from 1.
        exempt: why it is not run, in one word; empty if it is.
        is_output: its text is what the block before prints.
    """

    page: Path
    line: int
    language: str
    code: str
    exempt: str = ""
    is_output: bool = False

    @property
    def place(self) -> str:
        """Page and line."""
        return f"{self.page.name}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it is a program, and not exempt."""
        return self.language in _RUN and not self.exempt


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order.

    Raises:
        PageError: a fence has no language, is not closed, or an exemption belongs to no block.
    """
    return list(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    exempt, is_output = "", False
    for n, line in lines:
        if found := _BEFORE.match(line):
            yield Block(page, n + 1, found[1] or "sh", _until(lines, "-->", f"{page.name}:{n}"))
        elif found := _NOT_RUN.match(line):
            exempt = found[1]
            continue
        elif line.startswith("<!-- not run"):
            raise PageError(f"{page.name}:{n}: expected '<!-- not run (WHY): reason -->'")
        elif line == _OUTPUT:
            is_output = True
            continue
        elif found := _FENCE.match(line):
            indent, ticks, language = found.groups()
            if not language:
                raise PageError(f"{page.name}:{n}: the fence names no language; sh is run, text is shown only")
            code = _until(lines, indent + ticks, f"{page.name}:{n}", indent)
            yield Block(page, n + 1, language, code, exempt, is_output)
        elif exempt or is_output:
            raise PageError(f"{page.name}:{n}: the comment above belongs to no block")
        exempt, is_output = "", False
    if exempt or is_output:
        raise PageError(f"{page.name}: the comment at the end belongs to no block")


def _until(lines: Iterator[tuple[int, str]], end: str, begin: str, indent: str = "") -> str:
    code = []
    for _, line in lines:
        if line.rstrip() == end:
            return "\n".join(code) + "\n"
        code.append(line.removeprefix(indent))
    raise PageError(f"{begin}: no {end.strip()!r} follows")


class Reader:
    """Does what a page says, in a folder of its own; ``with`` ends whatever was started in the background."""

    def __init__(self, folder: Path, environment: Mapping[str, str], stand_ins: Mapping[str, str]) -> None:
        """Args:
        environment: what the first block finds, beside `PATH` with this interpreter's folder at its head.
        stand_ins: what is run, by the text that the page shows.
        """
        bin_folder = str(Path(sys.executable).parent)
        self._folder = folder
        self._environment = {**environment, "PATH": os.pathsep.join([bin_folder, environment["PATH"]])}
        self._stand_ins = stand_ins
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._groups: list[int] = []
        self._state = folder / ".page-state"
        self._printed = folder / ".page-output"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def read(self, page: Path) -> int:
        """Run every block; how many were run.

        Raises:
            PageError: a block failed, or printed something else than the page shows.
        """
        run, printed = 0, ""
        for block in blocks(page):
            if block.is_output:
                _compare(block, printed)
            elif block.runs:
                code = block.code
                for shown, used in self._stand_ins.items():
                    code = code.replace(shown, used)
                printed = getattr(self, f"_{block.language}")(replace(block, code=code))
                run += 1
        return run

    def _sh(self, block: Block) -> str:
        code = f"{block.code}\n{{ pwd; env -0; }} > {self._state}\n"
        with self._printed.open("w") as printed:  # no pipe: what goes on in the background would hold it open
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", code], cwd=self._folder, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self._groups.append(process.pid)
            try:
                status: int | str = process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                status = f"nothing after {WITHIN_S} s"
        text = self._printed.read_text()
        if status != 0:
            raise PageError(f"{block.place}: exit status {status}\n{block.code}\n{text}")
        folder, _, environment = self._state.read_text().partition("\n")
        self._folder = Path(folder)
        self._environment = dict(entry.split("=", 1) for entry in environment.split("\0") if entry)
        return _COMPILING.sub("", text)

    def _toml(self, block: Block) -> str:
        (self._folder / ".page.toml").write_text(block.code)
        return self._sh(replace(block, code="tickwax settings --config .page.toml\n"))

    def _python(self, block: Block) -> str:
        # Line numbers of a traceback are the page's.
        program = compile("\n" * (block.line - 1) + block.code, str(block.page), "exec")
        with self._here(), contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                exec(program, self._names)
            except Exception as e:
                raise PageError(f"{block.place}: {type(e).__name__}: {e}\n{block.code}") from e
        return printed.getvalue()

    def _pycon(self, block: Block) -> str:
        name = block.place
        examples = doctest.DocTestParser().get_doctest(block.code, self._names, name, str(block.page), block.line - 1)
        said: list[str] = []
        with self._here():
            result = doctest.DocTestRunner(optionflags=_LIKE).run(examples, out=said.append, clear_globs=False)
        self._names = examples.globs  # a copy of what it was given
        if result.failed or not result.attempted:
            raise PageError(f"{name}: {result.failed} of {result.attempted} examples failed\n{''.join(said)}")
        return ""

    @contextlib.contextmanager
    def _here(self) -> Iterator[None]:
        """This process in the page's folder, with its environment."""
        around = dict(os.environ)
        os.environ.clear()
        os.environ.update(self._environment)
        try:
            with contextlib.chdir(self._folder):
                yield
        finally:
            os.environ.clear()
            os.environ.update(around)


def _compare(block: Block, printed: str) -> None:
    if not doctest.OutputChecker().check_output(block.code, printed, _LIKE):
        raise PageError(f"{block.place}: the page shows\n{block.code}\nand the block before it printed\n{printed}")
