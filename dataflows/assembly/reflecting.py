"""Reflection: episodes of runs in, rules proposed, tested, adopted and retired in a store (docs/reflecting.md)."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bytewax.operators as op
import numpy as np
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition

from dataflows.assembly.finished_episodes import episodes_in
from dataflows.settings.model import Settings
from learning.reflection import llm, statistics
from learning.reflection.adoption import Verdict, expired, judge
from learning.reflection.endpoint import Endpoint
from learning.reflection.table import EpisodeTable, split_by_time
from learning.reflection.testing import Evidence
from operators.rules.rule import Rule
from operators.rules.schemas import ENTRY, PRICE_LEVELS
from sinks.exchange_log import ExchangeLog
from sinks.rule_store import (
    ADOPTED,
    DISABLED,
    EXPIRED,
    PROPOSED,
    REFUSED,
    RuleStore,
    RuleVersion,
    StoredRule,
    with_rules,
)
from sources.errors import TickwaxError


@dataclass
class Reflection:
    """What a reflection came to.

    Attributes:
        judged: rules that were tested, as the store has them now.
        retired: adopted ones that have expired.
        skipped: proposals that need no test, with the reason.
        told: lines about the reflector.
        version: of the store, after it.
        seen, unseen: episodes that were learned from, and tested on.
    """

    version: RuleVersion
    judged: list[StoredRule] = field(default_factory=list)
    retired: list[StoredRule] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    seen: int = 0
    unseen: int = 0

    @property
    def lines(self) -> list[str]:
        """What became of each rule."""
        rules = [f"rule {s.number}, {s.status}: {s.rule.words}" for s in (*self.retired, *self.judged)]
        return [*self.told, *self.skipped, *rules, f"version {self.version.hash}"]


def read_episodes(runs: Sequence[Path], features: Path | None) -> EpisodeTable:
    """Episodes of runs, in the order of their opening.

    Raises:
        TickwaxError: a folder holds no run, or has no episodes and they cannot be made; two runs overlap in time, so
            that the same market would count twice.
    """
    parts: list[tuple[str, Mapping[str, Any]]] = []
    spans: dict[str, list[tuple[int, int, Path]]] = {}
    for run in runs:
        for instrument, columns in sorted(episodes_in(run, features).items()):
            if not len(columns["ts"]):
                continue
            first, last = int(columns["opened_ts"].min()), int(columns["ts"].max())
            for begin, end, other in spans.setdefault(str(instrument), []):
                if first <= end and begin <= last:
                    raise TickwaxError(
                        f"--backtest: {run} and {other} overlap in time on {instrument}; take one of them"
                    )
            spans[str(instrument)].append((first, last, run))
            parts.append((str(instrument), columns))
    if not parts:
        raise TickwaxError(
            f"--backtest: {', '.join(map(str, runs))}: no position was opened and closed, so nothing to learn"
        )
    names = [name for name in parts[0][1] if all(name in columns for _, columns in parts)]
    joined = {name: np.concatenate([columns[name] for _, columns in parts]) for name in names}
    instrument_of = np.concatenate([np.full(len(columns["ts"]), name, object) for name, columns in parts])
    order = np.lexsort((joined["ts"], joined["opened_ts"]))
    joined = {name: column[order] for name, column in joined.items()}
    entry = {
        name.removeprefix(ENTRY): joined.pop(name) for name in names if name.startswith(ENTRY) and name != "entry_ts"
    }
    return EpisodeTable(instrument_of[order], joined["opened_ts"], joined["ts"], joined["net_bp"], entry, joined)


def check_reflector(settings: Settings) -> None:
    """Refuse a reflector that cannot work, before any work.

    Raises:
        TickwaxError: a package that it needs is not installed.
    """
    if settings.rules.reflector == "statistics" and find_spec("sklearn") is None:
        raise TickwaxError("rules.reflector: statistics needs scikit-learn; pip install 'tickwax[reflect]'")


def reflect(settings: Settings, root: Path, table: EpisodeTable, runs: Sequence[Path]) -> Reflection:
    """Retire adopted rules that fail on newer episodes; propose rules, test them, and adopt what proves itself.

    Args:
        root: of the store.
        runs: folders that the episodes are of; noted as lineage.

    Raises:
        TickwaxError: the store cannot be read or written, or the reflector cannot be asked.
    """
    r = settings.rules
    store = RuleStore(root)
    before = store.read()
    names = before.names or tuple(sorted(set(table.entry) - PRICE_LEVELS))
    if lost := next((name for name in names if name not in table.entry), None):
        raise TickwaxError(f"rules.store: {root}: its rules know the column {lost!r}, which these episodes have not")
    seen, unseen = split_by_time(table, r.holdout, r.embargo.ns)
    out = Reflection(before, seen=len(seen), unseen=len(unseen))
    retired = _retired(before, table, r.min_episodes)
    active = [s.rule for s in before.active if s.number not in {each.number for each in retired}]
    proposed, lineage = _proposed(settings, root, seen, out)
    lineage |= {"learned_from": _first(seen), "learned_until": _last(seen), "runs": [str(run) for run in runs]}
    data = _digest(unseen)
    chosen = _worth_testing(before, proposed, data, out)
    verdicts = judge(chosen, unseen, before.tests, active, names, r.level, r.min_episodes)

    def change(now: RuleVersion) -> RuleVersion:
        if now.hash != before.hash:
            raise TickwaxError(f"rules.store: {root}: another process has changed it meanwhile; reflect again")
        known = {s.rule.identity: s for s in now.rules}
        number = max((s.number for s in now.rules), default=0)
        judged = []
        for verdict in verdicts:
            there = known.get(verdict.rule.identity)
            if there is None:
                number += 1
                there = StoredRule(number, verdict.rule, REFUSED, (), (), lineage)
            judged.append(_judged(there, verdict, data, unseen))
        mean, spread = (now.mean, now.spread) if now.names else _scales(table, names)
        words = f"reflected on {len(table):,} episodes"
        tests = (*now.tests, *(v.evidence.p for v in verdicts))
        out.judged, out.retired = judged, retired
        return with_rules(now, [*retired, *judged], names=names, mean=mean, spread=spread, tests=tests, did=words)

    out.version = store.change(change)
    return out


class _Once(DynamicSource[EpisodeTable]):
    """The episodes, from the first worker alone: false discoveries are held over all of them together."""

    def __init__(self, table: EpisodeTable) -> None:
        self._table = table

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSourcePartition[EpisodeTable]:
        return _Item([self._table] if worker_index == 0 else [])


class _Item(StatelessSourcePartition[EpisodeTable]):
    def __init__(self, items: list[EpisodeTable]) -> None:
        self._items = items

    def next_batch(self) -> list[EpisodeTable]:
        if not self._items:
            raise StopIteration
        items, self._items = self._items, []
        return items


def prepare_reflection(settings: Settings) -> Dataflow:
    """A dataflow that reflects on the run in `backtest.path`, and prints a line a rule.

    Raises:
        TickwaxError: as of `read_episodes`; no store is named.
    """
    root, runs = settings.rules.store, [settings.backtest.path]
    if root is None:
        raise TickwaxError("rules.store: empty; name the folder of the rules")
    check_reflector(settings)
    table = read_episodes(runs, settings.features.path)
    flow = Dataflow("tickwax_reflect")
    episodes = op.input("episodes", flow, _Once(table))
    done = op.map("reflect", episodes, lambda each: reflect(settings, root, each, runs))
    told = op.flat_map("tell", done, lambda each: each.lines)
    op.output("lines", told, StdOutSink())
    return flow


def _proposed(settings: Settings, root: Path, seen: EpisodeTable, out: Reflection) -> tuple[list[Rule], dict[str, Any]]:
    r = settings.rules
    if r.reflector == "statistics":
        return statistics.propose(seen, r.proposals, r.min_episodes), {"reflector": "statistics"}
    e = r.llm
    endpoint = Endpoint(
        e.base_url.rstrip("/"), e.model, e.key.get_secret_value(), timeout=e.timeout.ns / 1e9, attempts=e.attempts,
        most_tokens=e.most_tokens, price_in=e.price_in, price_out=e.price_out,
    )  # fmt: skip
    log = ExchangeLog(root / "exchanges")
    asked = llm.propose(seen, r.proposals, endpoint, log, e.budget_tokens, e.budget_money)
    cost = "from the record, nobody was asked" if asked.recorded else f"{asked.tokens:,} tokens, cost {asked.cost:.4g}"
    out.told += [f"reply with {len(asked.rules)} rules ({cost})", *asked.refused]
    return asked.rules, {"reflector": "llm", "model": e.model, "question": asked.question, "reply": asked.reply}


def _worth_testing(before: RuleVersion, proposed: Sequence[Rule], data: str, out: Reflection) -> list[Rule]:
    """New proposals, and earlier ones without a test; not those that were tested on these very episodes."""
    known = {s.rule.identity: s for s in before.rules}
    waiting = [s.rule for s in before.rules if s.status == PROPOSED]
    chosen: dict[str, Rule] = {}
    for rule in (*waiting, *proposed):
        there = known.get(rule.identity)
        if there is not None and there.status == ADOPTED:
            out.skipped.append(f"rule {there.number} is adopted already: {rule.words}")
        elif there is not None and there.status == DISABLED:
            out.skipped.append(f"rule {there.number} is disabled: {rule.words}")
        elif there is not None and any(each["data"] == data for each in there.evidence):
            out.skipped.append(f"rule {there.number} was tested on these episodes already: {rule.words}")
        else:
            chosen.setdefault(rule.identity, rule if there is None else there.rule)
    return list(chosen.values())


def _retired(before: RuleVersion, table: EpisodeTable, least: int) -> list[StoredRule]:
    tested = [s for s in before.active if s.evidence]
    newer = [table.take(table.opened > int(s.evidence[-1]["until"])) for s in tested]
    found = expired([s.rule for s in tested], newer, least)
    return [
        replace(s, status=EXPIRED, evidence=(*s.evidence, _told(e, _digest(t), t, math.nan, "fails on newer episodes")))
        for s, e, t in zip(tested, found, newer, strict=True)
        if e is not None
    ]


def _judged(there: StoredRule, verdict: Verdict, data: str, unseen: EpisodeTable) -> StoredRule:
    told = _told(verdict.evidence, data, unseen, verdict.q, verdict.reason or "adopted")
    status = ADOPTED if verdict.adopted else REFUSED
    vector = tuple(float(x) for x in verdict.vector)
    return replace(there, status=status, vector=vector, evidence=(*there.evidence, told))


def _told(e: Evidence, data: str, table: EpisodeTable, q: float, said: str) -> dict[str, Any]:
    numbers = {"mean": e.mean, "error": e.error, "others": e.others, "p": e.p, "q": q}
    return {
        "data": data, "from": _first(table), "until": _last(table), "episodes": e.episodes, "blocks": e.blocks,
        **{name: None if math.isnan(x) else x for name, x in numbers.items()}, "verdict": said,
    }  # fmt: skip


def _first(table: EpisodeTable) -> int:
    return int(table.opened[0]) if len(table) else 0


def _last(table: EpisodeTable) -> int:
    return int(table.opened[-1]) if len(table) else 0


def _digest(table: EpisodeTable) -> str:
    """Of which episodes these are."""
    said = hashlib.sha256("\n".join(table.instrument).encode())
    for column in (table.opened, table.closed, table.net_bp):
        said.update(np.ascontiguousarray(column).tobytes())
    return said.hexdigest()[:16]


def _scales(table: EpisodeTable, names: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each column; 0 and 1 where it does not vary or is not known."""
    mean, spread = [], []
    for name in names:
        known = table.entry[name][~np.isnan(table.entry[name])]
        deviation = float(known.std()) if len(known) else 0.0
        mean.append(float(known.mean()) if len(known) else 0.0)
        spread.append(deviation if deviation > 0 else 1.0)
    return tuple(mean), tuple(spread)
