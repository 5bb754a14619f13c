import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dataflows.durations import Duration
from dataflows.instants import Instant
from dataflows.jobs.settings import effective
from dataflows.settings import Settings, load_settings
from dataflows.settings_layers import leaves
from operators.config import FeatureConfig
from sources.errors import TickwaxError

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
        },
        "tape": {"path": "data/tape", "topic": "", "follow": False, "compression": "snappy"},
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
        ("features.windows", '["1s","1000ms"]', "features.windows: one stands twice"),
        ("features.windows", "1s", "features.windows: '1s' is not a JSON list"),
        ("features.depths", "[1.5]", "features.depths: 1.5 is not a whole number"),
        ("features.depths", "[5,1]", "features.depths: [5, 1] must rise strictly"),
        ("features.fdi_interval", "150ms", "features.fdi_interval: 150000000 ns is no multiple of the sampling step"),
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
        ('[features]\nwindows = "1s"\n', r"features\.windows: '1s' is not a list"),
    ],
)
def test_a_bad_file(monkeypatch, tmp_path, text, words):
    config(monkeypatch, tmp_path, text)
    with pytest.raises(TickwaxError, match=words) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


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
    done = subprocess.run(
        [sys.executable, "-c", "import dataflows.replay"],
        cwd=ROOT,
        env=os.environ | {"TICKWAX_FEATURES__ZSCORE_WINDOW": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "tickwax: features.zscore_window: 1 is outside 2 to 1000000\n"
