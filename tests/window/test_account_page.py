"""Forecasts, derivatives, rules, orders and the account on the page, in a real browser, on rows that the test makes."""

from pathlib import Path

import numpy as np
import pytest

import tests.window.conftest
from operators.config import FeatureConfig
from operators.schema import column_row
from tests.window.account import account
from tests.window.chromium import chromium
from tests.window.conftest import BTC, MS, NOW, rows
from window.server import WindowServer
from window.tap import FEATURES, Tap

pytestmark = pytest.mark.slow

COLD = 127 - 2  # all warm but z-scores


def test_forecasts_orders_account_rules_and_derivatives(monkeypatch, tmp_path: Path) -> None:
    config = FeatureConfig(derivatives=True)
    monkeypatch.setattr(tests.window.conftest, "CONFIG", config)
    tap = Tap(config, lambda: NOW + 5000 * MS, {"run": "1", "mode": "paper", "speed": 1})
    features = rows(0, 50, restart=True)
    features.code[column_row(config, "warm"), :30] = COLD
    for name, value in (("mark_price", 100.2), ("funding_rate", 1e-4), ("funding_in", 7200), ("liquidation_5s", -0.5)):
        features.value[column_row(config, name)] = value
    tap.put(FEATURES, BTC, features)
    account(tap)
    server = WindowServer(tap, "127.0.0.1", 0)
    try:
        with chromium(tmp_path / "profile") as page:
            page.open(server.url)
            page.until("window.tickwax.store.of('predictions').length === 50")
            page.until("!document.getElementById('orders-panel').hidden")
            assert page.js("[...document.querySelectorAll('#orders tbody tr')].map((row) => row.innerText)") == [
                f"{time}\t{side}\t{price}\t{left}\t2"
                for time, side, price, left in (
                    ("00:00:01.2", "▲ buy", "98.0", "2"),
                    ("00:00:01.1", "▼ sell", "101.0", "0.5"),
                )
            ]
            assert page.text("#rules tbody tr").startswith("00:00:01.17scale42")
            assert page.text("#equity-panel .key").strip() == "equity, quote currency 7.25"
            derivatives = page.text("#derivatives")
            for told in (
                "mark price100.2",
                "funding rate0.0100 %",
                "next funding in2.0 h",
                "liquidated in 5s, base-0.5",
            ):
                assert told in derivatives
            # The axis has room for the forecast, and the forecast is there: violet ahead of the newest row.
            top = page.js("window.tickwax.panels.charts.price.plot.scales.y.max")
            assert top > 100 * np.exp(45e-5 * 2)
            violet = page.js(
                "(() => { const { plot } = window.tickwax.panels.charts.price; const at = plot.data[0].at(-1);"
                "const [x, y] = [plot.valToPos(at + 20000, 'x', true), plot.valToPos(100.05, 'y', true)];"
                "const [red, green, blue] = plot.ctx.getImageData(x, y, 1, 1).data; "
                "return blue > green && red > green; })()"
            )
            assert violet
            # What is over too few rows is said to be, and is no number in any table.
            assert page.js("window.tickwax.view.cold(2).map(([from, to]) => to - from)") == [2900]
            assert page.complaints() == []
            assert page.violations() == []
    finally:
        server.close()
