"""``tickwax topics``: the topics that the engine writes to."""

from typing import Annotated

import typer

from dataflows.command_line.app import TOOLS, App, app
from dataflows.runtime.process_tuning import quick_imports

topics_app = App(
    no_args_is_help=True,
    help="Kafka topics of features and tape.",
    epilog="Example:\n\n    tickwax topics create --bootstrap localhost:9092",
)
app.add_typer(topics_app, name="topics", rich_help_panel=TOOLS)

_EXAMPLES = """
Examples:

    tickwax topics create --bootstrap localhost:9092

    tickwax topics create --bootstrap a:9092,b:9092 --partitions 24 --replication 3 --retention 30d

    tickwax topics create tickwax.features --retention 12h
"""


@topics_app.command("create", epilog=_EXAMPLES)
def create_verb(
    names: Annotated[
        list[str] | None, typer.Argument(help="Topics; without: those of the settings.", metavar="[TOPICS]...")
    ] = None,
    bootstrap: Annotated[str | None, typer.Option(help="Brokers, `host:port,…`; as in `kafka.bootstrap`.")] = None,
    partitions: Annotated[
        int,
        typer.Option(
            min=1, max=2**31 - 1, help="Partitions. A multiple of the number of workers that will read the tape."
        ),
    ] = 12,
    replication: Annotated[
        int, typer.Option(min=-1, max=2**15 - 1, help="Copies; -1 is the brokers' own default.")
    ] = -1,
    retention: Annotated[
        str | None, typer.Option(help="How long rows are kept, such as `7d`; without: the brokers' own default.")
    ] = None,
) -> None:
    """Make the **topics** that are missing, and say which were there already; those are left as they are."""
    with quick_imports():
        from dataflows.command_line.jobs.topics import create
    create(names or [], bootstrap, partitions, replication, retention)
