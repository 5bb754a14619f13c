"""The commands as a container runs them: a read-only root, an unknown user without home, data on its own mounts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from operators.jit import CACHE as OPERATORS
from sources.instrument import Instrument
from sources.tape.layout import data_files, instruments

ROOT = Path(__file__).parent.parent
UID = 10001  # of the image

# What Kubernetes sets for a Service that is called tickwax-metrics, unless `enableServiceLinks` is false.
SERVICE_LINKS = {
    "TICKWAX_METRICS_SERVICE_HOST": "10.96.0.11",
    "TICKWAX_METRICS_SERVICE_PORT": "9108",
    "TICKWAX_METRICS_SERVICE_PORT_HTTP": "9108",
    "TICKWAX_METRICS_PORT": "tcp://10.96.0.11:9108",
    "TICKWAX_METRICS_PORT_9108_TCP": "tcp://10.96.0.11:9108",
    "TICKWAX_METRICS_PORT_9108_TCP_PROTO": "tcp",
    "TICKWAX_METRICS_PORT_9108_TCP_PORT": "9108",
    "TICKWAX_METRICS_PORT_9108_TCP_ADDR": "10.96.0.11",
}

# Mounts of this script alone: everything read-only but the folders of the arguments, each of them a mount.
ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1/run"
mount --bind "$1/data" "$1/data"
mount --bind "$1/tape" "$1/data/tape"
mount --bind "$1/day" "$1/data/features/exchange=binance_futures"
mount -o remount,bind,ro /
chmod 777 "$1/run"
cd "$1/run"
shift
exec setpriv --reuid 10001 --regid 10001 --clear-groups --inh-caps +dac_read_search --ambient-caps +dac_read_search "$@"
"""


def can_mount() -> bool:
    """Whether this user may have mounts of its own."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    return subprocess.run(["unshare", "-m", "mount", "--make-rprivate", "/"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_mount(), reason="no right to have mounts of one's own")


@pytest.fixture
def container(tmp_path):
    """Runs ``tickwax`` as in the container."""
    OPERATORS.folder.mkdir(parents=True, exist_ok=True)
    for folder in ("run", "data", "data/tape", "data/features/exchange=binance_futures", "tape", "day"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("data", "data/features", "tape", "day"):
        os.chown(tmp_path / folder, UID, UID)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **SERVICE_LINKS,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "NUMBA_CACHE_DIR": str(OPERATORS.folder.parent),
            "TICKWAX_TAPE__PATH": str(tmp_path / "data" / "tape"),
            "TICKWAX_FEATURES__PATH": str(tmp_path / "data" / "features"),
        }
        command = [sys.executable, "-c", "from dataflows.cli import main; main()", *words]
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", ENTER, "sh", str(tmp_path), *command],
            env=environment, capture_output=True, text=True, timeout=170,
        )  # fmt: skip

    return run


def test_a_tape_and_its_features_on_mounts(container, tmp_path):
    """Neither the tape, a mount below another, nor an exchange's folder, can be renamed into from beside it."""
    tape = str(tmp_path / "data" / "tape")
    symbols = "binance_futures:BTCUSDT,bybit_linear:BTCUSDT"
    done = container("synth", "--span", "20s", "--symbols", symbols, "--tape", tape)
    assert done.returncode == 0, done.stderr
    for flags in ((), ("--overwrite",)):
        done = container("replay", *flags)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    assert [str(i) for i in instruments(tmp_path / "tape")] == symbols.split(",")
    features = tmp_path / "data" / "features"
    assert len(list((tmp_path / "day").rglob("*.parquet"))) == 1
    assert len(data_files(features, Instrument("bybit_linear", "BTCUSDT"))) == 1
    assert list(tmp_path.rglob(".*")) == []
