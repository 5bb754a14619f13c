"""The store of rules, read and changed by hand."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataflows.assembly.tapes import time_text
from dataflows.reports.rules import nearest_words, rules_table
from dataflows.reports.terminal import prose
from dataflows.reports.text_table import show
from dataflows.runtime.exit_codes import must_be_shown
from dataflows.settings.model import load_settings
from operators.rules.rule import parse_rule
from sinks.rule_index import make_index
from sinks.rule_store import DISABLED, PROPOSED, RuleStore, RuleVersion, StoredRule, with_rules
from sources.errors import TickwaxError

_MOST_FILE = 4 << 20  # bytes
_NEAR = 3


def list_rules(flags: dict[str, Any], everything: bool) -> None:
    """Print a table of rules."""
    version = _read(flags)
    rules = list(version.rules) if everything else version.active
    if rules:
        show(rules_table(rules))
    others = len(version.rules) - len(version.active)
    prose(
        f"{len(version.active):,} adopted, {others:,} others; version {version.hash[:12] if version.rules else 'none'}"
    )


def show_rule(flags: dict[str, Any], number: int) -> None:
    """Print a rule as JSON.

    Raises:
        TickwaxError: there is none of that number.
    """
    stored = _read(flags).find(number)
    told = {"number": stored.number, "status": stored.status, "words": stored.rule.words, "rule": _plain(stored)}
    print(json.dumps(told, indent=2))
    must_be_shown()


def tell_why(flags: dict[str, Any], number: int) -> None:
    """Print where a rule comes from, its tests, and its neighbours.

    Raises:
        TickwaxError: there is none of that number.
    """
    settings = load_settings(flags)
    version = _read(flags)
    stored = version.find(number)
    prose(f"rule {stored.number}, {stored.status}: {stored.rule.words}")
    if stored.rule.rationale:
        prose(f"because: {stored.rule.rationale}")
    lineage = dict(stored.lineage)
    for name in ("learned_from", "learned_until"):
        if name in lineage:
            lineage[name] = time_text(int(lineage[name]))
    for name, value in lineage.items():
        prose(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    for e in stored.evidence:
        span = f"{time_text(e['from'])} to {time_text(e['until'])}"
        prose(f"test on {span}: {e['episodes']:,} episodes, mean {_told(e['mean'])} ± {_told(e['error'])} bp, others "
              f"{_told(e['others'])} bp, p {_told(e['p'])}, q {_told(e['q'])}: {e['verdict']}")  # fmt: skip
    others = [s for s in version.rules if s.number != number and len(s.vector) == len(version.names)]
    if others and len(stored.vector) == len(version.names):
        found = make_index(settings.rules.server, version, others).nearest(stored.vector, _NEAR)
        prose(nearest_words([(version.find(n), distance) for n, distance in found]))


def export_rules(flags: dict[str, Any], numbers: Sequence[int], out: Path | None) -> None:
    """Write rules as JSON.

    Raises:
        TickwaxError: there is none of a number, or the file cannot be written.
    """
    version = _read(flags)
    chosen = [version.find(number) for number in numbers] if numbers else version.active
    text = json.dumps([_plain(stored) for stored in chosen], indent=2)
    if out is None:
        print(text)
        must_be_shown()
        return
    try:
        out.write_text(text + "\n", "utf-8")
    except OSError as e:
        raise TickwaxError(f"--out: {out} cannot be written: {e.strerror or e}") from None
    prose(f"{len(chosen):,} rules in {out}")


def import_rules(flags: dict[str, Any], file: Path) -> None:
    """Take rules in as proposals.

    Raises:
        TickwaxError: the file holds something else; then none of it is taken.
    """
    try:
        if (size := file.stat().st_size) > _MOST_FILE:
            raise TickwaxError(f"FILE: {file}: {size:,} bytes; at most {_MOST_FILE:,}")
        said = json.loads(file.read_text("utf-8"))
    except OSError as e:
        raise TickwaxError(f"FILE: {file} cannot be read: {e.strerror or e}") from None
    except (ValueError, RecursionError):
        raise TickwaxError(f"FILE: {file}: not JSON") from None
    if not isinstance(said, list):
        raise TickwaxError(f"FILE: {file}: not a list of rules")
    rules = [parse_rule(each, None, f"FILE: {file}: rule {n}") for n, each in enumerate(said, 1)]

    def change(now: RuleVersion) -> RuleVersion:
        known = {s.rule.identity for s in now.rules}
        number = max((s.number for s in now.rules), default=0)
        new = {rule.identity: rule for rule in rules if rule.identity not in known}
        lineage = {"reflector": "import", "file": file.name}
        stored = [StoredRule(number + n, rule, PROPOSED, (), (), lineage) for n, rule in enumerate(new.values(), 1)]
        return with_rules(now, stored, did=f"imported {len(stored)}")

    before = _store(flags)[0].read()
    after = _store(flags)[0].change(change)
    prose(f"{len(after.rules) - len(before.rules):,} of {len(rules):,} rules are new; `tickwax reflect` will test them")


def disable_rule(flags: dict[str, Any], number: int) -> None:
    """Have a rule consulted no more.

    Raises:
        TickwaxError: there is none of that number.
    """

    def change(now: RuleVersion) -> RuleVersion:
        return with_rules(now, [replace(now.find(number), status=DISABLED)], did=f"disabled {number}")

    after = _store(flags)[0].change(change)
    prose(f"rule {number} is disabled; version {after.hash[:12]}")


def _store(flags: dict[str, Any]) -> tuple[RuleStore, str]:
    settings = load_settings(flags)
    if settings.rules.store is None:
        raise TickwaxError("rules.store: empty; name the folder of the rules (--rules)")
    return RuleStore(settings.rules.store), settings.rules.version


def _read(flags: dict[str, Any]) -> RuleVersion:
    store, version = _store(flags)
    return store.read(version)


def _plain(stored: StoredRule) -> dict[str, Any]:
    return dict(stored.rule.model_dump(mode="json"))


def _told(x: float | None) -> str:
    return "unknown" if x is None else f"{x:.3g}"
