"""SIGKILL at random moments, many times: what is lost, what is there twice, what cannot be read.

    python benchmarks/bench_kills.py [--live 100] [--replay 100] [--seed 1]

Live runs record simulated exchanges over real sockets, one after the other onto the same tape, with journals rotated so
often that most kills meet a compaction. Every row that a sink had taken (the run notes it after each write) must be in
the data set in the end, once and bit for bit, and every feature row must be one of a replay of the whole tape. Replays
with a recovery directory are killed up to four times each, gone on with by 1, 2 or 3 workers, and held against a replay
that was left alone. The exit code is 1 if anything is wrong.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bytewax.run import cli_main
from rich.console import Console
from rich.table import Table

from dataflows.assembly.replay import prepare_replay
from dataflows.assembly.synthetic_tape import write_synthetic_tape
from dataflows.settings.model import load_settings
from simulator.thread import simulator_thread
from tests.dataflows.conftest import INSTRUMENTS, MIDNIGHT, SECOND
from tests.kills import Found, LiveKills, ReplayKills
from tests.markets import market

_RUNS_A_TAPE = 25  # live runs that append to one tape


def kill_live(folder: Path, kills: int, seed: int) -> list[Found]:
    """Live runs on a simulator, over several tapes."""
    found = []
    with simulator_thread(market(instruments=tuple(INSTRUMENTS)), time.time_ns) as exchange:
        for n in range(0, kills, _RUNS_A_TAPE):
            (folder / str(n)).mkdir(parents=True)
            tape = LiveKills(folder / str(n), exchange.addresses, seed + n)
            for _ in range(min(_RUNS_A_TAPE, kills - n)):
                tape.kill()
                tape.check_unrecovered()
            tape.finish()
            tape.check()
            found.append(tape.found)
            print(tape.found, file=sys.stderr, flush=True)
    return found


def kill_replays(folder: Path, kills: int, seed: int) -> list[Found]:
    """Replays of a synthetic market."""
    tape, expected = folder / "tape", folder / "expected"
    write_synthetic_tape(tape, INSTRUMENTS, 240 * SECOND, seed, start_ns=MIDNIGHT - 4 * SECOND)
    replay = prepare_replay(load_settings({"tape.path": str(tape), "features.path": str(expected)}))
    cli_main(replay.flow)
    replay.commit()
    runs = ReplayKills(folder / "killed", tape, expected, seed)
    while runs.found.kills < kills:
        runs.run(min(4, kills - runs.found.kills))
    print(runs.found, file=sys.stderr, flush=True)
    return [runs.found]


def main() -> None:
    """Kill, check and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--live", type=int, default=100, help="kills of live runs")
    arguments.add_argument("--replay", type=int, default=100, help="kills of replays")
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    table = Table("runs", "kills", "rows at a sink", "lost", "twice", "different", "unreadable files", "to recover")
    good = True
    with tempfile.TemporaryDirectory() as name:
        for kind, all_found in (
            ("live on a simulator", kill_live(Path(name) / "live", chosen.live, chosen.seed)),
            ("replay, 1 to 3 workers", kill_replays(Path(name) / "replay", chosen.replay, chosen.seed)),
        ):
            if not all_found or not any(found.kills for found in all_found):
                continue
            seconds = [second for found in all_found for second in found.seconds]
            counts = [
                sum(getattr(found, what) for found in all_found)
                for what in ("kills", "rows", "lost", "duplicated", "different", "unreadable")
            ]
            good &= not any(counts[2:])
            told = f"{statistics.median(seconds):.1f} s median, {max(seconds):.1f} s longest"
            table.add_row(kind, *(f"{count:,}" for count in counts), told)
    Console().print(table)
    print("to recover: live, from the start of the process to the first new row; replay, to its end")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
