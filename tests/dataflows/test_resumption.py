"""A replay with a recovery directory: broken off anywhere, it goes on, and gives what one that was left alone gives."""

import contextlib
import json
import signal
import sqlite3
from pathlib import Path

import pytest
from bytewax.errors import BytewaxRuntimeError
from bytewax.recovery import init_db_dir
from bytewax.run import cli_main

from dataflows.assembly.replay import prepare_replay
from dataflows.runtime.engine_options import Recovery
from dataflows.runtime.recovery_store import kept_states
from dataflows.runtime.replay_run import Replay
from dataflows.runtime.run_identity import identity
from dataflows.settings.model import load_settings
from sources.errors import TickwaxError
from sources.tape.layout import data_files
from sources.tape.resumable_source import TapeShards
from tests.dataflows.breaking_off import run_recoverable
from tests.dataflows.conftest import INSTRUMENTS
from tests.dataflows.test_replay import alone, assert_same, cluster, table, told  # noqa: F401
from tests.ports import free_ports

pytestmark = pytest.mark.slow

MODULE = ("-m", "bytewax.run", "dataflows.replay")
VERB = ("-c", "from dataflows.cli import main; main()")


class Run:
    """One replay and its folders."""

    def __init__(self, folder: Path, tape: Path, **settings: object) -> None:
        self.store = folder / "store"
        self.store.mkdir(parents=True)
        init_db_dir(self.store, 2)
        self.features, self.books = folder / "features", folder / "books"
        self.settings: dict[str, object] = {"tape.path": str(tape), "features.path": str(self.features)}
        self.settings |= {"books.path": str(self.books)} | settings

    def start(self, workers: int = 1, after: int | None = None) -> Replay:
        """In this process; breaks off after so many batches."""
        return run_recoverable(
            prepare_replay(load_settings(self.settings), Recovery(self.store)), self.store, workers, after
        )

    def check(self, alone: Path) -> None:  # noqa: F811
        for instrument in INSTRUMENTS:
            assert_same(table(self.features, instrument), table(alone / "features", instrument))
            assert_same(table(self.books, instrument), table(alone / "books", instrument))
        for root in (self.features, self.books):
            assert list((root.parent / f".{root.name}.resume").glob("*.journal")) == []

    def command(self, *more: object) -> tuple[object, ...]:
        return (*MODULE, "-r", self.store, "-s", 0, "-b", 0, *more)


@pytest.fixture
def run(synthetic_tape_root, tmp_path) -> Run:
    return Run(tmp_path, synthetic_tape_root)


@pytest.mark.parametrize("plan", [[], [(1, 0)], [(1, 2), (3, 1), (2, 0)], [(2, 4)], [(3, 3), (1, 1)]])
def test_broken_off_and_gone_on_with_other_workers(run, alone, plan):  # noqa: F811
    for workers, after in plan:
        with pytest.raises(BytewaxRuntimeError):
            run.start(workers, after)
        assert not any(data_files(run.features, instrument) for instrument in INSTRUMENTS)
    replay = run.start(2)
    run.check(alone)
    if sum(after for _, after in plan) >= 3:
        assert replay.progress.rows < sum(table(alone / "features", i)["ordinal"][-1].as_py() for i in INSTRUMENTS)


def test_once_complete_there_is_nothing_left_to_do(run, alone):  # noqa: F811
    run.start(1)
    files = {path: path.read_bytes() for path in run.features.rglob("*.parquet")}
    replay = run.start(3)
    assert (replay.progress.rows, replay.sinks["features"].rows_written) == (0, sum(
        table(alone / "features", instrument).num_rows for instrument in INSTRUMENTS
    ))  # fmt: skip
    assert {path: path.read_bytes() for path in run.features.rglob("*.parquet")} == files
    run.check(alone)


def test_a_range(synthetic_tape_root, tmp_path):
    limits = {"replay.start": "2026-01-04T23:59:58Z", "replay.end": "2026-01-05T00:00:03Z"}
    whole, parts = (Run(tmp_path / name, synthetic_tape_root, **limits) for name in "ab")
    whole.start()
    for after in (1, 2):
        with pytest.raises(BytewaxRuntimeError):
            parts.start(1, after)
    parts.start(2)
    for instrument in INSTRUMENTS:
        assert_same(table(parts.features, instrument), table(whole.features, instrument))


def test_two_processes_then_one(run, alone, start):  # noqa: F811
    both = cluster(start, run.settings, run.command())
    assert [process.wait(120) for process in both] == [0, 0]
    run.check(alone)
    run.start(1)
    run.check(alone)


KILL_IN_COMMIT = """
import os, runpy, signal, sys
from dataflows.assembly import replay as flows
kill_at, number = {kill_at}, 0
def dying(act):
    def wrapped(*arguments, **named):
        global number
        number += 1
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*arguments, **named)
    return wrapped
commit = flows.Replay.commit
def patched(self):
    os.replace, os.unlink = dying(os.replace), dying(os.unlink)
    return commit(self)
flows.Replay.commit = patched
sys.argv = ["run", "dataflows.replay"] + {arguments!r}
runpy.run_module("bytewax.run", run_name="__main__")
"""


@pytest.mark.parametrize("kill_at", [4, 9])
def test_killed_while_the_files_appear(run, alone, start, kill_at):  # noqa: F811
    arguments = [str(argument) for argument in run.command()[3:]]
    process = start(run.settings, "-c", KILL_IN_COMMIT.format(kill_at=kill_at, arguments=arguments))
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    run.start(2)
    run.check(alone)


class TestRefusals:
    """One line, exit code 2."""

    def refused(self, run: Run, start, says: str, *command: object, **settings: object) -> None:
        process = start(run.settings | settings, *(command or run.command()))
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout) == (2, "")
        (line,) = told(stderr)
        assert says in line

    def test_state_of_another_run(self, run, start, alone):  # noqa: F811
        with pytest.raises(BytewaxRuntimeError):
            run.start(1, 3)
        says = "-r: the state is of another run: features.sampling was 100ms, and is 1s;"
        self.refused(run, start, says, **{"features.sampling": "1s"})
        run.start()
        run.check(alone)

    @pytest.mark.parametrize(
        ("state", "says"),
        [
            ({"version": 1, "run": {"symbols": "b", "x": "1"}, "next": {}}, "another run: symbols was b, and is a"),
            ({"version": 1, "run": {"symbols": "a", "x": "1"}, "next": {}}, "another run: x was 1, and is absent"),
            ({"version": 2, "what": 1}, "the state is of version 2; this build resumes version 1"),
            ({"version": 1, "what": 1}, "holds something else"),
            ([], "holds something else"),
        ],
    )
    def test_states(self, state, says):
        told: list[Exception] = []
        source = TapeShards([], {"symbols": "a"}, on_refusal=told.append)
        with pytest.raises(TickwaxError, match=f"^-r: .*{says}") as caught:
            source.build_part("tape", "00", json.dumps(state).encode())
        assert told == [caught.value]
        assert "version of the state" in identity(load_settings(), [])

    def test_rows_that_are_there_already(self, run, start, synthetic_tape_root):
        first = prepare_replay(load_settings(run.settings | {"features.sampling": "1s"}))
        cli_main(first.flow)
        first.commit()
        self.refused(run, start, "already; name another folder, or set features.overwrite=true")

    def test_another_writer(self, run, start):
        replay = prepare_replay(load_settings(run.settings), Recovery(run.store))
        self.refused(run, start, "another process is writing to it; wait for its end")
        replay.abort()


def test_journals_that_are_gone(run, start):
    with pytest.raises(BytewaxRuntimeError):
        run.start(1, 4)
    for path in (run.features.parent / ".features.resume").glob("*.journal"):
        path.unlink()
    process = start(run.settings, *run.command())
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "rows are missing that the recovery directory counts on; start anew with an empty one" in stderr


KILL_IN_THIRD_BATCH = """
import os, runpy, signal, sys
from dataflows.assembly import replay as flows
add, number = flows.ReplayProgress.add, 0
def dying(self, batch):
    global number
    number += 1
    if number == 3:  # by then both have written states; now they are in the store, too
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, batch)
flows.ReplayProgress.add = dying
sys.argv = ["run", "dataflows.replay", *{arguments!r}, *sys.argv[1:]]
runpy.run_module("bytewax.run", run_name="__main__")
"""


def test_the_verb_makes_the_folder_and_goes_on(run, alone, start):  # noqa: F811
    (run.store / "part-1.sqlite3").unlink()
    (run.store / "part-0.sqlite3").unlink()
    run.store.rmdir()
    flags = ("replay", "--recovery", run.store, "-s", 0)
    script = KILL_IN_THIRD_BATCH.replace('"run", "dataflows.replay"', '"tickwax"')
    script = script.replace("runpy.run_module", "from dataflows.cli import main; main() #")
    killed = start(run.settings, "-c", script.format(arguments=[str(flag) for flag in flags]))
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert list(run.store.glob("*.sqlite3"))
    assert list(run.store.glob("state-*.bin"))
    process = start(run.settings, *VERB, *flags)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    whole = sum(table(alone / "features", i).num_rows for i in INSTRUMENTS)
    assert f"{whole:,}" in stdout
    run.check(alone)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--processes", 2), "--recovery: not with --processes 2; use --workers, or start each with bytewax.run"),
        (("--symbols", "nowhere:X"), "symbols"),
    ],
)
def test_flags_of_the_verb_that_are_refused(run, start, flags, says):
    process = start(run.settings, *VERB, "replay", "-r", run.store, *flags)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (2, "")
    (line,) = told(stderr)
    assert says in line


def test_a_folder_that_the_verb_cannot_make(run, start, tmp_path):
    (tmp_path / "file").touch()
    process = start(run.settings, *VERB, "replay", "-r", tmp_path / "file" / "store")
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (2, "")
    assert told(stderr) == [f"tickwax: --recovery: {tmp_path}/file/store: Not a directory"]


class TestStates:
    """They lie in files beside the store."""

    def test_that_are_gone(self, run, start, alone):  # noqa: F811
        with pytest.raises(BytewaxRuntimeError):
            run.start(1, 4)
        (file,) = run.store.glob("state-*.bin")
        content = file.read_bytes()
        file.unlink()
        says = f"-r: {file}: is missing; start anew with an empty recovery directory"
        TestRefusals().refused(run, start, says)
        file.write_bytes(content)  # was not touched meanwhile
        run.start(2)
        run.check(alone)

    def test_that_are_damaged(self, run, start):
        with pytest.raises(BytewaxRuntimeError):
            run.start(1, 3)  # inside an instrument
        (file,) = run.store.glob("state-*.bin")
        content = bytearray(file.read_bytes())
        content[100::4096] = bytes(b ^ 1 for b in content[100::4096])
        file.write_bytes(content)
        process = start(run.settings, *run.command())
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout) == (1, "")
        (line,) = told(stderr)
        assert f"-r: {file}: the state of " in line
        assert "is damaged; start anew with an empty recovery directory" in line

    def test_of_two_processes_taken_up_by_one(self, run, alone, start):  # noqa: F811
        script = KILL_IN_THIRD_BATCH.format(arguments=[str(a) for a in run.command()[3:]])
        for process in cluster(start, run.settings, ("-c", script)):
            process.communicate(timeout=120)
            assert process.returncode != 0
        assert {reference.file for reference in kept_states(run.store)[0]} == {0, 1}
        run.start(1)
        run.check(alone)

    def test_are_few_bytes_in_the_store(self, run):
        run.start(1)
        references, shared = kept_states(run.store)
        assert shared
        assert {r.file for r in references} == {0}
        for part in run.store.glob("*.sqlite3"):
            with contextlib.closing(sqlite3.connect(part)) as db:
                sizes = "SELECT MAX(length(ser_change)) FROM snaps WHERE step_id LIKE '%features%'"
                assert (db.execute(sizes).fetchone()[0] or 0) < 100

    def test_stay_in_a_store_whose_parts_lie_apart(self, run, alone, start):  # noqa: F811
        """A process could not read what another wrote."""
        (elsewhere := run.store.parent / "elsewhere").mkdir()
        (run.store / "part-1.sqlite3").rename(elsewhere / "part-1.sqlite3")
        for killed in (True, False):
            addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(2))
            both = []
            for n, store in enumerate((run.store, elsewhere)):
                arguments = ["-r", str(store), "-s", "0", "-b", "0", "-i", str(n), "-a", addresses]
                module = ("-c", KILL_IN_THIRD_BATCH.format(arguments=arguments)) if killed else (*MODULE, *arguments)
                both.append(start(run.settings, *module))
            for process in both:
                process.communicate(timeout=120)
                assert (process.returncode == 0) != killed
        assert not [*run.store.glob("state-*"), *elsewhere.glob("state-*")]
        run.check(alone)


def test_overwriting(run, alone):  # noqa: F811
    first = prepare_replay(load_settings(run.settings | {"features.sampling": "1s"}))
    cli_main(first.flow)
    first.commit()
    run.settings["features.overwrite"] = True
    with pytest.raises(BytewaxRuntimeError):
        run.start(1, 3)
    assert table(run.features, INSTRUMENTS[0]).num_rows < 20  # the older ones stay until the new ones come
    run.start(1)
    run.check(alone)
