"""What people expect of a repository: a lock that fits, metadata that agree, pages whose links lead somewhere."""

import re
import tomllib
from functools import cache

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED_EXTRAS = ("plot", "explore", "dev")  # `bench` brings another NumPy
PYTHONS = ("3.11", "3.12")
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def locked(python: str) -> dict[str, str]:
    """Versions by package, of those that the lock has for a version of Python on Linux."""
    around = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    pins = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
    found = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(around)]
    names = [canonical(pin.name) for pin in found]
    assert len(names) == len(set(names)), "one version each"
    return {name: str(pin.specifier).removeprefix("==") for name, pin in zip(names, found, strict=True)}


def wanted() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    texts = [*PROJECT["dependencies"], *(text for extra in LOCKED_EXTRAS for text in extras[extra])]
    return [each for each in map(Requirement, texts) if canonical(each.name) != PROJECT["name"]]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("requirement", wanted(), ids=lambda each: each.name)
def test_the_lock_satisfies_the_project(requirement: Requirement, python: str) -> None:
    """If not: the command in CONTRIBUTING.md renews it."""
    assert requirement.specifier.contains(locked(python)[canonical(requirement.name)], prereleases=True)


def test_the_lock_names_no_place() -> None:
    assert not re.search(r"://| @ |^-", (ROOT / "constraints.txt").read_text(), re.M)


def test_the_lock_is_renewed_by_one_command() -> None:
    (command,) = re.findall(r"^.*uv pip compile.*$", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    assert tuple(re.findall(r"--extra (\w+)", command)) == LOCKED_EXTRAS
    assert f"--python-version {PYTHONS[0]} " in command
    assert command.endswith("-o constraints.txt")


def test_metadata_agree() -> None:
    supported = SpecifierSet(PROJECT["requires-python"])
    said = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert said == [f"3.{n}" for n in range(20) if supported.contains(f"3.{n}.1")] == list(PYTHONS)
    assert (ROOT / "LICENSE").read_text().startswith(f"{PROJECT['license']} License\n")
    assert PROJECT["authors"] == [{"name": "tickwax contributors"}]
    assert "(c) 2026 tickwax contributors" in (ROOT / "LICENSE").read_text()
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not ((ROOT / page).parent / link).exists()] == []
