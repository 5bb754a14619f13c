"""What a simulated exchange is made with."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.venue import SimulatedVenue
from sources.instrument import Instrument


@dataclass(frozen=True)
class SimulatorConfig:
    """One simulated exchange.

    Raises:
        ValueError: a value is outside its range; the text begins with its name.
    """

    venues: Mapping[str, SimulatedVenue]  # by name
    instruments: tuple[Instrument, ...] = ()
    seed: int = 7
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    events_per_second: float = 500.0  # of each instrument; about 7 % of them become prints
    faults_per_minute: float = 0.0  # at random, from the seed
    contract_types: tuple[tuple[Instrument, str], ...] = ()  # listed with another `contractType` than the exchange's
    strange_names: tuple[str, ...] = ()  # symbols that stand in the lists, of no market
    clock_offset_s: float = 0.0  # by how much the exchange's clock is ahead of the one that the simulator is given
    truth_rows: int = 2_000_000  # level changes that are remembered, over all instruments
    log_messages: int = 300_000  # sent messages that are remembered

    def __post_init__(self) -> None:
        def need(holds: bool, text: str) -> None:
            if not holds:
                raise ValueError(text)

        strangers = [str(i) for i in self.instruments if i.venue not in self.venues]
        need(not strangers, f"instruments: {strangers} are at no simulated venue: {', '.join(self.venues)}")
        need(len(set(self.instruments)) == len(self.instruments), "instruments: one stands twice")
        captures = [path for venue in self.venues.values() for path in venue.captures]
        need(bool(self.instruments or captures), "instruments: none, and no capture to play")
        need(0 <= self.port <= 65535, f"port: {self.port} is outside 0 to 65535")
        need(1 <= self.events_per_second <= 1e5, f"events_per_second: {self.events_per_second} is outside 1 to 10**5")
        need(abs(self.clock_offset_s) <= 1e9, f"clock_offset_s: {self.clock_offset_s} is no offset of a clock")
        need(self.faults_per_minute >= 0, f"faults_per_minute: {self.faults_per_minute} is negative")
