"""The store of rules: versions that never change, each named by what is in it (docs/reflecting.md, 3).

    versions/<hash>.parquet    a row a rule that was ever proposed; everything that was tested in its metadata
    HEAD                       the hash of the newest version

A version is written beside, put on the disk and renamed; then `HEAD` is. A writer that is killed leaves the version
before, and perhaps a file that nobody names.
"""

import fcntl
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from operators.rules.rule import Rule, parse_rule
from operators.rules.table import RuleTable, make_table
from sinks.disk import cannot_write, sync
from sources.errors import DamagedError, TickwaxError

PROPOSED, ADOPTED, REFUSED, EXPIRED, DISABLED = STATUSES = ("proposed", "adopted", "refused", "expired", "disabled")

_FORMAT = 1  # rises when what is in a version changes its meaning
_KEY = b"tickwax.rules"
_HASH = re.compile(r"[0-9a-f]{64}")
_SCHEMA = pa.schema(
    [
        pa.field("number", pa.int64(), False),
        pa.field("status", pa.string(), False),
        pa.field("words", pa.string(), False),
        pa.field("rule", pa.string(), False),
        pa.field("vector", pa.list_(pa.float64()), False),
        pa.field("evidence", pa.string(), False),
        pa.field("lineage", pa.string(), False),
    ]
)


@dataclass(frozen=True)
class StoredRule:
    """A rule that was proposed, and what became of it.

    Attributes:
        number: in this store, from 1.
        vector: mean context of its episodes, by the version's ``names``.
        evidence: of every test, the newest last.
        lineage: who proposed it, from what.
    """

    number: int
    rule: Rule
    status: str
    vector: tuple[float, ...]
    evidence: tuple[Mapping[str, Any], ...] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RuleVersion:
    """All that a store knew at a time.

    Attributes:
        names: columns of the vectors; ``mean``, ``spread`` what they are standardised by.
        tests: p-values of everything that was ever tested.
        parent: hash of the version before; empty: none.
        did: what made it of its parent, in words.
    """

    rules: tuple[StoredRule, ...] = ()
    names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    tests: tuple[float, ...] = ()
    parent: str = ""
    did: str = ""

    @property
    def hash(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(_canonical(self).encode()).hexdigest()

    @property
    def active(self) -> list[StoredRule]:
        """Those that runs consult."""
        return [stored for stored in self.rules if stored.status == ADOPTED]

    def find(self, number: int) -> StoredRule:
        """The rule of a number.

        Raises:
            TickwaxError: there is none.
        """
        for stored in self.rules:
            if stored.number == number:
                return stored
        raise TickwaxError(f"RULE: {number}: there is no such rule; there are {len(self.rules):,}")

    def table(self, instrument: str, columns: Mapping[str, int], nearest: int) -> RuleTable:
        """The active rules for an instrument, as kernels take them.

        Args:
            columns: row of the context of each feature column.

        Raises:
            TickwaxError: a rule, or the vectors, are of a column that there is not.
        """
        mine = [s for s in self.active if s.rule.instrument in ("", instrument)]
        vectors = np.array([s.vector for s in mine]).reshape(len(mine), len(self.names))
        try:
            return make_table(
                [s.rule for s in mine], [s.number for s in mine], columns,
                names=self.names, mean=self.mean, spread=self.spread, vectors=vectors, nearest=nearest,
            )  # fmt: skip
        except ValueError as e:
            raise TickwaxError(f"rules.store: {e}") from None


class RuleStore:
    """Versions in a folder; one process writes at a time."""

    def __init__(self, root: Path, key: str = "rules.store") -> None:
        """Args:
        key: what the folder was given as; an error begins with it.
        """
        self.root, self._key = root, key

    def read(self, version: str = "") -> RuleVersion:
        """A version; by default the newest, which of a new store is an empty one.

        Args:
            version: its hash, or as much of it as no other begins with.

        Raises:
            TickwaxError: there is no such version, or it is of a newer format.
            DamagedError: it is not what was written.
        """
        if not version:
            head = self._head()
            return self._load(head) if head else RuleVersion()
        found = [name for name in self.versions() if name.startswith(version)]
        if len(found) != 1 or not re.fullmatch(r"[0-9a-f]{1,64}", version):
            what = "several versions begin so" if len(found) > 1 else "there is no such version"
            raise TickwaxError(f"rules.version: {version!r}: {what} in {self.root}")
        return self._load(found[0])

    def versions(self) -> list[str]:
        """Hashes of the versions whose files are there, sorted."""
        with suppress(OSError):
            stems = (path.stem for path in (self.root / "versions").glob("*.parquet"))
            return sorted(stem for stem in stems if _HASH.fullmatch(stem))
        return []

    def change(self, make: Callable[[RuleVersion], RuleVersion]) -> RuleVersion:
        """Write the version that ``make`` makes of the newest; nothing, if it is the same but for ``did``.

        Raises:
            TickwaxError: somebody else writes, or as `read`; the folder cannot be written to.
        """
        with self._writing():
            before = self.read()
            after = make(before)
            if replace(after, did=before.did, parent=before.parent) == before:
                return before
            after = replace(after, parent=before.hash if self._head() else "")
            try:
                self._put(after)
            except OSError as e:
                raise cannot_write(self.root, e) from e
            return after

    def _head(self) -> str:
        try:
            head = (self.root / "HEAD").read_text("ascii").strip()
        except FileNotFoundError:
            if self.versions():
                raise DamagedError(f"{self._key}: {self.root} has versions and no HEAD") from None
            if self.root.exists() and not self.root.is_dir():
                raise TickwaxError(f"{self._key}: {self.root} is not a folder") from None
            return ""
        except (OSError, UnicodeDecodeError) as e:
            raise DamagedError(f"{self._key}: {self.root / 'HEAD'} cannot be read: {e}") from None
        if not _HASH.fullmatch(head):
            raise DamagedError(f"{self._key}: {self.root / 'HEAD'} names no version: {head[:20]!r}")
        return head

    def _load(self, name: str) -> RuleVersion:
        file = self.root / "versions" / f"{name}.parquet"
        try:
            table = pq.read_table(file, partitioning=None)
            told = json.loads((table.schema.metadata or {})[_KEY])
        except FileNotFoundError:
            raise DamagedError(f"{self._key}: {file} is not there") from None
        except (OSError, pa.ArrowException, KeyError, ValueError) as e:
            raise DamagedError(f"{self._key}: {file} is damaged: {str(e).splitlines()[0]}", file) from None
        if told.get("format") != _FORMAT:
            raise TickwaxError(f"{self._key}: {file}: of format {told.get('format')!r}; this program reads {_FORMAT}")
        try:
            version = RuleVersion(
                tuple(_stored(row) for row in table.to_pylist()),
                tuple(told["names"]), tuple(told["mean"]), tuple(told["spread"]), tuple(told["tests"]),
                told["parent"], told["did"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, TickwaxError) as e:
            raise DamagedError(f"{self._key}: {file} is damaged: {e}", file) from None
        if version.hash != name:
            raise DamagedError(f"{self._key}: {file} is not what was written: its hash is {version.hash[:12]}", file)
        return version

    def _put(self, version: RuleVersion) -> None:
        told = {"format": _FORMAT, "names": version.names, "mean": version.mean, "spread": version.spread,
                "tests": version.tests, "parent": version.parent, "did": version.did}  # fmt: skip
        rows = [
            {
                "number": s.number,
                "status": s.status,
                "words": s.rule.words,
                "rule": s.rule.model_dump_json(),
                "vector": list(s.vector),
                "evidence": json.dumps(list(s.evidence)),
                "lineage": json.dumps(s.lineage),
            }
            for s in version.rules
        ]
        table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata({_KEY: json.dumps(told)}))
        folder = self.root / "versions"
        folder.mkdir(exist_ok=True)
        name = version.hash
        _replace(folder / f"{name}.parquet", lambda part: pq.write_table(table, part))
        _replace(self.root / "HEAD", lambda part: part.write_text(f"{name}\n"))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        handle = -1
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise TickwaxError(f"{self._key}: {self.root}: another process writes to it") from None
        except OSError as e:
            raise TickwaxError(str(cannot_write(self.root, e))) from None
        try:
            yield
        finally:
            os.close(handle)


def with_rules(version: RuleVersion, rules: Sequence[StoredRule], **changes: Any) -> RuleVersion:
    """The version with these in place of those of the same number, and new ones behind."""
    by_number = {s.number: s for s in (*version.rules, *rules)}
    return replace(version, rules=tuple(by_number[n] for n in sorted(by_number)), **changes)


def _replace(file: Path, write: Callable[[Path], object]) -> None:
    """Have a file appear whole, on the disk."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        write(part)
        sync(part)
        os.replace(part, file)
        sync(file.parent)
    finally:
        part.unlink(missing_ok=True)


def _stored(row: Mapping[str, Any]) -> StoredRule:
    if row["status"] not in STATUSES:
        raise ValueError(f"status {row['status']!r}")
    rule, evidence = parse_rule(row["rule"]), tuple(json.loads(row["evidence"]))
    return StoredRule(row["number"], rule, row["status"], tuple(row["vector"]), evidence, json.loads(row["lineage"]))


def _canonical(version: RuleVersion) -> str:
    """All of a version as one text; numbers to the bit."""

    def bits(values: Sequence[float]) -> list[str]:
        return ["nan" if math.isnan(x) else float(x).hex() for x in values]

    rules = [
        [s.number, s.rule.model_dump_json(), s.status, bits(s.vector), list(s.evidence), dict(s.lineage)]
        for s in version.rules
    ]
    told = [_FORMAT, list(version.names), bits(version.mean), bits(version.spread), bits(version.tests)]
    return json.dumps([told, rules, version.parent, version.did], sort_keys=True)
