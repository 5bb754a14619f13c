import json
import os
import sys
import tomllib
import traceback
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main
from typer.testing import CliRunner

from dataflows.command_line.jobs.settings import effective
from dataflows.command_line.verbs import app
from dataflows.settings.flags import as_written, settings_of
from dataflows.settings.instants import Instant
from dataflows.settings.layers import leaves
from dataflows.settings.model import Settings, load_settings
from operators.config import FeatureConfig
from sources.durations import Duration
from sources.errors import TickwaxError
from tests.commands import run, tickwax
from tests.dataflows.test_replay import told

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch):
    for name in [n for n in os.environ if n.startswith("TICKWAX_")]:
        monkeypatch.delenv(name)


def config(monkeypatch, folder, text):
    path = folder / "tickwax.toml"
    path.write_text(text)
    monkeypatch.setenv("TICKWAX_CONFIG", str(path))
    return path


def test_every_key_and_its_default():
    lines = [line.removeprefix("# ") for line in effective(load_settings())]
    shown = tomllib.loads("\n".join(lines))
    assert shown == {
        "symbols": ["binance_futures:BTCUSDT", "bybit_linear:BTCUSDT"],
        "duration": "",
        "horizons": ["1s", "5s", "30s"],
        "stalled_after": "30s",
        "venues": {
            "binance_futures": {
                "public_ws": "wss://fstream.binance.com/public",
                "market_ws": "wss://fstream.binance.com/market",
                "rest": "https://fapi.binance.com",
            },
            "bybit_linear": {
                "ws": "wss://stream.bybit.com/v5/public/linear",
                "rest": "https://api.bybit.com",
                "depth": 200,
            },
            "okx_swap": {"ws": "wss://ws.okx.com:8443/ws/v5/public", "rest": "https://www.okx.com"},
        },
        "network": {"proxy": ""},
        "tape": {
            "path": "data/tape",
            "topic": "",
            "follow": False,
            "foreign": "skip",
            "derivatives": True,
            "compression": "snappy",
        },
        "journal": {"rotate_after": "1h", "rotate_mb": 1024, "sync_after": "10s"},
        "features": {
            "path": "data/features",
            "overwrite": False,
            "sampling": "100ms",
            "windows": ["100ms", "1s", "5s", "30s"],
            "depths": [1, 5, 10, 20],
            "ofi": "cont",
            "zscore_window": 1000,
            "max_hold": "60s",
            "price_d": 0.4,
            "volume_d": 0.5,
            "d_file": "",
            "ffd_threshold": 1e-5,
            "fdi_window": 30,
            "fdi_interval": "1s",
            "fdi_method": "variogram",
            "volatility_window": 100,
            "integrated_ofi": 0,
            "unknown": "nan",
            "normalised": False,
            "derivatives": False,
        },
        "books": {"path": ""},
        "kafka": {
            "bootstrap": "",
            "topic": "tickwax.features",
            "format": "json",
            "compression": "none",
            "buffer_mb": 64,
            "deadline": "30s",
            "linger": "20ms",
            "security": {
                "protocol": "PLAINTEXT",
                "mechanism": "",
                "username": "",
                "password": "",
                "ca_file": "",
                "cert_file": "",
                "key_file": "",
                "key_password": "",
                "check_hostname": True,
            },
        },
        "replay": {"start": "", "end": ""},
        "optimal_d": {
            "path": "data/optimal_d.parquet",
            "sampling": "",
            "price": "mid",
            "pvalue": 0.05,
            "step": 0.05,
            "tolerance": 0.001,
            "start": "",
            "train_until": "",
            "plot": "",
        },
        "execution": {
            "queue": "power",
            "queue_power": 3,
            "latency_entry": "10ms",
            "latency_response": "10ms",
            "latency_file": "",
            "maker": 2.0,
            "taker": 5.0,
            "fees": {"bybit_linear": {"maker": 2.0, "taker": 5.5}},
            "grids": {},
            "grid_file": "",
            "one_clock": False,
            "max_position": "",
            "max_order": "",
        },
        "strategy": {"name": ""},
        "backtest": {"path": "data/backtest", "orders": "", "overwrite": False},
        "paper": {"path": "data/paper"},
        "label": {"latency": "0ms"},
        "barrier": {"horizon": "30s", "width": 1.0, "prices": "mid"},
        "dataset": {"path": "data/dataset", "columns": [], "overwrite": False},
        "train": {
            "model": "ridge",
            "path": "data/model",
            "overwrite": False,
            "columns": [],
            "validate_by": "holdout",
            "holdout": 0.2,
            "calibration": 0.2,
            "embargo": "0s",
            "blocks": 6,
            "test_blocks": 2,
            "seed": 0,
            "threads": 1,
            "penalty": 0.01,
            "rounds": 40,
            "leaves": 15,
            "learning_rate": 0.1,
            "least_in_leaf": 100,
            "classes": False,
            "width": 16,
            "heads": 4,
            "window": 100,
            "epochs": 30,
            "patience": 5,
            "stretch": 200,
            "batch": 8,
            "step_size": 0.003,
            "decay": 0.01,
            "dropout": 0.1,
            "mc_samples": 16,
            "held": 0.15,
        },
        "agent": {
            "step": "1s",
            "size": "",
            "reward": "pnl",
            "eta": 0.01,
            "episode": 300,
            "members": 3,
            "steps": 20000,
            "cvar": 0.25,
            "doubt": "",
            "max_epistemic": 0.95,
            "discount": 0.9,
            "hidden": [64, 64],
            "quantiles": 32,
            "kappa": 0.1,
            "n_step": 1,
            "prioritised": False,
            "batch": 64,
            "learning_rate": 0.001,
        },
        "placement": {
            "method": "",
            "model": "",
            "step": "250ms",
            "deadline": "10s",
            "simulations": 500,
            "tapes": [],
            "size": "",
        },
        "ui": {"on": False, "host": "127.0.0.1", "port": 8700, "speed": 1.0},
        "predict": {"model": "", "path": "data/predictions", "topic": "tickwax.predictions", "in_sample": False},
        "rules": {
            "store": "",
            "version": "",
            "nearest": 8,
            "server": "",
            "reflector": "statistics",
            "proposals": 10,
            "holdout": 0.5,
            "embargo": "60s",
            "level": 0.05,
            "min_episodes": 30,
            "llm": {
                "base_url": "",
                "model": "",
                "key": "",
                "timeout": "60s",
                "attempts": 3,
                "most_tokens": 4096,
                "budget_tokens": 200000,
                "budget_money": 0.0,
                "price_in": 0.0,
                "price_out": 0.0,
            },
        },
    }


def test_the_defaults_are_those_of_the_operators():
    assert load_settings().feature_config() == FeatureConfig()


def test_later_sources_win_key_by_key(monkeypatch, tmp_path):
    config(monkeypatch, tmp_path, '[features]\nofi = "depth"\nfdi_window = 40\nvolatility_window = 50\n')
    monkeypatch.setenv("TICKWAX_FEATURES__FDI_WINDOW", "41")
    monkeypatch.setenv("TICKWAX_FEATURES__VOLATILITY_WINDOW", "51")
    features = load_settings({"features.volatility_window": 52, "features.ofi": None}).features
    assert (features.ofi, features.fdi_window, features.volatility_window) == ("depth", 41, 52)
    assert features.zscore_window == 1000


def test_the_environment_holds_lists_and_groups_as_json(monkeypatch):
    monkeypatch.setenv("TICKWAX_SYMBOLS", '["bybit_linear:*", "binance_spot:ETHUSDT"]')
    monkeypatch.setenv("TICKWAX_FEATURES", '{"ofi": "depth", "fdi_window": 40}')
    monkeypatch.setenv("TICKWAX_FEATURES__FDI_WINDOW", "41")
    settings = load_settings()
    assert settings.symbols == ("bybit_linear:*", "binance_spot:ETHUSDT")
    assert (settings.features.ofi, settings.features.fdi_window) == ("depth", 41)


def test_one_can_tell_whether_the_user_named_the_instruments(monkeypatch):
    assert "symbols" not in load_settings().model_fields_set
    monkeypatch.setenv("TICKWAX_SYMBOLS", '["binance_futures:BTCUSDT", "bybit_linear:BTCUSDT"]')
    assert "symbols" in load_settings().model_fields_set


def test_empty_texts_turn_off(monkeypatch):
    for name in ("TAPE__PATH", "FEATURES__PATH", "BOOKS__PATH", "FEATURES__D_FILE", "DURATION", "REPLAY__START"):
        monkeypatch.setenv(f"TICKWAX_{name}", "")
    s = load_settings()
    assert [s.tape.path, s.features.path, s.books.path, s.features.d_file, s.duration, s.replay.start] == [None] * 6


def test_window_columns_keep_the_configured_text():
    config = load_settings({"features.windows": ["1500ms", "1m"], "features.sampling": "update"}).feature_config()
    assert config.windows == (("1500ms", 1_500_000_000), ("1m", 60_000_000_000))
    assert config.sampling_ns == 0


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1ns", 1),
        ("7us", 7_000),
        ("100ms", 100_000_000),
        ("1.5s", 1_500_000_000),
        ("0.000000001s", 1),
        ("2m", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("1d", 86_400_000_000_000),
    ],
)
def test_durations(text, ns):
    assert Duration.parse(text) == Duration(text, ns)


@pytest.mark.parametrize(
    "text", ["", "1", "s", "-1s", "0s", "1 s", "1S", "0.5ns", "1e3s", ".5s", "١s", "36501d", "inf", 5, None, True]
)
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match=r"nanoseconds|duration"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("2026-01-05T00:00:00Z", 1_767_571_200_000_000_000),
        ("2026-01-05", 1_767_571_200_000_000_000),
        ("2026-01-05 01:00+01:00", 1_767_571_200_000_000_000),
        ("2026-01-05T00:00:00.123456789Z", 1_767_571_200_123_456_789),
        ("1970-01-01T00:00:00.5", 500_000_000),
        (tomllib.loads("t = 2026-01-05T00:00:00.25Z")["t"], 1_767_571_200_250_000_000),
        (tomllib.loads("t = 2026-01-05")["t"], 1_767_571_200_000_000_000),
    ],
)
def test_times(value, ns):
    assert Instant.parse(value).ns == ns


@pytest.mark.parametrize(
    "value", ["", "now", "2026-13-01", "1969-12-31", "2300-01-01", "2026-01-05T00:00:00.1234567891", 5]
)
def test_what_is_no_time(value):
    with pytest.raises(ValueError, match=r"ISO 8601|outside"):
        Instant.parse(value)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("features.zscore_window", "1", "features.zscore_window: 1 is outside 2 to 1000000"),
        ("features.zscore_window", "a", "features.zscore_window: 'a' is not a whole number"),
        ("features.fdi_window", "2", "features.fdi_window: 2 is outside 3 to 1000000"),
        ("features.volatility_window", "1", "features.volatility_window: 1 is outside 2 to 1000000"),
        ("features.price_d", "nan", "features.price_d: nan is outside 0 to 2"),
        ("features.overwrite", "perhaps", "features.overwrite: 'perhaps' is not true or false"),
        ("features.ofi", "x", "features.ofi: 'x' is not one of cont, depth"),
        ("features.fdi_method", "x", "features.fdi_method: 'x' is not one of variogram, madogram, sevcik, chord"),
        ("features.windows", '["1x"]', "features.windows: '1x' is not a duration: a count and a unit of "),
        ("features.windows", '["1s","1000ms"]', "features.windows: '1s' and '1000ms' are one length; name it once"),
        ("features.windows", "1s", "features.windows: '1s' is not a JSON list"),
        ("features.depths", "[1.5]", "features.depths: 1.5 is not a whole number"),
        ("features.depths", "[5,1]", "features.depths: [5, 1] must rise strictly"),
        (
            "features.fdi_interval",
            "150ms",
            "features.fdi_interval: '150ms' is no multiple of features.sampling, '100ms'",
        ),
        (
            "features.sampling",
            "2s",
            "features.sampling: features.fdi_interval, '1s', is no multiple of '2s'; set features.fdi_interval to",
        ),
        ("features.windows", '["36501d"]', "features.windows: '36501d' is not a duration above 0 and up to 36500d"),
        (
            "features.sampling",
            "1ns",
            "features.sampling: a hole as long as features.max_hold, 60s, makes 60,000,000,000 rows of 1ns, 31,680",
        ),
        (
            "features.max_hold",
            "30d",
            "features.max_hold: a hole as long as features.max_hold, 30d, makes 25,920,000 rows",
        ),
        (
            "features",
            f'{{"zscore_window": 1000000, "depths": {list(range(1, 33))}}}',
            "features.zscore_window: 1000000 rows of 128 windows and depths take 1.0 GB an instrument; at most 1 GB",
        ),
        ("features.zscore_window", "1" * 400, "features.zscore_window: a whole number beyond 64 bits is not allowed"),
        ("features.windows", '["' + "0." + "9" * 5000 + 's"]', "features.windows: '0.9999"),
        ("features.sampling", "often", "features.sampling: 'often' is not a duration: "),
        ("features.windws", "1", "features.windws: unknown key; did you mean windows?"),
        ("features", "3", "features: '3' is not a JSON object"),
        ("qwxyz", "1", "qwxyz: unknown key; known here: symbols, duration, "),
        ("symbols", "[]", "symbols: [] is empty; at least one"),
        ("symbols", '["BTCUSDT"]', "symbols: 'BTCUSDT' is not an instrument: venue:SYMBOL"),
        ("symbols", '["a:B","a:B"]', "symbols: 'a:B' stands twice"),
        ("symbols", '["a:B","a:b"]', "symbols: 'a:B' and 'a:b' share a folder where names ignore capitals"),
        ("symbols", f'["a:{"B" * 241}"]', f"symbols: 'a:{'B' * 78}'… (243 characters) is not an instrument: "),
        ("symbols", r'["a:B\u0000"]', r"symbols: 'a:B\x00' is not an instrument: "),
        ("symbols", r'["a:B\u202eC"]', r"symbols: 'a:B\u202eC' is not an instrument: "),
        ("tape.compression", "bz2", "tape.compression: 'bz2' is not a codec of Parquet: snappy, "),
        ("venues.bybit_linear.depth", "3", "venues.bybit_linear.depth: 3 is not one of 1, 50, 200, 1000"),
        (
            "venues.bybit_linear.ws",
            "http://x",
            "venues.bybit_linear.ws: 'http://x' is not an address of the form wss://",
        ),
        ("venues.binance_futures.rest", "https://x:99999", "venues.binance_futures.rest: 'https://x:99999' is not an "),
        ("kafka.bootstrap", "broker", "kafka.bootstrap: 'broker' is not a list of brokers: host:port"),
        ("kafka.topic", "..", "kafka.topic: '..' is not a topic"),
        ("kafka.buffer_mb", "0", "kafka.buffer_mb: '0'"),
        ("kafka.format", "avro", "kafka.format: 'avro' is not one of json, arrow"),
        ("placement.method", "x", "placement.method: 'x' is not one of empty, take, peg, twap, dp, mcts"),
        (
            "kafka.security.protocol",
            "SASL_SSL",
            "kafka.security.mechanism: '' does not go with kafka.security.protocol",
        ),
        ("duration", "60", "duration: '60' is not a duration: "),
        ("replay.start", "yesterday", "replay.start: 'yesterday' is not an ISO 8601 time"),
        ("features.path", "data/../data/tape", "features.path: 'data/../data/tape' is also tape.path"),
    ],
)
def test_one_line_names_key_value_and_what_is_allowed(monkeypatch, key, value, line):
    monkeypatch.setenv("TICKWAX_" + key.upper().replace(".", "__"), value)
    with pytest.raises(TickwaxError) as caught:
        load_settings()
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_stretch_of_replay_ends_after_it_starts():
    with pytest.raises(TickwaxError, match=r"replay\.start: '2026-01-02' is not before replay\.end, '2026-01-01'"):
        load_settings({"replay.start": "2026-01-02", "replay.end": "2026-01-01"})


def test_numbers_are_not_booleans():
    with pytest.raises(TickwaxError, match=r"features\.price_d: true is not a number"):
        load_settings({"features.price_d": True})


@pytest.mark.parametrize("codec", ["snappy", "ZSTD", "gzip", "brotli", "lz4", "none"])
def test_every_codec_of_parquet(codec):
    assert load_settings({"tape.compression": codec}).tape.compression == codec.lower()


def test_local_addresses_of_a_test_are_taken():
    s = load_settings({"venues.bybit_linear.ws": "ws://127.0.0.1:9/x/", "venues.bybit_linear.rest": "http://[::1]:9"})
    assert (s.venues.bybit_linear.ws, s.venues.bybit_linear.rest) == ("ws://127.0.0.1:9/x", "http://[::1]:9")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[features\n", "is not TOML: .*line 1"),
        ("nosuch = 1\n", "nosuch: unknown key"),
        ("[features]\nnosuch = 1\n", r"features\.nosuch: unknown key"),
        ("features = 1\n", "features: 1 is not a table of keys"),
        ('[features]\nwindows = "1s"\n', r"features\.windows: '1s' is not a list \(in .*tickwax\.toml\)$"),
        ('[Features]\nofi = "depth"\n', r"^Features: unknown key; did you mean features\? \(in .*tickwax\.toml\)$"),
        ('[FEATURES]\nofi = "depth"\n', r"^FEATURES: unknown key; did you mean features\?"),
        ('[features]\nofi = "cont"\n[Features]\nofi = "depth"\n', r"^Features: unknown key; did you mean features\?"),
        ('[features]\nOfi = "depth"\n', r"^features\.Ofi: unknown key; did you mean ofi\?"),
        ("[venues.Bybit_Linear]\ndepth = 50\n", r"^venues\.Bybit_Linear: unknown key; did you mean bybit_linear\?"),
        ('Symbols = ["bybit_linear:*"]\n', r"^Symbols: unknown key; did you mean symbols\?"),
        ("[features]\nfdi_window = 1" + "0" * 5000 + "\n", "is not TOML: "),
        ("a = " + "[" * 5000, "is not TOML: "),
    ],
)
def test_a_bad_file(monkeypatch, tmp_path, text, words):
    config(monkeypatch, tmp_path, text)
    with pytest.raises(TickwaxError, match=words) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_a_file_may_begin_with_a_byte_order_mark(monkeypatch, tmp_path):
    config(monkeypatch, tmp_path, "\ufeff[features]\nfdi_window = 12\n")
    assert load_settings().features.fdi_window == 12


def test_a_file_that_cannot_be_read_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TICKWAX_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(TickwaxError, match=r"none\.toml: No such file"):
        load_settings()
    config(monkeypatch, tmp_path, "").write_bytes(b"\xff")
    with pytest.raises(TickwaxError, match=r"tickwax\.toml is not UTF-8"):
        load_settings()


def test_only_live_venues_can_be_connected_to():
    settings = load_settings({"symbols": ["bybit_linear:*", "binance_futures:BTCUSDT"]})
    assert [str(i) for i in settings.live_symbols()] == ["bybit_linear:*", "binance_futures:BTCUSDT"]
    with pytest.raises(TickwaxError, match="symbols: 'binance_spot:BTCUSDT' is not at a live venue: binance_futures"):
        load_settings({"symbols": ["binance_spot:BTCUSDT"]}).live_symbols()


def test_the_settings_verb_names_sources_and_reads_back(monkeypatch, tmp_path):
    config(monkeypatch, tmp_path, 'symbols = ["a:B"]\n[features]\nfdi_window = 40\n[tape]\npath = "a \\"b\\\\c"\n')
    monkeypatch.setenv("TICKWAX_FEATURES__FFD_THRESHOLD", "1e-4")
    monkeypatch.setenv("TICKWAX_FEATURES__FDI_WINDOW", "41")
    settings = load_settings()
    lines = list(effective(settings))
    assert "fdi_window = 41  # environment" in lines
    assert 'symbols = ["a:B"]  # file' in lines
    assert '# ofi = "cont"  # default' in lines  # as a comment: symbols that are set mean something else than a default
    monkeypatch.delenv("TICKWAX_FEATURES__FFD_THRESHOLD")
    monkeypatch.delenv("TICKWAX_FEATURES__FDI_WINDOW")
    config(monkeypatch, tmp_path, "\n".join(lines))
    assert load_settings() == settings
    assert sum(" = " in line for line in lines) == len(list(leaves(Settings)))


def test_a_dataflow_that_starts_with_bad_settings_exits_with_2():
    command = [sys.executable, "-c", "import dataflows.replay"]
    done = run(command, cwd=ROOT, env=os.environ | {"TICKWAX_FEATURES__ZSCORE_WINDOW": "1"})
    assert done.returncode == 2
    assert done.stderr == (
        "tickwax: features.zscore_window: 1 is outside 2 to 1000000 (TICKWAX_FEATURES__ZSCORE_WINDOW)\n"
    )


class TestVariables:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("TICKWAX_METRICS_PORT", "tcp://10.0.0.1:80"),
            ("TICKWAX_METRICS_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("TICKWAX_METRICS_PORT_80_TCP_PROTO", "tcp"),
            ("TICKWAX_METRICS_PORT_80_TCP_PORT", "80"),
            ("TICKWAX_METRICS_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("TICKWAX_METRICS_SERVICE_HOST", "10.0.0.1"),
            ("TICKWAX_METRICS_SERVICE_PORT", "80"),
            ("TICKWAX_METRICS_SERVICE_PORT_HTTP_API", "80"),
            ("TICKWAX_PORT", "udp://10.0.0.1:53"),
            ("TICKWAX_SERVICE_HOST", "fd00::1"),
            ("TICKWAX_PORT_53_UDP", "udp://[fd00::1]:53"),
            ("TICKWAX_A__B_PORT", "sctp://10.0.0.1:1"),
        ],
    )
    def test_links_of_kubernetes_are_no_settings(self, monkeypatch, name, value):
        expected = load_settings()
        monkeypatch.setenv(name, value)
        assert load_settings() == expected

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("TICKWAX_METRICS_PORT", "9000"),
            ("TICKWAX_METRICS_PORT", "tcp://10.0.0.1:80/path"),
            ("TICKWAX_METRICS_PORT", "http://10.0.0.1:80"),
            ("TICKWAX_METRICS_SERVICE_HOST", "localhost"),
            ("TICKWAX_METRICS_SERVICE_PORT", "http"),
            ("TICKWAX_METRICS_PORTS", "tcp://10.0.0.1:80"),
            ("TICKWAX_FEATURES__SERVICE_HOSTS", "10.0.0.1"),
        ],
    )
    def test_what_only_looks_like_one_is_refused(self, monkeypatch, name, value):
        monkeypatch.setenv(name, value)
        with pytest.raises(TickwaxError, match=rf"unknown key; .*\({name}\)$"):
            load_settings()

    def test_the_manifest_asks_for_none(self):
        text = (ROOT / "docker/k8s/tickwax.yaml").read_text()
        assert text.count("\n      enableServiceLinks: false\n") == text.count("\n    spec:\n") == 1

    def test_one_key_is_set_once(self, monkeypatch):
        monkeypatch.setenv("TICKWAX_FEATURES__OFI", "cont")
        monkeypatch.setenv("TICKWAX_Features__Ofi", "depth")
        with pytest.raises(TickwaxError, match=r"^features.ofi: set by TICKWAX_FEATURES__OFI and by TICKWAX_Features_"):
            load_settings()

    @pytest.mark.parametrize(
        ("value", "line"),
        [
            ('{"Ofi": "depth"}', r"features\.Ofi: unknown key; did you mean ofi\? \(TICKWAX_FEATURES\)$"),
            ('{"ofi": "cont", "ofi": "depth"}', r"features: 'ofi' stands twice \(TICKWAX_FEATURES\)$"),
            ('{"ofi": "x"}', r"features\.ofi: 'x' is not one of cont, depth \(TICKWAX_FEATURES\)$"),
            ("[" * 100_000, r"features: the text is not a JSON object \(TICKWAX_FEATURES\)$"),
        ],
    )
    def test_groups_as_json_are_read_as_strictly(self, monkeypatch, value, line):
        monkeypatch.setenv("TICKWAX_FEATURES", value)
        with pytest.raises(TickwaxError, match=f"^{line}"):
            load_settings()

    def test_a_group_in_one_place_is_no_value_in_another(self, monkeypatch, tmp_path):
        config(monkeypatch, tmp_path, "features = 1\n")
        monkeypatch.setenv("TICKWAX_FEATURES__OFI", "depth")
        with pytest.raises(TickwaxError, match="features: set to a single value in one place, to a table of keys in"):
            load_settings()


SECRET = "s3cr/et p@ss'word"


@pytest.mark.parametrize("key", ["kafka.security.password", "kafka.security.key_password"])
@pytest.mark.parametrize(
    "form", ["{0}", '"{0}', '["{0}"]', '{{"x": "{0}"}}', '{{"password": "{0}"', '{{"password": ["{0}"]}}', "12345678"]
)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.filterwarnings("error")
def test_a_secret_is_never_shown_however_it_is_written(monkeypatch, tmp_path, key, form, depth):
    """At every level, from the group of all of Kafka to a key below the secret; in a variable and in a file."""
    text = form.format(SECRET)
    parts = [*key.split("."), "x"][:depth]
    monkeypatch.setenv("TICKWAX_" + "__".join(parts).upper(), text)
    hidden = ["12345678" if form == "12345678" else SECRET]
    assert_hidden(hidden)
    monkeypatch.delenv("TICKWAX_" + "__".join(parts).upper())
    for value in (json.dumps(text), json.dumps([text]), "12345678", f"{{x = {json.dumps(text)}}}"):
        config(monkeypatch, tmp_path, f"{'.'.join(parts)} = {value}\n")
        assert_hidden([SECRET, "12345678"])


def assert_hidden(secrets):
    try:
        said = "\n".join(effective(load_settings()))
    except TickwaxError as e:
        said = "".join(traceback.format_exception(e))
    assert not [secret for secret in secrets if secret in said or repr(secret)[1:-1] in said], said


@pytest.mark.parametrize("user", ["me:secret", "secret", "me:se/secret", "me:s@secret", "me:it's secret", "m e:secret"])
@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("venues.bybit_linear.ws", "wss://{}@host/v5"),
        ("venues.bybit_linear.ws", "http://{}@host"),
        ("venues.bybit_linear.rest", "https://{}@host:99999"),
        ("venues.binance_futures.rest", "https://{}@"),
        ("venues.binance_futures.rest", "{}@host"),
        ("venues.binance_futures.rest", "https://host?token={}"),
        ("kafka.bootstrap", "{}@broker:9092"),
        ("kafka.bootstrap", "kafka://{}@broker:9092"),
        ("venues", '{{"bybit_linear": {{"ws": "wss://{}@host"}}}}'),
        ("venues.bybit_linear", '{{"ws": ["wss://{}@host"]}}'),
        ("venues.bybit_linear", '{{"ws": "wss://{}@host"'),
        ("kafka", '{{"bootstrap": ["{}@broker:9092"]}}'),
    ],
)
def test_what_an_address_holds_beside_the_host_is_never_shown(monkeypatch, key, form, user):
    monkeypatch.setenv("TICKWAX_" + key.upper().replace(".", "__"), form.format(user))
    assert_hidden(["secret"])


def test_settings_that_hold_a_secret_are_shown_as_a_comment(monkeypatch):
    monkeypatch.setenv("TICKWAX_KAFKA__SECURITY__PASSWORD", "secret")
    monkeypatch.setenv("TICKWAX_VENUES__BYBIT_LINEAR__WS", "wss://me:secret@host/v5")
    lines = list(effective(load_settings()))
    assert '# password = "**********"  # environment; not shown' in lines
    assert '# ws = "wss://***@host/v5"  # environment; not shown' in lines


def test_the_log_of_a_live_run_shows_no_secret(capsys, monkeypatch):
    from dataflows.runtime.metrics import LiveTelemetry

    monkeypatch.setattr(sys, "stderr", sys.stdout)
    LiveTelemetry().connected("bybit_linear", "wss://me:secret@host/v5?streams=btcusdt@depth@0ms", 3)
    LiveTelemetry().disconnected("bybit_linear", "wss://host/v5", "cannot connect to wss://me:secret@host/v5")
    out = capsys.readouterr().out
    assert "wss://***@host/v5?streams=btcusdt@depth@0ms" in out
    assert "cannot connect to wss://***@host/v5" in out
    assert "secret" not in out


@pytest.mark.slow
class TestCommandLine:
    @pytest.fixture
    def here(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        for name, window in (("tickwax.toml", 11), ("variable.toml", 12), ("flag.toml", 13)):
            (tmp_path / name).write_text(f"[features]\nfdi_window = {window}\n")
        return tmp_path

    def run(self, *arguments):
        done = tickwax(*arguments)
        return done.returncode, done.stdout, done.stderr

    def test_which_file_is_read(self, here, monkeypatch):
        code, out, err = self.run("settings")
        assert (code, "fdi_window = 11  # file" in out, err) == (0, True, f"tickwax: settings: {here}/tickwax.toml\n")
        monkeypatch.setenv("TICKWAX_CONFIG", "variable.toml")
        code, out, err = self.run("settings")
        assert (code, "fdi_window = 12  # file" in out, err) == (0, True, "")
        for words in (("settings", "--config", "flag.toml"), ("--config", "flag.toml", "settings")):
            code, out, err = self.run(*words)
            assert (code, "fdi_window = 13  # file" in out, err) == (0, True, "")
        monkeypatch.setenv("TICKWAX_FEATURES__FDI_WINDOW", "14")
        assert "fdi_window = 14  # environment" in self.run("settings", "--config", "flag.toml")[1]
        monkeypatch.delenv("TICKWAX_FEATURES__FDI_WINDOW")
        monkeypatch.setenv("TICKWAX_CONFIG", "")
        code, out, err = self.run("settings")
        assert (code, "# fdi_window = 30  # default" in out, err) == (0, True, "")

    def test_a_message_names_who_set_it(self, here, monkeypatch):
        (here / "tickwax.toml").write_text("[features]\nofi = 'x'\n")
        line = "tickwax: features.ofi: 'x' is not one of cont, depth (in ./tickwax.toml)"
        assert self.run("replay") == (2, "", f"tickwax: settings: {here}/tickwax.toml\n{line}\n")
        code, _, err = self.run("replay", "--config", "none.toml")
        assert (code, err) == (2, "tickwax: --config: cannot read none.toml: No such file or directory\n")

    def test_a_flag_that_was_not_given_takes_no_blame(self, monkeypatch):
        monkeypatch.setenv("TICKWAX_FEATURES__SAMPLING", "often")
        _, _, err = self.run("replay", "--depths", "1")
        assert err.startswith("tickwax: features.sampling: 'often' is not a duration")
        assert err.endswith(" (TICKWAX_FEATURES__SAMPLING)\n")

    def test_advice_is_a_flag_where_there_is_one(self):
        settings_of({"--overwrite": ("features.overwrite", None), "--d-file": ("features.d_file", "d")})
        assert as_written("features.path: f holds rows; set features.overwrite=true") == (
            "features.path: f holds rows; set --overwrite"
        )
        settings_of({})
        assert as_written("set features.overwrite=true") == "set features.overwrite=true"

    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["replay", "--windows", "1s,5q"], "--windows: '5q' is not a duration"),
            (["replay", "--depths", "5,1"], "--depths: [5, 1] must rise strictly"),
            (["replay", "--sampling", "300ms"], "--sampling: features.fdi_interval, '1s', is no multiple of '300ms'; "),
            (["replay", "--start", "2026-01-02", "--end", "2026-01-01"], "--start: '2026-01-02' is not before --end, "),
            (["features", "--d-file", "."], "--d-file: .: is a folder; a Parquet file is needed"),
            (["live", "--depths", "1,x"], "--depths: 'x' is not a whole number"),
            (["features", "--windows", ""], "--windows: '' is not a duration"),
            (["features", "--d-file", "none.parquet"], "--d-file: none.parquet: is missing; "),
            (["replay", "--tape", "none"], "--tape: none holds no tape"),
            (["replay", "--processes", "2", "--tape", "none"], "--tape: none holds no tape"),
            (["optimal-d", "--sampling", "often"], "--sampling: 'often' is not a duration"),
            (["optimal-d", "--out", "."], "--out: . is a folder"),
            (["import", "tardis", __file__, "--compression", "x"], "--compression: 'x' is not a codec"),
            (["topics", "create", "--bootstrap", "x"], "--bootstrap: 'x' is not a list of brokers"),
            (["synth", "--symbols", "x"], "--symbols: 'x' is not an instrument"),
        ],
    )
    def test_a_message_names_the_flag(self, monkeypatch, tmp_path, words, line):
        monkeypatch.chdir(tmp_path)
        code, _, err = self.run(*words)
        assert code == 2
        assert err.startswith(f"tickwax: {line}")
        assert err.count("\n") == 1

    def test_version(self):
        for flag in ("--version", "-V"):
            assert self.run(flag) == (0, f"tickwax {version('tickwax')}\n", "")

    def test_every_verb_has_short_help_and_the_file_of_settings(self):
        runner = CliRunner()

        def verbs(group, above):
            for name, command in group.commands.items():
                yield [*above, name]
                if hasattr(command, "commands"):
                    yield from verbs(command, [*above, name])

        found = list(verbs(typer.main.get_command(app), []))
        assert len(found) > 15
        without = (["simulate"], ["import"], ["export"], ["topics"], ["rules"], ["backtest", "compare"])
        for words in ([], *found):
            done = runner.invoke(app, [*words, "-h"], env={"COLUMNS": "200"})
            assert done.exit_code == 0, words
            assert "Usage:" in done.output
            own = words not in without and words[:1] != ["models"]  # folders are all that those read
            assert ("--config" in done.output) == own, words

    def test_a_replay_takes_windows_depths_and_orders(self, tmp_path, synthetic_tape_root):
        orders = tmp_path / "orders.parquet"
        rows = {"exchange": ["bybit_linear"], "symbol": ["BTCUSDT"], "series": ["price"], "d": [0.0]}
        pq.write_table(pa.table(rows), orders)
        flags = ["--symbols", "bybit_linear:BTCUSDT", "--windows", "2s, 3s", "--depths", "1,7", "--d-file", orders]
        code, _, err = self.run("replay", "--tape", synthetic_tape_root, "--features", tmp_path / "f", *flags)
        assert (code, told(err)) == (0, [])
        [file, *_] = sorted((tmp_path / "f").rglob("*.parquet"))
        table = pq.ParquetFile(file).read()
        names = {name for name in table.column_names if name.startswith("ofi_l")}
        assert names == {f"ofi_l{d}{w}" for d in (0, 7) for w in ("", "_2s", "_3s")}
        # Order 0 is the series itself.
        assert table["price_ffd"].to_numpy().tolist() == np.log(table["mid"].to_numpy()).tolist()

    @pytest.mark.parametrize(
        "words",
        [
            ["replay", "--workers", 10**23],
            ["replay", "--recovery", "r", "--snapshot-interval", 10**23],
            ["replay", "--recovery", "r", "--backup-interval", 10**23],
            ["live", "--workers", 10**23],
            ["record", "--workers", 10**23],
            ["optimal-d", "--workers", 10**23],
            ["topics", "create", "--partitions", 10**23],
            ["topics", "create", "--replication", 10**23],
        ],
    )
    def test_numbers_beyond_what_a_library_takes_are_refused_by_the_flag(self, words):
        done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "300"})
        assert done.exit_code == 2
        assert f"Invalid value for '{words[-2]}'" in done.output
