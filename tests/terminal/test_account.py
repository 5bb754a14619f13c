"""Paper trading on the terminal: position and equity in the table, open orders beside the book."""

import pytest

from tests.terminal.conftest import NAMES, Shown, on_screen
from tests.window.account import account
from window.tap import Tap
from window.terminal.account import Account

pytestmark = pytest.mark.slow


def test_the_account_is_in_the_table_and_its_open_orders_on_the_screen(market: Tap) -> None:
    account(market)

    async def look(shown: Shown) -> None:
        lines = [line.split() for line in shown.text().splitlines() if "USDT" in line]
        assert [line[5:7] for line in lines if line[0] in NAMES[:2]] == [["-1.5", "7.25"], ["–", "–"]]
        shown.app.table.sort("equity", True)
        await shown.press("home")
        assert shown.listed()[0] == NAMES[0]
        await shown.press("enter")
        assert "position -1.5  equity 7.25  fees 0  open orders 2  buy 2 at 98  sell 0.5 at 101" in shown.text()
        await shown.press("n")
        assert "position –  equity –  fees –  open orders 0" in shown.text()

    on_screen(market, look, size=(170, 40))


def test_a_run_without_an_account_has_no_room_for_one(market: Tap) -> None:
    async def look(shown: Shown) -> None:
        assert "position" not in shown.text()
        await shown.press("enter")
        assert "position" not in shown.text()
        assert "open orders" not in shown.text()

    on_screen(market, look, size=(170, 40))


def test_no_order_is_taken_twice(market: Tap) -> None:
    account(market)
    made = Account(market, NAMES[0])
    made.read()
    made.read()
    assert sorted(made.open) == [2, 3]
