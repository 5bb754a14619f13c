"""The rules that a run consults: one version of a store, read once at its start."""

from collections.abc import Mapping

from dataflows.settings.model import Settings
from operators.rules.table import RuleTable
from sinks.rule_store import RuleStore
from sources.errors import TickwaxError
from sources.instrument import Instrument


class ConsultedRules:
    """What `rules.store` names; nothing, if it is empty."""

    def __init__(self, settings: Settings, columns: Mapping[str, int]) -> None:
        """Read the version.

        Args:
            columns: that rules may compare, as of `decision_columns`.

        Raises:
            TickwaxError: there is no such version, or a rule is of a column that these features do not have.
        """
        r = settings.rules
        self._nearest = r.nearest
        self._columns = columns
        self._version = None if r.store is None else RuleStore(r.store).read(r.version)
        if r.store is not None and not RuleStore(r.store).versions():
            raise TickwaxError(
                f"rules.store: {r.store} holds no rules; `tickwax reflect` and `tickwax rules import` make them"
            )
        if self._version is not None and settings.backtest.orders is not None:
            raise TickwaxError(
                "rules.store: a schedule of orders consults no rules; take backtest.orders or rules.store"
            )
        if self._version is not None:
            self._version.table("", self._columns, self._nearest)

    @property
    def on(self) -> bool:
        """Whether there is a store."""
        return self._version is not None

    @property
    def identity(self) -> dict[str, str]:
        """Settings that decide a value, as a file's metadata tells them."""
        if self._version is None:
            return {}
        return {"rules.version": self._version.hash, "rules.nearest": str(self._nearest)}

    @property
    def words(self) -> str:
        """What is consulted, in a line."""
        if self._version is None:
            return ""
        return f"rules: {len(self._version.active):,} adopted ones are consulted, version {self._version.hash[:12]}"

    def table(self, instrument: Instrument) -> RuleTable | None:
        """Those for an instrument, as kernels take them."""
        if self._version is None:
            return None
        return self._version.table(str(instrument), self._columns, self._nearest)
