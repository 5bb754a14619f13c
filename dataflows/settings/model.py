"""The settings as a whole: how they fit together, and the one function that loads them.

Sources, later wins: defaults, one TOML file (that of ``--config``, else of ``TICKWAX_CONFIG``, else
``./tickwax.toml``), environment variables that begin with ``TICKWAX_`` (``__`` between levels, lists as JSON), the
command line's flags. Relative paths are relative to the working directory. An empty text turns an optional key off.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from dataflows.runtime.exit_codes import say
from dataflows.settings.agents import AgentSettings
from dataflows.settings.bounds import check_hole, check_multiple
from dataflows.settings.errors import one_line, origin
from dataflows.settings.forecasts import PredictSettings, TrainSettings
from dataflows.settings.groups import (
    BacktestSettings,
    BarrierSettings,
    BookSettings,
    DatasetSettings,
    ExecutionSettings,
    FeatureSettings,
    JournalSettings,
    KafkaSettings,
    LabelSettings,
    NetworkSettings,
    OptimalDSettings,
    PaperSettings,
    ReplaySettings,
    RunSettings,
    StrategySettings,
    TapeSettings,
    VenueSettings,
)
from dataflows.settings.layers import (
    Layer,
    config_file,
    dotted_layer,
    environment_layer,
    file_layer,
    merged,
    variables,
)
from dataflows.settings.placement_group import PlacementSettings
from dataflows.settings.rule_groups import RulesSettings
from dataflows.settings.window import UiSettings
from operators.config import FeatureConfig
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.venues.names import LIVE_VENUES


class Settings(RunSettings):
    """Every setting. A replay takes all of a tape's instruments unless ``symbols`` is in ``model_fields_set``."""

    venues: VenueSettings = VenueSettings()
    network: NetworkSettings = NetworkSettings()
    tape: TapeSettings = TapeSettings()
    journal: JournalSettings = JournalSettings()
    features: FeatureSettings = FeatureSettings()
    books: BookSettings = BookSettings()
    kafka: KafkaSettings = KafkaSettings()
    replay: ReplaySettings = ReplaySettings()
    optimal_d: OptimalDSettings = OptimalDSettings()
    execution: ExecutionSettings = ExecutionSettings()
    strategy: StrategySettings = StrategySettings()
    backtest: BacktestSettings = BacktestSettings()
    paper: PaperSettings = PaperSettings()
    label: LabelSettings = LabelSettings()
    barrier: BarrierSettings = BarrierSettings()
    dataset: DatasetSettings = DatasetSettings()
    train: TrainSettings = TrainSettings()
    agent: AgentSettings = AgentSettings()
    predict: PredictSettings = PredictSettings()
    placement: PlacementSettings = PlacementSettings()
    rules: RulesSettings = RulesSettings()
    ui: UiSettings = UiSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        paths = {"tape.path": self.tape.path, "features.path": self.features.path, "books.path": self.books.path}
        if self.predict.model is not None:
            paths["predict.path"] = self.predict.path
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
        if self.predict.topic and self.predict.model is not None and self.kafka.bootstrap:
            for key, topic in (("tape.topic", self.tape.topic), ("kafka.topic", self.kafka.topic)):
                if self.predict.topic == topic:
                    raise ValueError(f"predict.topic: '{topic}' is also {key}; predictions need one of their own")
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
            return FeatureConfig(**{field.name: _parameter(f, field.name) for field in fields(FeatureConfig)})
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


def _parameter(settings: FeatureSettings, name: str) -> Any:
    """A field of `FeatureConfig`, from the setting of its name; ``…_ns`` is the duration ``…``."""
    if name == "windows":
        return tuple((window.text, window.ns) for window in settings.windows)
    if name.endswith("_ns"):
        return getattr(settings, name.removesuffix("_ns")).ns
    return getattr(settings, name)


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
