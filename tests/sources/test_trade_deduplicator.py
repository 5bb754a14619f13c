"""Prints by number and by name: repeated, missing, numbered anew, numbered beyond belief."""

from sources.messages import TradeMessage
from sources.trade_deduplicator import TradeDeduplicator


def trade(number: int, name: str = "", ts: int | None = None) -> TradeMessage:
    return TradeMessage("X", number if ts is None else ts, 0, number, 1, 1.0, 1.0, name)


def verdicts(t: TradeDeduplicator, *trades: TradeMessage) -> list[str]:
    """``new``, ``repeated`` or what is missing, of each."""
    judged = [t.judge(message) for message in trades]
    return ["repeated" if v.repeated else v.loss or "new" for v in judged]


def test_by_number() -> None:
    t = TradeDeduplicator()
    got = verdicts(t, *(trade(n) for n in (5, 6, 6, 5, 9, 10)))
    assert got == ["new", "new", "repeated", "repeated", "2 trades missing", "new"]
    t.excuse()
    assert verdicts(t, trade(12), trade(14)) == ["new", "1 trades missing"]
    t.excuse()
    assert verdicts(t, trade(17)) == ["2 trades missing"]


def test_by_name() -> None:
    t = TradeDeduplicator()
    assert verdicts(t, *(trade(7, n) for n in ("a", "b", "a", "c"))) == ["new", "new", "repeated", "new"]
    for n in range(3000):
        assert verdicts(t, trade(7, str(n))) == ["new"]
    assert len(t._names) == 2048
    assert not t.knows(trade(7, "a"))


def test_a_number_beyond_belief_is_recorded_and_not_followed() -> None:
    t = TradeDeduplicator()
    far = trade(2**63 - 1, ts=103)
    got = verdicts(t, trade(100), trade(101), trade(102), far, trade(103), trade(104))
    assert got == ["new"] * 6


def test_the_first_number_may_be_beyond_belief() -> None:
    t = TradeDeduplicator()
    got = verdicts(t, trade(2**63 - 1, ts=99), *(trade(n) for n in range(100, 106)))
    assert got == ["new", "new", "new", "trades are numbered anew", "new", "new", "new"]
    assert verdicts(t, trade(104), trade(107)) == ["repeated", "1 trades missing"]


def test_an_instrument_that_is_listed_again_counts_anew() -> None:
    """Its prints have old numbers and newer times, so they repeat nothing."""
    t = TradeDeduplicator()
    verdicts(t, *(trade(n) for n in range(500_000, 500_010)))
    again = [trade(n, ts=600_000 + n) for n in range(1, 7)]
    assert verdicts(t, *again) == ["new", "new", "trades are numbered anew", "new", "new", "new"]
    assert verdicts(t, again[-1], trade(9, ts=600_100)) == ["repeated", "2 trades missing"]


def test_numbers_far_ahead_are_followed_when_a_few_agree() -> None:
    t = TradeDeduplicator()
    got = verdicts(t, trade(10), *(trade(n) for n in range(9_000_000, 9_000_005)))
    assert got == ["new", "new", "new", "trades are numbered anew", "new", "new"]


def test_a_hole_of_an_hour_is_told_in_numbers() -> None:
    t = TradeDeduplicator()
    assert verdicts(t, trade(10), trade(900_010)) == ["new", "899999 trades missing"]
