"""The image and the two deployments, as far as that goes without a container: linted, held against their schemas, and
the very commands with the very environments run side by side on this machine."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dataflows.settings.model import load_settings
from sources.tape.layout import instruments
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
TOOLS = Path(sys.executable).parent
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
K8S = {d["kind"]: d for d in yaml.safe_load_all((DOCKER / "k8s" / "tickwax.yaml").read_text())}


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "docker/Dockerfile"),
        ("yamllint", "--strict", "docker"),
        ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml"),
        ("kubernetes-validate", "--strict", "docker/k8s/tickwax.yaml"),
    ],
    ids=lambda command: command[0],
)
def test_linters_and_schemas_have_nothing_to_say(command):
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_holds_what_the_package_holds():
    text = (DOCKER / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \1$", text, re.M))
    wanted = {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()} - {"tests"}
    assert copied == wanted
    allowed = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().split() if line[0] == "!"}
    assert allowed == {*wanted, "pyproject.toml", "README.md"}


def test_who_is_in_the_cluster_is_said_the_same_everywhere():
    engines = sorted(name for name in COMPOSE["services"] if name.startswith("engine-"))
    for number, name in enumerate(engines):
        environment = COMPOSE["services"][name]["environment"]
        assert environment["BYTEWAX_ADDRESSES"].split(";") == [f"{e}:2101" for e in engines]
        assert environment["BYTEWAX_PROCESS_ID"] == str(number)
    (scrape,) = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [f"{e}:3030" for e in engines]}]
    hosts = K8S["ConfigMap"]["data"]["hosts"].split()
    assert hosts == [f"tickwax-{n}.tickwax:2101" for n in range(K8S["StatefulSet"]["spec"]["replicas"])]


def test_the_settings_of_the_cluster_are_settings(tmp_path, monkeypatch):
    file = tmp_path / "tickwax.toml"
    file.write_text(K8S["ConfigMap"]["data"]["tickwax.toml"])
    monkeypatch.setenv("TICKWAX_CONFIG", str(file))
    assert load_settings().kafka.bootstrap == "kafka:9092"


class Machine:
    """The compose file's services as processes of this machine."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        market, *ports = free_ports(5)
        self.api = {"engine-0": ports[0], "engine-1": ports[1]}
        self._names = {"market:9000": f"127.0.0.1:{market}", "127.0.0.1:9000": f"127.0.0.1:{market}"}
        self._names["kafka:9092"] = bootstrap
        self._names |= {"engine-0:2101": f"127.0.0.1:{ports[2]}", "engine-1:2101": f"127.0.0.1:{ports[3]}"}
        self._market = str(market)
        self._folder = folder
        self.running: dict[str, subprocess.Popen[str]] = {}

    def here(self, text: str) -> str:
        """Names of the network as addresses of this machine."""
        for name, address in self._names.items():
            text = text.replace(name, address)
        return text

    def command(self, words: list[str]) -> list[str]:
        """A command of the image."""
        program = {
            "python": [sys.executable],
            "tickwax": [sys.executable, "-c", "from dataflows.cli import main; main()"],
        }[words[0]]
        return [*program, *(self._market if word == "9000" else self.here(word) for word in words[1:])]

    def start(self, name: str) -> subprocess.Popen[str]:
        """Start a service."""
        service = COMPOSE["services"][name]
        around = {k: v for k, v in os.environ.items() if not k.startswith(("TICKWAX_", "BYTEWAX_"))}
        image = dict(re.findall(r"((?:TICKWAX|BYTEWAX)_\w+)=(\S+)", (DOCKER / "Dockerfile").read_text()))
        given = {**image, **service.get("environment", {})}
        environment = {k: self.here(v.replace("/data/", f"{self._folder}/")) for k, v in given.items()}
        environment["BYTEWAX_DATAFLOW_API_PORT"] = str(self.api.get(name, 0))
        environment["PYTHONPATH"] = str(ROOT)
        pipe = subprocess.PIPE
        self.running[name] = subprocess.Popen(
            self.command(service["command"]),
            cwd=self._folder, env=around | environment, stdout=pipe, stderr=pipe, text=True,
        )  # fmt: skip
        return self.running[name]

    def healthy(self, name: str) -> bool:
        """Whether the service's own health check passes: that of the file, or that of the image."""
        test = COMPOSE["services"][name].get("healthcheck", {}).get("test")
        if test is None:
            found = re.search(r"HEALTHCHECK .*?CMD (\[.*?\])$", (DOCKER / "Dockerfile").read_text(), re.S | re.M)
            test = ["CMD", *json.loads(found[1])]
        test = [re.sub(r"\b3030\b", str(self.api.get(name, 0)), word) for word in test[1:]]
        return subprocess.run(self.command(test), capture_output=True).returncode == 0

    def wait_until_healthy(self, name: str) -> None:
        """Wait as long as a service may take to start."""
        deadline = time.monotonic() + 90
        while not self.healthy(name):
            assert self.running[name].poll() is None, self.running[name].communicate()
            assert time.monotonic() < deadline, f"{name} is not healthy"
            time.sleep(0.2)


@pytest.fixture
def machine(cluster, tmp_path) -> Iterator[Machine]:
    made = Machine(cluster.bootstrap, tmp_path)
    try:
        yield made
    finally:
        for process in made.running.values():
            process.kill()
            process.communicate()


def test_the_services_do_together_what_they_are_for(machine, read, tmp_path):
    machine.start("market")
    topics = machine.start("topics")
    stdout, stderr = topics.communicate(timeout=60)
    assert topics.returncode == 0, stderr
    assert "tickwax.features" in stdout
    machine.wait_until_healthy("market")
    engines = [machine.start(name) for name in ("engine-0", "engine-1")]
    for name in ("engine-0", "engine-1"):
        machine.wait_until_healthy(name)
    deadline = time.monotonic() + 60
    while len({r.key for r in read("tickwax.features")}) < 4:
        assert time.monotonic() < deadline, [e.communicate(timeout=9) for e in engines if e.poll() is not None]
        time.sleep(0.5)
    for engine in engines:
        engine.terminate()
    ended = [engine.communicate(timeout=30) for engine in engines]
    assert [engine.returncode for engine in engines] == [0, 0], ended
    keys = {r.key.decode() for r in read("tickwax.tape")}
    assert len(keys) == 4
    for data in ("tape", "features"):
        assert {str(i) for i in instruments(tmp_path / data)} == keys
