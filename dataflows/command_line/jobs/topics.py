"""Topics of features and tape at a Kafka cluster."""

from dataflows.assembly.kafka import kafka_connection
from dataflows.reports.text_table import TextTable, show
from dataflows.settings.flags import settings_of
from dataflows.settings.model import load_settings
from dataflows.settings.types import topic_name
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.kafka.topics import RETENTION, create_topics

_NS_PER_MS = 1_000_000


def create(names: list[str], bootstrap: str | None, partitions: int, replication: int, retention: str | None) -> None:
    """Make those that are missing and tell of all; without ``names``, those of the settings.

    Raises:
        TickwaxError: there is no broker to ask, a name or a figure cannot be one of a topic, or the broker refuses.
    """
    settings = load_settings(settings_of({"--bootstrap": ("kafka.bootstrap", bootstrap)}))
    if not settings.kafka.bootstrap:
        raise TickwaxError("kafka.bootstrap: empty; name the brokers with it or with --bootstrap, as host:port")
    predicted = settings.predict.topic if settings.predict.model else ""
    wanted = names or [name for name in (settings.kafka.topic, settings.tape.topic, predicted) if name]
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
    table = TextTable(("topic", "partitions", "copies", ""), left=("",))
    for t in made:
        what = "created" if t.created else "was there already"
        if not t.created and t.partitions != partitions:
            what += f"; {partitions} partitions were asked for"
        table.add(t.name, str(t.partitions), str(t.replication), what)
    show(table)
