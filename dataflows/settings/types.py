"""Types of single settings: how a value is read, and the words for one that cannot be.

Every validator's text begins with the offending value and ends with what is allowed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import pyarrow as pa
from pydantic import AfterValidator, BeforeValidator, SecretStr

from dataflows.reports.terminal import UNKNOWN_SIGNS
from dataflows.settings.instants import Instant
from dataflows.settings.local_paths import data_set_path, local_path
from sources.durations import Duration
from sources.errors import TickwaxError
from sources.instrument import MOST_BYTES, Instrument, shown, twins
from sources.live.proxies import SCHEMES
from sources.redaction import HIDDEN, redacted

CODECS = ("snappy", "zstd", "gzip", "brotli", "lz4", "none")  # those of Parquet that PyArrow writes

_BROKER = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


DIRECT = "direct"  # no proxy, whatever the environment says


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number")
    return value


def _in_64_bits(value: int) -> int:
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("a whole number beyond 64 bits is not allowed")
    return value


def _or_none(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None or value == "" else parse(value)


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise ValueError(f"{value!r} is not a path")
    return local_path(str(value))


def _data_set(value: Any) -> Path:
    return data_set_path(str(value)) if isinstance(value, str | Path) and "\0" not in str(value) else _path(value)


def _file(value: Any) -> Path:
    if value == "":
        raise ValueError("'' is not the path of a file")
    return _path(value)


def _sampling(value: Any) -> Duration:
    if value == "update":
        return Duration("update", 0)
    try:
        return Duration.parse(value)
    except ValueError as e:
        raise ValueError(f"{e}, or update") from None


def _url(*schemes: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port or an IPv6 address that is none
            good = False
        if not good or re.search(r"[\s?#]", text):
            shown = redacted(repr(text), address=True)
            raise ValueError(f"{shown} is not an address of the form {schemes[0]}://host or {schemes[1]}://host")
        return text.rstrip("/")

    return AfterValidator(check)


def check_proxy(text: str) -> str:
    """The address of a proxy.

    Raises:
        ValueError: it is not one.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in SCHEMES and bool(parts.hostname) and bool(parts.port) and not re.search(r"\s", text)
    except ValueError:
        good = False
    if not good:
        shown = redacted(repr(text), address=True)
        raise ValueError(f"{shown} is not an address of the form {'://host:port, '.join(SCHEMES)}://host:port")
    return text.rstrip("/")


def _proxy(text: Any) -> SecretStr:
    if not isinstance(text, str):
        raise ValueError(f"{HIDDEN} is not an address of a proxy")
    return SecretStr(text if text in ("", DIRECT) else check_proxy(text))


def _instrument_or_venue(text: str) -> str:
    venue, _, symbol = text.partition(":")
    try:
        Instrument.parse(f"{venue}:ANY" if symbol == "*" else text)
    except TickwaxError:
        if any("\udc80" <= sign <= "\udcff" for sign in text):  # a byte that Python could not decode
            raise ValueError(f"{shown(text)}: {UNKNOWN_SIGNS}") from None
        raise ValueError(
            f"{shown(text)} is not an instrument: venue:SYMBOL or venue:*, such as binance_futures:BTCUSDT; a symbol "
            f"has up to {MOST_BYTES} bytes, no blanks, no invisible signs and none of / \\ = : % * ? [ ]"
        ) from None
    return text


def _distinct(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if not symbols:
        raise ValueError("[] is empty; at least one instrument is needed")
    twice = next((s for s in symbols if symbols.count(s) > 1), None)
    if twice:
        raise ValueError(f"{twice!r} stands twice; name each instrument once")
    for one, other in twins(Instrument(*text.split(":", 1)) for text in symbols):
        raise ValueError(f"'{one}' and '{other}' share a folder where names ignore capitals; name one of them")
    return symbols


def _codec(text: str) -> str:
    name = text.lower()
    # "none" is no codec to Arrow.
    if name not in CODECS or not (name == "none" or pa.Codec.is_available(name)):
        raise ValueError(f"{text!r} is not a codec of Parquet: {', '.join(CODECS)}")
    return name


def _brokers(text: str) -> str:
    brokers = [broker.strip() for broker in text.split(",")] if text else []
    for broker in brokers:
        form = _BROKER.fullmatch(broker)
        if form is None or not 0 < int(form[2]) < 65536:
            shown = redacted(repr(text), address=True)
            raise ValueError(f"{shown} is not a list of brokers: host:port, separated by commas")
    return ",".join(brokers)


def topic_name(text: str) -> str:
    """A topic's name, checked.

    Raises:
        ValueError: it is none; the text begins with the value.
    """
    if not _TOPIC.fullmatch(text) or text in (".", ".."):
        raise ValueError(f"{text!r} is not a topic: up to 249 letters, digits, dots, dashes and underscores")
    return text


def _bybit_depth(value: int) -> int:
    if value not in (1, 50, 200, 1000):
        raise ValueError(f"{value} is not one of 1, 50, 200, 1000")
    return value


@dataclass(frozen=True)
class Words:
    """What a setting takes, in the words of docs/settings.md. Where a text is empty, that of the type below holds."""

    kind: str
    allowed: str = ""


_DURATION = "duration", "above 0, up to 36500d"
_SAMPLING = "duration, or `update`", "above 0, up to 36500d"
_PATH = "path", "on this machine"

Integer = Annotated[int, BeforeValidator(_no_bool), AfterValidator(_in_64_bits), Words("integer")]
Number = Annotated[float, BeforeValidator(_no_bool), Words("number")]
OptionalNumber = Annotated[float | None, BeforeValidator(_or_none(_no_bool)), Words("number", "above 0, or empty")]
Length = Annotated[Duration, BeforeValidator(Duration.parse), Words(*_DURATION)]
Latency = Annotated[Duration, BeforeValidator(Duration.parse_or_zero), Words(_DURATION[0], f"{_DURATION[1]}, or 0")]
OptionalLength = Annotated[
    Duration | None, BeforeValidator(_or_none(Duration.parse)), Words(_DURATION[0], f"{_DURATION[1]}; empty: never")
]
OptionalTime = Annotated[
    Instant | None, BeforeValidator(_or_none(Instant.parse)), Words("time", "1970 to 2262, or empty")
]
FilePath = Annotated[Path, BeforeValidator(_file), Words(_PATH[0], f"a file {_PATH[1]}")]
OptionalPath = Annotated[Path | None, BeforeValidator(_or_none(_path)), Words(_PATH[0], f"{_PATH[1]}, or empty")]
OptionalDataSet = Annotated[
    Path | None, BeforeValidator(_or_none(_data_set)), Words(_PATH[0], f"{_PATH[1]}, `s3://bucket/prefix`, or empty")
]
WebSocketUrl = Annotated[str, _url("wss", "ws"), Words("address", "`wss://host…`, `ws://host…`")]
HttpUrl = Annotated[str, _url("https", "http"), Words("address", "`https://host…`, `http://host…`")]
ProxyAddress = Annotated[  # a secret, for it may hold a password
    SecretStr,
    BeforeValidator(_proxy),
    Words("secret address", f"`{'`, `'.join(SCHEMES)}` with `://host:port`; `{DIRECT}`; or empty"),
]
InstrumentText = Annotated[str, AfterValidator(_instrument_or_venue), Words("instrument", "`venue:SYMBOL`, `venue:*`")]
ColumnName = Annotated[str, Words("text", "a column of the features")]
Codec = Annotated[str, AfterValidator(_codec), Words("text", f"`{'`, `'.join(CODECS)}`")]
Brokers = Annotated[str, AfterValidator(_brokers), Words("text", "`host:port`, separated by commas, or empty")]
OptionalTopic = Annotated[
    str,
    AfterValidator(lambda text: topic_name(text) if text else text),
    Words("text", "up to 249 letters, digits and `. _ -`, or empty"),
]
BybitDepth = Annotated[Integer, AfterValidator(_bybit_depth), Words("", "`1`, `50`, `200`, `1000`")]
Sampling = Annotated[Duration, BeforeValidator(_sampling), Words(*_SAMPLING)]
OptionalSampling = Annotated[
    Duration | None, BeforeValidator(_or_none(_sampling)), Words(_SAMPLING[0], f"{_SAMPLING[1]}, or empty")
]
Symbols = Annotated[tuple[InstrumentText, ...], AfterValidator(_distinct)]
