"""OKX swaps, live and experimental: books and trades on one connection, a book fetched anew by subscribing again.

Exchange documentation, "WS / Order book channel" (OKX API v5): the snapshot comes in the channel itself when it is
subscribed to. "Connect": 3 connects a second and address; "Get instruments": 20 requests in 2 s and address.

The change log announced in February 2026 that the channels would send no snapshot from August 2026 on. The
announcement of May 2026 speaks of the checksum alone, and captures of October 2026 begin with a snapshot. If it stops
coming, no book becomes known, which is told and recorded; `sources.live.snapshot_resync` is then the policy to use.
"""

from collections.abc import Mapping

from sources.clock import ClockBound
from sources.live.adapter import Limit, Poll
from sources.live.instrument_state import InstrumentState
from sources.live.instruments import Listing
from sources.live.recorder import Recorder
from sources.live.rest import Rest
from sources.live.resubscription import Resubscription
from sources.live.resync import Resync
from sources.live.words import Unknown
from sources.messages import BookMessage, Decoder
from sources.multiplier import Multiplier
from sources.sequencer import Sequencer
from sources.tape.batch import SNAPSHOT
from sources.venues.okx_swap import decoder, sequencer
from sources.venues.okx_swap.config import OkxSwapConfig
from sources.venues.okx_swap.instruments import instruments
from sources.venues.okx_swap.protocol import OkxProtocol


class OkxSwap:
    """`sources.live.adapter.VenueAdapter` of OKX's linear perpetual swaps."""

    name = "okx_swap"
    protocol = OkxProtocol()
    poll: Poll | None = None
    connects = Limit(3, 2.0)  # half of what the exchange allows
    requests = Limit(10, 2.0)  # half of what the exchange allows

    def __init__(self, config: OkxSwapConfig) -> None:
        self.rest = config.rest
        self.websockets = {"book": config.ws, "trade": config.ws}
        self.silence: Mapping[str, float] = {"book": config.book_silence}
        self._multipliers: dict[str, Multiplier] = {}  # by symbol; as the newest list says
        self._refused: dict[str, str] = {}

    async def instruments(self, rest: Rest, unknown: Unknown) -> list[Listing]:
        """The linear swaps settled in USDT that trade now."""
        listed = await instruments(rest, unknown)
        self._multipliers.update((s.instrument.symbol, Multiplier(s.multiplier)) for s in listed.listings)
        self._refused = listed.refused
        return listed.listings

    def refusal(self, symbol: str) -> str:
        """Why a swap that the exchange lists is not followed; empty if nothing is known of it."""
        return self._refused.get(symbol, "")

    def streams(self, symbol: str) -> dict[str, str]:
        """Names of an instrument's channels, by kind."""
        return {"book": f"books:{symbol}", "trade": f"trades:{symbol}"}

    def decoder(self, clock: ClockBound) -> Decoder:
        """The decoder of one connection."""
        return decoder.decoder(self._multipliers, clock)

    def sequencer(self) -> Sequencer:
        """The sequence rule of one book."""
        return sequencer.sequencer()

    def continues(self, before: BookMessage | None, message: BookMessage) -> bool:
        """A snapshot begins a chain; a delta names the message before it."""
        if message.kind == SNAPSHOT:
            return before is None
        return before is not None and message.previous == before.final

    def resync(self, state: InstrumentState, recorder: Recorder, rest: Rest) -> Resync:
        """By subscribing again."""
        return Resubscription(state)
