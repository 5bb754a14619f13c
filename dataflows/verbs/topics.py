"""``tickwax topics``: the topics that the engine writes to."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dataflows.app import app
from dataflows.durations import Duration
from dataflows.settings import load_settings
from dataflows.settings_types import topic_name
from sources.errors import TickwaxError

topics_app = typer.Typer(no_args_is_help=True, help="Kafka topics of features and tape.")
app.add_typer(topics_app, name="topics")

_NS_PER_MS = 1_000_000
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
        int, typer.Option(min=1, help="Partitions. A multiple of the number of workers that will read the tape.")
    ] = 12,
    replication: Annotated[int, typer.Option(min=-1, help="Copies; -1 is the brokers' own default.")] = -1,
    retention: Annotated[
        str | None, typer.Option(help="How long rows are kept, such as `7d`; without: the brokers' own default.")
    ] = None,
) -> None:
    """Make the **topics** that are missing, and say which were there already; those are left as they are."""
    from dataflows.kafka import kafka_connection
    from sources.kafka.topics import RETENTION, create_topics

    settings = load_settings({"kafka.bootstrap": bootstrap})
    if not settings.kafka.bootstrap:
        raise TickwaxError("kafka.bootstrap: empty; name the brokers with it or with --bootstrap, as host:port")
    wanted = names or [name for name in (settings.kafka.topic, settings.tape.topic) if name]
    config: dict[str, str] = {}
    try:
        for name in wanted:
            topic_name(name)
        if retention is not None:
            config[RETENTION] = str(max(1, Duration.parse(retention).ns // _NS_PER_MS))
    except ValueError as e:
        raise TickwaxError(f"topics create: {e}") from e
    if replication == 0:
        raise TickwaxError("--replication: 0 is not a number of copies: 1 or more, or -1")
    if not wanted:
        raise TickwaxError("kafka.topic, tape.topic: both are empty; name a topic")
    made = create_topics(kafka_connection(settings), list(dict.fromkeys(wanted)), partitions, replication, config)
    table = Table("topic", box=None, pad_edge=False)
    for title in ("partitions", "copies"):
        table.add_column(title, justify="right")
    table.add_column("")
    for t in made:
        what = "created" if t.created else "was there already"
        if not t.created and t.partitions != partitions:
            what += f"; {partitions} partitions were asked for"
        table.add_row(t.name, str(t.partitions), str(t.replication), what)
    Console().print(table)
