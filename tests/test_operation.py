"""Dashboard and alerts speak of what tickwax exports, in Prometheus' language and Grafana's schema."""

import enum
import importlib
import json
import os
import re
import subprocess
import typing
from pathlib import Path

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from tests.conftest import ROOT

DOCKER = ROOT / "docker"
RUNTIME = [p.stem for p in (ROOT / "dataflows" / "runtime").glob("*.py") if "prometheus_client" in p.read_text()]
METRICS = [
    m
    for name in RUNTIME
    for m in vars(importlib.import_module(f"dataflows.runtime.{name}")).values()
    if isinstance(m, MetricWrapperBase)
]
ENDINGS = {Counter: ("_total",), Gauge: ("",), Histogram: ("_bucket", "_count", "_sum")}
# Labels by the names of series; Prometheus itself adds `job` and `instance`, and `up` of each target.
LABELS = {m._name + end: {*m._labelnames, "job", "instance", "le"} for m in METRICS for end in ENDINGS[type(m)]}
LABELS["up"] = {"job", "instance"}
PROMTOOL = "github.com/prometheus/prometheus/cmd/promtool"


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((DOCKER / "grafana" / "dashboards" / "tickwax.json").read_text())


def alerts() -> list[dict[str, object]]:
    (group,) = yaml.safe_load((DOCKER / "alerts.yml").read_text())["groups"]
    return group["rules"]


def queries(dashboard) -> list[str]:
    """Of all panels, as Prometheus gets them."""
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [expr.replace("$__rate_interval", "1m") for expr in found]


def selectors(expr: object) -> list[promql_parser.VectorSelector]:
    """Every series that a query reads."""
    if isinstance(expr, promql_parser.VectorSelector):
        return [expr]
    parts = ("lhs", "rhs", "expr", "param", "args", "vector_selector", "vs")
    inner = [getattr(expr, part) for part in parts if getattr(expr, part, None) is not None]
    return [one for part in inner for each in (part if isinstance(part, list) else [part]) for one in selectors(each)]


def test_there_is_a_metric_for_every_name(dashboard):
    assert len(METRICS) > 30
    every = queries(dashboard) + [rule["expr"] for rule in alerts()]
    named = set()
    for expr in every:
        read = selectors(promql_parser.parse(expr))
        assert {s.name for s in read} == set(re.findall(r"\b(?:tickwax_\w+|up)\b", re.sub(r'"[^"]*"', "", expr)))
        for one in read:
            assert one.name in LABELS, expr
            assert {matcher.name for matcher in one.matchers.matchers} <= LABELS[one.name], expr
        grouped = [label for by in re.findall(r"by \(([^)]*)\)", expr) for label in re.split(r",\s*", by)]
        assert all(set(grouped) <= LABELS[one.name] for one in read), expr
        named |= {one.name for one in read}
    shown = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in named}
    assert {m._name for m in METRICS} - shown == {"tickwax_listings_left_out"}  # told once at the start, in the log


def test_legends_and_summaries_use_labels_that_are_left(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            by = re.search(r"by \(([^)]*)\)", target["expr"])
            left = set(re.split(r",\s*", by[1])) if by else set()
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= left, target
    for rule in alerts():
        by = re.search(r"by \(([^)]*)\)", rule["expr"])
        left = set(re.split(r",\s*", by[1])) if by else {"instance"}
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= left, rule
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_dashboard_is_current_and_of_grafanas_schema(dashboard, monkeypatch):
    monkeypatch.syspath_prepend(DOCKER / "grafana")
    written = importlib.import_module("make_dashboard").text()
    assert json.loads(written) == dashboard, "run python docker/grafana/make_dashboard.py"
    read = Dashboard.from_json(dashboard)
    again = json.loads(json.dumps(read, cls=JSONEncoder))
    assert lost(dashboard, again) == []  # a key that the schema does not know is not read
    assert wrong(read) == []


def lost(one: object, other: object, at: str = "") -> list[str]:
    """Where the second lacks what the first has."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [x for k, v in one.items() for x in (lost(v, other[k], f"{at}.{k}") if k in other else [f"{at}.{k}"])]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [x for n, (a, b) in enumerate(zip(one, other, strict=True)) for x in lost(a, b, f"{at}[{n}]")]
    return [] if one == other else [at]


def wrong(one: object, at: str = "") -> list[str]:
    """Attributes of the SDK's objects that are not of the type that it declares."""
    if isinstance(one, list):
        return [x for n, each in enumerate(one) for x in wrong(each, f"{at}[{n}]")]
    if not type(one).__module__.startswith("grafana_foundation_sdk.models"):
        return []
    found = []
    for name, kind in typing.get_type_hints(type(one)).items():
        value = getattr(one, name)
        found += wrong(value, f"{at}.{name}") if fits(value, kind) else [f"{at}.{name}: {value!r}"]
    return found


def fits(value: object, kind: object) -> bool:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in (object, typing.Any) or kind is type(None):
        return kind is not type(None) or value is None
    if origin is typing.Union:
        return any(fits(value, each) for each in inner)
    if origin is typing.Literal:
        return value in inner
    if origin in (list, dict):
        return isinstance(value, origin) and all(
            fits(v, inner[-1]) for v in (value if origin is list else value.values())
        )
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return value in [each.value for each in kind]
    return isinstance(value, (int, float) if kind is float else kind)


def test_panels_do_not_overlap(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_alert_has_a_test_that_raises_it_and_one_that_does_not():
    told = yaml.safe_load((DOCKER / "alerts_test.yml").read_text())["tests"]
    raised = {rule["alertname"] for test in told for rule in test["alert_rule_test"] if rule["exp_alerts"]}
    quiet = {rule["alertname"] for test in told for rule in test["alert_rule_test"] if not rule["exp_alerts"]}
    assert {rule["alert"] for rule in alerts()} == raised == quiet


def test_prometheus_and_grafana_are_given_the_files():
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    for name in ("prometheus", "grafana"):
        mounts = [v for v in services[name]["volumes"] if v.startswith("./")]
        assert all((DOCKER / mount.split(":")[0]).exists() for mount in mounts)
    inside = {v.split(":")[1]: v.split(":")[0] for v in services["grafana"]["volumes"]}
    (provider,) = yaml.safe_load((DOCKER / "grafana/provisioning/dashboards/tickwax.yaml").read_text())["providers"]
    assert inside[provider["options"]["path"]] == "./grafana/dashboards"
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (DOCKER / inside[str(home.parent)] / home.name).exists()
    assert yaml.safe_load((DOCKER / "prometheus.yml").read_text())["rule_files"] == ["alerts.yml"]


@pytest.mark.soak
def test_promtool_finds_that_alerts_are_raised_when_they_should_be(tmp_path):
    """Builds Prometheus' own tool: four minutes of a processor the first time, and the network of Go's modules."""
    go = next((p for p in ("/usr/local/go/bin/go", "/usr/bin/go") if os.access(p, os.X_OK)), None)
    if go is None:
        pytest.skip("no Go")
    (tmp_path / "go.mod").write_text("module tools\n\ngo 1.25\n")
    (tmp_path / "tools.go").write_text(f'package tools\n\nimport _ "{PROMTOOL}"\n')
    around = {**os.environ, "GOTOOLCHAIN": "auto"}
    for command in (
        ("mod", "edit", "-require=github.com/prometheus/prometheus@v0.313.3"),
        ("mod", "tidy", "-e"),
        ("build", "-p", "1", "-tags", "remove_all_sd,netgo", "-o", "promtool", PROMTOOL),
    ):
        subprocess.run([go, *command], cwd=tmp_path, env=around, check=True, timeout=1200)
    done = subprocess.run(
        [tmp_path / "promtool", "test", "rules", DOCKER / "alerts_test.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
