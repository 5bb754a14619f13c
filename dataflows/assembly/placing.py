"""How a run's parent orders are worked: the method, and the model that it decides with, read once at the start."""

from collections.abc import Callable, Mapping

from dataflows.assembly.trading import execution_config
from dataflows.runtime.exit_codes import say
from dataflows.settings.model import Settings
from operators.config import FeatureConfig
from operators.execution.grid import Grid
from operators.identity import feature_settings
from operators.placement.market import Market
from operators.placement.model import KIND, as_market, model_in
from operators.placement.plan import Placement
from sources.errors import TickwaxError
from sources.instrument import Instrument
from sources.model_folder import ModelFolder, read_model

_LEARNED = ("dp", "mcts")
_SAMPLING = "features.sampling"
_MOST_STEPS = 10_000


class Placing:
    """What the settings `placement` ask for."""

    def __init__(self, settings: Settings, config: FeatureConfig) -> None:
        """Read the model, if the method has one.

        Raises:
            TickwaxError: there is none, or it was estimated with another step; the deadline is no multiple of the step;
                orders are given beforehand.
        """
        p = settings.placement
        self._settings, self._method = settings, p.chosen
        self._steps, rest = divmod(p.deadline.ns, p.step.ns)
        if rest or self._steps > _MOST_STEPS:
            raise TickwaxError(
                f"placement.deadline: {p.deadline} is not 1 to {_MOST_STEPS:,} times placement.step, {p.step}"
            )
        self._folder: ModelFolder | None = None
        if not self.on:
            return
        if settings.backtest.orders is not None:
            raise TickwaxError(
                f"placement.method: {self._method}: a schedule of orders is sent as it is; take backtest.orders or this"
            )
        if self._method in _LEARNED:
            if p.model is None:
                raise TickwaxError(
                    f"placement.model: empty; {self._method} decides with one, which "
                    "`tickwax train placement TAPE --out FOLDER` makes"
                )
            self._folder = read_model(p.model, "placement.model")
            self._check(self._folder, config)

    def _check(self, folder: ModelFolder, config: FeatureConfig) -> None:
        card, here = folder.card, str(self._settings.placement.step)
        if card.kind != KIND:
            raise TickwaxError(
                f"placement.model: {folder.path}: of kind {card.kind!r}; `tickwax train placement` writes {KIND!r}"
            )
        if (there := card.parameters.get("placement.step")) != here:
            raise TickwaxError(f"placement.step: {here}; the model in {folder.path} was estimated with {there}")
        there, here = card.features.get(_SAMPLING), feature_settings(config)[_SAMPLING]
        if there != here:
            raise TickwaxError(f"{_SAMPLING}: {here}; the model in {folder.path} was estimated with {there}")

    @property
    def on(self) -> bool:
        """Whether orders are worked, and not sent as they are."""
        return self._method != "take"

    @property
    def identity(self) -> dict[str, str]:
        """Settings that decide a value, as a file's metadata tells them."""
        if not self.on:
            return {}
        p = self._settings.placement
        said = {"method": self._method, "step": str(p.step), "deadline": str(p.deadline)}
        if self._method == "mcts":
            said["simulations"] = str(p.simulations)
        if self._folder is not None:
            said["model"] = self._folder.card.identity
        return {f"placement.{key}": text for key, text in said.items()}

    def tell(self, first_ns: int | None = None, tell: Callable[[str], None] = say) -> None:
        """Say what is to be known of the model before its results are believed.

        Args:
            first_ns: receive time at which a backtest begins; None: it is no backtest.
            tell: is told, in lines.
        """
        if self._folder is None:
            return
        if self._folder.card.planted:
            tell("placement.model: PLANTED: it was estimated on a synthetic market")
        if first_ns is not None and first_ns < self._folder.card.trained_until:
            tell("placement.model: IN SAMPLE: it was estimated on a time that this backtest is of, or on a later one")

    def check(self, grids: Mapping[Instrument, Grid]) -> None:
        """Refuse, before a run, instruments that the model does not serve.

        Raises:
            TickwaxError: as `of`.
        """
        for instrument, grid in grids.items():
            self.of(instrument, grid)

    def of(self, instrument: Instrument, grid: Grid) -> Placement | None:
        """That of an instrument; None: its orders are sent as they are.

        Raises:
            TickwaxError: the model lacks it, or has another tick.
        """
        if not self.on:
            return None
        return self._placement(None if self._folder is None else self._market(self._folder, instrument, grid))

    def _placement(self, market: Market | None) -> Placement:
        p = self._settings.placement
        return Placement(self._method, market, p.step.ns, self._steps, p.simulations)

    def _market(self, folder: ModelFolder, instrument: Instrument, grid: Grid) -> Market:
        names = folder.card.instruments
        if str(instrument) not in names:
            raise TickwaxError(f"placement.model: {folder.path} knows nothing of {instrument}, only {', '.join(names)}")
        number = names.index(str(instrument))
        ticks = folder.arrays.get(f"{number}.tick")
        if ticks is not None and ticks.size and float(ticks.flat[0]) != float(grid.tick):
            raise TickwaxError(
                f"placement.model: {folder.path}: {instrument} had tick {float(ticks.flat[0]):.12g}, and has "
                f"{float(grid.tick):.12g}"
            )
        return self._read(folder, number, instrument)

    def _read(self, folder: ModelFolder, number: int, instrument: Instrument) -> Market:
        fees = execution_config(self._settings, instrument.venue)
        try:
            return as_market(model_in(folder.arrays, number), fees.maker, fees.taker)
        except ValueError as e:
            raise TickwaxError(f"placement.model: {folder.path}: {e}") from None
