"""The settings: every key with its default and range, and the one function that loads them.

Sources, later wins: defaults, one TOML file (that of ``--config``, else of ``TICKWAX_CONFIG``, else
``./tickwax.toml``), environment variables that begin with ``TICKWAX_`` (``__`` between levels, lists as JSON), the
command line's flags. Relative paths are relative to the working directory. An empty text turns an optional key off.
"""

from collections.abc import Mapping
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from dataflows.runtime.exit_codes import say
from dataflows.settings.bounds import check_hole, check_multiple
from dataflows.settings.durations import Duration
from dataflows.settings.errors import one_line, origin
from dataflows.settings.layers import (
    Layer,
    config_file,
    dotted_layer,
    environment_layer,
    file_layer,
    merged,
    variables,
)
from dataflows.settings.types import (
    Brokers,
    BybitDepth,
    Codec,
    FilePath,
    HttpUrl,
    Integer,
    Length,
    Number,
    OptionalLength,
    OptionalPath,
    OptionalSampling,
    OptionalTime,
    OptionalTopic,
    ProxyAddress,
    Sampling,
    Symbols,
    WebSocketUrl,
)
from operators.config import FeatureConfig
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.names import LIVE_VENUES


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BinanceFuturesSettings(_Group):
    """Addresses of Binance USD-M futures; the stream path (``/stream``, ``/ws``) is appended to them."""

    public_ws: WebSocketUrl = "wss://fstream.binance.com/public"
    market_ws: WebSocketUrl = "wss://fstream.binance.com/market"
    rest: HttpUrl = "https://fapi.binance.com"


class BybitLinearSettings(_Group):
    """Addresses of Bybit V5 linear perpetuals; ``depth`` is the number of levels of the book topic."""

    ws: WebSocketUrl = "wss://stream.bybit.com/v5/public/linear"
    rest: HttpUrl = "https://api.bybit.com"
    depth: BybitDepth = 200


class OkxSwapSettings(_Group):
    """Addresses of OKX; its swaps are experimental: they have never been tried against the exchange itself."""

    ws: WebSocketUrl = "wss://ws.okx.com:8443/ws/v5/public"
    rest: HttpUrl = "https://www.okx.com"


class VenueSettings(_Group):
    """Where the exchanges are."""

    binance_futures: BinanceFuturesSettings = BinanceFuturesSettings()
    bybit_linear: BybitLinearSettings = BybitLinearSettings()
    okx_swap: OkxSwapSettings = OkxSwapSettings()


class NetworkSettings(_Group):
    """How the exchanges are reached. ``proxy``: empty takes HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the
    environment, ``direct`` takes none of them."""

    proxy: ProxyAddress = SecretStr("")


class TapeSettings(_Group):
    """The recorded market data; no ``path`` means that nothing is recorded.

    ``topic``: of Kafka, to which a live run publishes the tape, too, and from which a replay reads in place of files;
    with ``follow`` a replay does not end where the topic does. ``foreign``: what becomes of messages of it
    that are none of a tape.
    """

    path: OptionalPath = Path("data/tape")
    topic: OptionalTopic = ""
    follow: bool = False
    foreign: Literal["skip", "stop"] = "skip"
    compression: Codec = "snappy"


class JournalSettings(_Group):
    """What is recorded waits in journals: when they become files, and after how long the disk must have it."""

    rotate_after: Length = Duration.parse("1h")
    rotate_mb: Annotated[Integer, Field(ge=1)] = 1024
    sync_after: Length = Duration.parse("10s")


class FeatureSettings(_Group):
    """What is computed and where it goes; ranges are those of `operators.config.FeatureConfig`.

    ``overwrite`` lets a replay replace the feature files of the instruments it computes.
    """

    path: OptionalPath = Path("data/features")
    overwrite: bool = False
    sampling: Sampling = Duration.parse("100ms")
    windows: tuple[Length, ...] = tuple(Duration.parse(text) for text in ("100ms", "1s", "5s", "30s"))
    depths: tuple[Integer, ...] = (1, 5, 10, 20)
    ofi: Literal["cont", "depth"] = "cont"
    zscore_window: Integer = 1000
    max_hold: Length = Duration.parse("60s")
    price_d: Number = 0.4
    volume_d: Number = 0.5
    d_file: OptionalPath = None
    ffd_threshold: Number = 1e-5
    fdi_window: Integer = 30
    fdi_interval: Length = Duration.parse("1s")
    fdi_method: Literal["variogram", "madogram", "sevcik", "chord"] = "variogram"
    volatility_window: Integer = 100


class BookSettings(_Group):
    """The data set of the book at every feature row; no ``path`` means off."""

    path: OptionalPath = None


class KafkaSecuritySettings(_Group):
    """Who we are and whom we trust, handed to kafka-python as they are; files are PEM."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    username: str = ""
    password: SecretStr = SecretStr("")
    ca_file: OptionalPath = None
    cert_file: OptionalPath = None
    key_file: OptionalPath = None
    key_password: SecretStr = SecretStr("")
    check_hostname: bool = True


class KafkaSettings(_Group):
    """Features to Kafka; an empty ``bootstrap`` means off, an empty ``topic`` that only the tape goes there.

    ``deadline``: longest time without a confirmation before delivery is given up. ``linger``: how long rows wait for
    others of their instrument, to share a message or a request.
    """

    bootstrap: Brokers = ""
    topic: OptionalTopic = "tickwax.features"
    format: Literal["json", "arrow"] = "json"
    compression: Literal["none", "gzip", "lz4", "zstd"] = "none"
    buffer_mb: Annotated[Integer, Field(ge=1)] = 64
    deadline: Length = Duration.parse("30s")
    linger: Length = Duration.parse("20ms")
    security: KafkaSecuritySettings = KafkaSecuritySettings()


class ReplaySettings(_Group):
    """Which part of a tape is read: rows with ``start`` ≤ ``receive_ts`` < ``end``; None means no bound."""

    start: OptionalTime = None
    end: OptionalTime = None


class OptimalDSettings(_Group):
    """The choice of fractional orders from a tape: rows with ``start`` ≤ ``receive_ts`` < ``train_until``.

    ``sampling`` is that of the features unless given; ``path`` is the file to write, which ``features.d_file`` takes.
    """

    path: FilePath = Path("data/optimal_d.parquet")
    sampling: OptionalSampling = None
    price: Literal["mid", "trade"] = "mid"
    pvalue: Number = 0.05
    step: Number = 0.05
    tolerance: Number = 0.001
    start: OptionalTime = None
    train_until: OptionalTime = None
    plot: OptionalPath = None


class Settings(_Group):
    """Every setting. A replay takes all of a tape's instruments unless ``symbols`` is in ``model_fields_set``."""

    symbols: Symbols = ("binance_futures:BTCUSDT", "bybit_linear:BTCUSDT")
    duration: OptionalLength = None
    stalled_after: Length = Duration.parse("30s")
    venues: VenueSettings = VenueSettings()
    network: NetworkSettings = NetworkSettings()
    tape: TapeSettings = TapeSettings()
    journal: JournalSettings = JournalSettings()
    features: FeatureSettings = FeatureSettings()
    books: BookSettings = BookSettings()
    kafka: KafkaSettings = KafkaSettings()
    replay: ReplaySettings = ReplaySettings()
    optimal_d: OptimalDSettings = OptimalDSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        paths = {"tape.path": self.tape.path, "features.path": self.features.path, "books.path": self.books.path}
        taken: dict[Path, str] = {}
        for key, path in paths.items():
            if path is not None and (other := taken.setdefault(path.resolve(), key)) != key:
                raise ValueError(f"{key}: '{path}' is also {other}; every data set needs a folder of its own")
        for (key, path), (other, outer) in permutations(((k, p.resolve()) for k, p in paths.items() if p), 2):
            if path.is_relative_to(outer):
                raise ValueError(f"{key}: '{path}' lies inside {other}; every data set needs a folder of its own")
        if self.tape.topic and not self.kafka.bootstrap:
            raise ValueError(f"tape.topic: '{self.tape.topic}' needs kafka.bootstrap, the brokers that have it")
        if self.tape.topic and self.tape.topic == self.kafka.topic:
            raise ValueError(f"tape.topic: '{self.tape.topic}' is also kafka.topic; tape and features need one each")
        if self.tape.follow and not self.tape.topic:
            raise ValueError("tape.follow: true needs tape.topic; files end where they end")
        security = self.kafka.security
        if security.protocol.startswith("SASL") != bool(security.mechanism):
            raise ValueError(
                f"kafka.security.mechanism: {security.mechanism!r} does not go with "
                f"kafka.security.protocol, '{security.protocol}'; SASL needs one, nothing else does"
            )
        for key, start, last, end in (
            ("replay.start", self.replay.start, "replay.end", self.replay.end),
            ("optimal_d.start", self.optimal_d.start, "optimal_d.train_until", self.optimal_d.train_until),
        ):
            if start and end and start.ns >= end.ns:
                raise ValueError(f"{key}: '{start}' is not before {last}, '{end}'")
        return self

    def feature_config(self) -> FeatureConfig:
        """The features' parameters.

        Raises:
            TickwaxError: a value is outside its range, or two do not fit.
        """
        f = self.features
        check_multiple(f.sampling, f.fdi_interval, "fdi_interval" in f.model_fields_set)
        try:
            return FeatureConfig(
                sampling_ns=f.sampling.ns,
                windows=tuple((window.text, window.ns) for window in f.windows),
                depths=f.depths,
                ofi=f.ofi,
                zscore_window=f.zscore_window,
                max_hold_ns=f.max_hold.ns,
                price_d=f.price_d,
                volume_d=f.volume_d,
                ffd_threshold=f.ffd_threshold,
                fdi_window=f.fdi_window,
                fdi_interval_ns=f.fdi_interval.ns,
                fdi_method=f.fdi_method,
                volatility_window=f.volatility_window,
            )
        except ValueError as e:
            raise TickwaxError(f"features.{e}") from e

    def live_symbols(self) -> tuple[Instrument, ...]:
        """The instruments to connect to; the symbol ``*`` stands for all of a venue.

        Raises:
            TickwaxError: there is no live feed for a venue.
        """
        named = [Instrument(*text.split(":", 1)) for text in self.symbols]
        for instrument in named:
            if instrument.venue not in LIVE_VENUES:
                raise TickwaxError(f"symbols: '{instrument}' is not at a live venue: {', '.join(LIVE_VENUES)}")
        return tuple(named)


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Load and check all settings; ``overrides`` are flags by dotted key and win over every other source.

    Raises:
        TickwaxError: an unknown key, a malformed value or an impossible combination; one line that names the key.
    """
    file, from_file, from_environment = config_file(), file_layer(), environment_layer(Settings)
    if file and file.named_by is None:
        _tell_found(file.path.resolve())
    try:
        return _checked(merged(from_file, from_environment, dotted_layer(overrides or {})))
    except TickwaxError as e:
        line = str(e)
    set_by = {key for key, value in (overrides or {}).items() if value is not None}
    raise TickwaxError(line + ("" if line.partition(":")[0] in set_by else origin(line, variables(), file, from_file)))


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Settings from values by dotted key alone, for a program that calls: neither a file nor the environment is read.

    Raises:
        TickwaxError: as `load_settings`.
    """
    return _checked(dotted_layer(values))


def _checked(layer: Layer) -> Settings:
    try:
        settings = Settings.model_validate(layer)
        f = settings.features
        key = "features.max_hold" if "max_hold" in f.model_fields_set else "features.sampling"
        check_hole(key, f.sampling.text, f.max_hold.text, settings.feature_config(), settings.books.path is not None)
    except ValidationError as e:
        line = one_line(e, Settings)
    except TickwaxError as e:
        line = str(e)
    else:
        return settings
    raise TickwaxError(
        line
    )  # outside of the handlers: what pydantic says of itself holds values that are not to be read


@cache
def _tell_found(path: Path) -> None:
    say(f"settings: {path}")
