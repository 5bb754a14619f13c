"""``tickwax demo``, on a terminal and in a pipe."""

import os
import pty
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.commands import launch, run
from tests.conftest import ROOT

DEMO = (sys.executable, "-c", "from dataflows.cli import main; main()", "demo", "--folder")
LOGGED = re.compile(r"\[(info|warning) *\]")
WITHIN_S = 180  # the kernels may have to be compiled

pytestmark = pytest.mark.slow


def around(**more: str) -> dict[str, str]:
    screens = ("DISPLAY", "WAYLAND_DISPLAY")  # on which a page would open
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("TICKWAX_", *screens))}
    return {**clean, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120", "LINES": "30", **more}


def check_log(folder: Path) -> None:
    logged = (folder / "demo.log").read_text()
    assert "book known" in logged
    assert "\x1b" not in logged


def test_in_a_pipe_the_log_is_in_its_file_alone(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = run([*DEMO, folder, "--duration", "2s"], env=around())
    assert done.returncode == 0, done.stderr
    assert not LOGGED.search(done.stdout + done.stderr)
    assert f"\nlog: {folder}/demo.log\n" in done.stdout
    assert "newest row of" in done.stdout
    assert "ofi_z_l0_5s" in done.stdout
    assert not re.search(r"\bnan\b", done.stdout)
    assert (folder / "demo.html").stat().st_size > 10_000
    assert f"  tickwax backtest --tape {folder}/tape " in done.stdout
    check_log(folder)


def test_a_terminal_shows_one_line_until_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    ours, theirs = pty.openpty()
    process = launch([*DEMO, folder, "--duration", "10m"], stdin=theirs, stdout=theirs, stderr=theirs, env=around())
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + WITHIN_S
    try:
        while shown.count(b" 4 of 4 books known") < 4:  # drawn, and drawn anew in its place
            assert time.monotonic() < deadline, shown
            shown += os.read(ours, 65536)
        assert b"newest row of" not in shown
        process.send_signal(signal.SIGINT)
        before = len(shown)
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # EIO: nobody has the other end any more
                break
        assert process.wait(WITHIN_S) == 0, shown[before:].decode()
    finally:
        process.kill()
        os.close(ours)
    text = shown.decode()
    assert not LOGGED.search(text)
    assert "Traceback" not in text
    told = [part for part in text.split("\r\x1b[K") if part.startswith("demo · ")]
    assert len(told) >= 3
    assert all("\n" not in part for part in told[:-1])  # the newest stands where the one before stood
    assert re.fullmatch(r"demo · [\d,]+ rows/s · 4 of 4 books known · 0 gaps · [\d.,]+ GB free · 9:\d\d left", told[-2])
    assert "newest row of" in text[before:]
    assert f"log: {folder}/demo.log" in text[before:]
    check_log(folder)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run([*DEMO, tmp_path / "file" / "demo"], env=around())
    assert done.returncode == 2
    assert done.stderr == f"tickwax: --folder: cannot write {tmp_path}/file/demo/demo.log: Not a directory\n"


def test_a_duration_that_is_none_is_one_line(tmp_path: Path) -> None:
    done = run([*DEMO, tmp_path / "demo", "--duration", "never"], env=around())
    assert done.returncode == 2
    assert done.stderr.startswith("tickwax: --duration: 'never' is not a duration: ")
    assert done.stderr.count("\n") == 1


def test_the_page_opens_where_somebody_can_look_and_nowhere_else(tmp_path: Path) -> None:
    """A stand-in for the browser notes what it was asked to open."""
    noted = tmp_path / "noted"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {noted}\n')
    browser.chmod(0o755)
    for flags, expected in ((["--no-ui"], 0), ([], 1)):
        ours, theirs = pty.openpty()
        more = {"DISPLAY": ":9", "BROWSER": f"{browser} %s", "CI": ""}
        process = launch(
            [*DEMO, tmp_path / f"demo{expected}", "--duration", "2s", *flags],
            stdin=theirs, stdout=theirs, stderr=theirs, env=around(**more),
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:
            pass  # the other end is closed
        assert process.wait(WITHIN_S) == 0, shown
        os.close(ours)
        addresses = noted.read_text().split() if noted.exists() else []
        assert len(addresses) == expected
        assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+/", address) for address in addresses)
