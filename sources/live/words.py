"""What a venue's list says in words that are not known: counted, and told once each."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sources.instrument import Instrument, twins
from sources.live.telemetry import Telemetry

_CHARACTERS = 100  # of a word; the venue may send any


class Words(NamedTuple):
    """The words of one field: those that are followed, and those that are known and not followed."""

    field: str
    wanted: frozenset[str]
    others: frozenset[str]


class Unknown:
    """Counts the unknown words of one venue's list."""

    def __init__(self, venue: str, telemetry: Telemetry) -> None:
        self._venue = venue
        self._telemetry = telemetry
        self._counts: dict[str, Counter[str]] = {}
        self._told: set[tuple[str, str]] = set()
        self._kept: set[Instrument] = set()  # of the list before

    def __bool__(self) -> bool:
        """Whether the list at hand has had one."""
        return bool(self._counts)

    def wants(self, words: Words, word: str) -> bool:
        """Whether ``word`` is one of those that are followed; one that is not known is counted."""
        if word not in words.wanted and word not in words.others:
            self.add(words.field, word)
        return word in words.wanted

    def add(self, field: str, word: str) -> None:
        """Count an entry that is left out for a word."""
        self._counts.setdefault(field, Counter())[word[:_CHARACTERS]] += 1

    def without_twins(self, listed: Sequence[Instrument]) -> set[Instrument]:
        """The instruments but for those that would share a folder with another one where names ignore capitals; they
        are counted. One that was kept in the list before stays, then the one in capitals."""
        now = set(listed)
        order = [*sorted(self._kept & now), *sorted(now - self._kept)]
        left_out = {twin for _, twin in twins(order)}
        for twin in sorted(left_out):
            self.add("symbol, but for capitals that of another", twin.symbol)
        self._kept = now - left_out
        return self._kept

    def tell(self) -> None:
        """End of the list: tell of the words that no list before has had, in one line a field."""
        for field, counts in self._counts.items():
            new = {word: count for word, count in counts.most_common() if (field, word) not in self._told}
            if new:
                self._telemetry.unknown(self._venue, field, new)
                self._told.update((field, word) for word in new)
        self._counts.clear()
