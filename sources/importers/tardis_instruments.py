"""Instruments of Tardis.dev's files, by number."""


class Instruments:
    """Exchanges and symbols that were met, by number."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._cut_levels: dict[int, int] = {}

    def number(self, exchange: bytes, symbol: bytes) -> int:
        """The number of an instrument; a new one if it is new."""
        name = exchange.decode("utf-8", "replace"), symbol.decode("utf-8", "replace")
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def cut(self, number: int, levels: int) -> None:
        """Note that a file has books of an instrument that are cut to so many levels a side."""
        self._cut_levels[number] = min(levels, self._cut_levels.get(number, levels))

    def cut_levels(self, number: int) -> int:
        """As of `InstrumentBatch`; of several files the fewest."""
        return self._cut_levels.get(number, 0)
