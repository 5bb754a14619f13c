"""``tickwax inspect``: the data quality of a tape."""

from typing import Annotated

import typer

from dataflows.command_line.app import RECORDED, app
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

_EXAMPLES = """
Examples:

    tickwax inspect data/tape

    tickwax inspect data/tape --symbols binance_futures:BTCUSDT --html quality.html

    tickwax inspect data/tape --json > quality.jsonl

    tickwax inspect data/tape --coverage 99,90 && tickwax replay --tape data/tape

Exit codes: 0 every day is good, 3 one is doubtful, 4 one is bad, 2 the command line is wrong.
"""


def _limit(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=f"{help_text}: doubtful, bad.", metavar="D,B")
    return option


@app.command("inspect", rich_help_panel=RECORDED, epilog=_EXAMPLES)
def inspect_verb(
    tape: Annotated[str | None, typer.Argument(help="Folder of the tape; without, `tape.path`.")] = None,
    json: Annotated[bool, typer.Option("--json", help="A JSON object a day and line on standard output.")] = False,
    html: Annotated[str | None, typer.Option(help="File for a page, which needs no other.", metavar="FILE")] = None,
    symbols: Annotated[str | None, typer.Option(help="`venue:SYMBOL` or `venue:*`, separated by commas.")] = None,
    start: Annotated[str | None, typer.Option(help="First `receive_ts`, UTC, such as 2024-08-08T23:55:00Z.")] = None,
    end: Annotated[str | None, typer.Option(help="The `receive_ts` to stop before.")] = None,
    silence: Annotated[str, typer.Option(help="Longer without any row is a gap.")] = "60s",
    still: Annotated[str, typer.Option(help="Longer without a book message is a stale stretch.")] = "20s",
    jump: Annotated[float, typer.Option(help="% that the mid moves in one update: more is a jump.")] = 1.0,
    far: Annotated[float, typer.Option(help="% beyond the quotes: farther prints are far from them.")] = 0.5,
    coverage: Annotated[str, _limit("Least coverage, %")] = "99.9,95",
    crossed: Annotated[str, _limit("Most crossed time, % of the covered")] = "0.1,1",
    stale: Annotated[str, _limit("Most time in stale stretches, % of the covered")] = "1,10",
    far_prints: Annotated[str, _limit("Most prints far from the quotes, %")] = "0.1,1",
    against: Annotated[str, _limit("Most prints against their side, %")] = "30,60",
    negative: Annotated[str, _limit("Most negative latencies, %")] = "0.1,100",
    latency: Annotated[str, _limit("Most of the latency's 99 % quantile, s")] = "1,10",
    jumps: Annotated[str, _limit("Most price jumps")] = "0,100",
) -> None:
    """Tell how good a tape is: coverage, gaps, latencies, crossed books and prints beside them, with a **verdict** for
    each instrument and day, and an exit code for scripts."""
    flags = settings_of(
        {
            "TAPE": ("tape.path", tape),
            "--symbols": ("symbols", listed(symbols)),
            "--start": ("replay.start", start),
            "--end": ("replay.end", end),
        }
    )
    limits = {
        "coverage": coverage, "crossed": crossed, "stale": stale, "far": far_prints, "against": against,
        "negative": negative, "latency": latency, "jumps": jumps,
    }  # fmt: skip
    with quick_imports():
        from dataflows.command_line.jobs.inspecting import inspect
    inspect(flags, {"silence": silence, "still": still}, {"jump": jump, "far": far}, limits, json, html)
