"""``tickwax paper``: a strategy on the real market, with simulated fills."""

from typing import Annotated

import typer

from dataflows.command_line.app import LIVE, app
from dataflows.command_line.verbs.live import Duration, Features, Screen, Symbols, Tape, Ui, UiPort, Workers
from dataflows.command_line.verbs.processes import Processes, started
from dataflows.command_line.verbs.strategies import DecisionTimes, Model, Parameters, Queue, StrategyName, parameters
from dataflows.runtime.process_tuning import quick_imports
from dataflows.settings.flags import listed, settings_of

_EXAMPLES = """
Examples:

    tickwax paper --strategy glft --param size=0.001 --symbols binance_futures:BTCUSDT --out data/paper

    tickwax paper --strategy my_module:MyStrategy --symbols bybit_linear:ETHUSDT --latency 20ms --duration 1h
"""


@app.command("paper", rich_help_panel=LIVE, epilog=_EXAMPLES)
def paper_verb(
    strategy: StrategyName = None,
    param: Parameters = None,
    symbols: Symbols = None,
    duration: Duration = None,
    out: Annotated[str | None, typer.Option(help="Folder of the account; as in `paper.path`.")] = None,
    tape: Tape = None,
    features: Features = None,
    sampling: DecisionTimes = None,
    latency: Annotated[
        str | None, typer.Option(help="From decision to exchange, and from there to the report; `10ms`.")
    ] = None,
    queue: Queue = None,
    ui: Ui = False,
    ui_port: UiPort = None,
    model: Model = None,
    screen: Screen = True,
    workers: Workers = 1,
    processes: Processes = 1,
) -> None:
    """Let a **strategy** trade on the market as it comes, with **simulated fills**: the same rules and the same bits as
    a backtest of the tape that is recorded meanwhile. No order is sent anywhere. The same command goes on with the same
    account."""
    flags = settings_of(
        {
            "--strategy": ("strategy.name", strategy),
            "--symbols": ("symbols", listed(symbols)),
            "--duration": ("duration", duration),
            "--out": ("paper.path", out),
            "--tape": ("tape.path", tape),
            "--features": ("features.path", features),
            "--sampling": ("features.sampling", sampling),
            "--latency": ("execution.latency_entry", latency),
            "--queue": ("execution.queue", queue),
            "--ui": ("ui.on", ui or None),
            "--ui-port": ("ui.port", ui_port),
            "--model": ("predict.model", model),
        }
    )
    if latency is not None:
        flags["execution.latency_response"] = latency
    flags |= parameters(param)
    with started(processes, flags) as supervisor:
        with quick_imports():
            from dataflows.command_line.jobs.paper import paper
        paper(flags, workers, supervisor, screen)
