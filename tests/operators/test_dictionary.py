"""The data dictionary says of every column what it holds, and says what the definitions and the kernels say."""

import ast
import importlib
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.config import BOOK_LEVELS, FeatureConfig
from operators.dictionary import FAMILIES, describe, entries, pattern
from operators.features import FEATURES
from operators.schema import book_columns, feature_columns
from sources.tape.schema import TAPE_SCHEMA
from tests.conftest import ROOT

WINDOWS = (("100ms", 100_000_000), ("1s", 1_000_000_000), ("1.5s", 1_500_000_000), ("30s", 30_000_000_000))
DOCSTRINGS = (ast.Module, ast.ClassDef, ast.FunctionDef)


@st.composite
def configs(draw) -> FeatureConfig:
    depths = draw(st.sets(st.integers(1, 40), min_size=1, max_size=4))
    windows = draw(st.lists(st.sampled_from(WINDOWS), min_size=1, unique=True))
    normalised = draw(st.booleans())
    ofi = draw(st.sampled_from(["cont", "depth"]))
    levels = draw(st.sampled_from([0, 2, 20]))
    return FeatureConfig(
        depths=tuple(sorted(depths)), windows=tuple(windows), ofi=ofi, integrated_ofi=levels, normalised=normalised,
        derivatives=draw(st.booleans()),
    )  # fmt: skip


def names(config: FeatureConfig) -> dict[str, list[str]]:
    """The columns of each data set, from the schemas."""
    return {
        "tape": TAPE_SCHEMA.names,
        "features": [c.name for c in feature_columns(config)],
        "books": [c.name for c in book_columns()],
    }


def fitting(data_set: str, name: str) -> list[int]:
    """Places of the families that a name belongs to."""
    return [i for i, (_, described) in enumerate(FAMILIES[data_set]) if pattern(described).fullmatch(name)]


@given(configs())
def test_every_column_is_of_one_family_and_families_stand_in_the_order_of_columns(config: FeatureConfig) -> None:
    for data_set, columns in names(config).items():
        places = [fitting(data_set, name) for name in columns]
        assert [len(place) for place in places] == [1] * len(columns)
        assert places == sorted(places)


def test_no_family_is_without_columns() -> None:
    for data_set, columns in names(FeatureConfig(integrated_ofi=2, normalised=True, derivatives=True)).items():
        assert {i for name in columns for i in fitting(data_set, name)} == set(range(len(FAMILIES[data_set])))


@given(configs())
def test_entries_are_the_columns_and_nothing_else(config: FeatureConfig) -> None:
    found = entries(config)
    assert {d: [e.name for e in found if e.data_set == d] for d in FAMILIES} == names(config)
    for entry in found:
        of = entry.description
        assert of.unit
        assert of.definition
        assert not re.search(r"\{(D|w|m|levels)\}", " ".join(map(str, of)))
    sections = {c.name: c.section for c in feature_columns(config)}
    assert all(e.description.section == sections[e.name] for e in found if e.data_set == "features")
    assert all(e.description.section == "4.9" for e in found if e.data_set == "books")


def test_what_is_no_column_is_not_described() -> None:
    for name in ("prediction", "ofi_l", "ofi_lx_1s", "bid_price_", "xmid", "midx"):
        with pytest.raises(KeyError):
            describe(name)
    with pytest.raises(KeyError):
        describe("mid", "tape")


def test_a_family_speaks_of_its_column() -> None:
    best, five = describe("ofi_l0_1.5s"), describe("ofi_l5_1.5s")
    assert best.definition == "order flow of the best level in the last 1.5s"
    assert best.formula == "ofi_l0_1.5s = Σ OFI_1"
    assert five.definition == "order flow of the best 5 levels in the last 1.5s"
    assert five.reads == "updates whose clock lies in (ts − 1.5s, ts]"
    assert describe("bid_size_19").definition == "size of bid level 19, 0 is the best"
    assert describe(f"ask_price_{BOOK_LEVELS - 1}").unknown == "there is no such level"


def test_the_ordinal_of_a_tape_is_not_that_of_a_row() -> None:
    assert describe("ordinal", "tape").definition != describe("ordinal").definition


def section_of(page: str, number: str) -> str:
    """The text of a numbered section, without the escapes of tables."""
    text = (ROOT / "docs" / page).read_text()
    found = re.search(rf"^#+ {re.escape(number)}\.? .*?(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {number}"
    return found[0].replace("\\|", "|")


@pytest.mark.parametrize("data_set", FAMILIES)
def test_every_formula_and_column_stands_in_its_section(data_set: str) -> None:
    page = "tape.md" if data_set == "tape" else "features.md"
    for section, described in FAMILIES[data_set]:
        text = section_of(page, section)
        assert described.name.replace("_{m}", "_0") in text
        assert described.formula in text, described.name


@pytest.mark.parametrize("name", FEATURES)
def test_the_docstrings_of_a_feature_have_its_section_and_formulas(name: str) -> None:
    module = importlib.import_module(f"operators.features.{name}")
    tree = ast.parse(Path(module.__file__).read_text())
    own = ast.get_docstring(tree)
    assert re.findall(r"docs/features\.md, (4\.\d+)\)", own) == [FEATURES[name].section]
    documented = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, DOCSTRINGS)]
    said = re.findall(r"``([^`]+)``", " ".join(" ".join(documented).split()))
    for described in FEATURES[name].described:
        of_this = [text for text in said if text.startswith(f"{described.name} = ")]
        assert set(of_this) == ({described.formula} if described.formula else set())


def test_the_page_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    page = tmp_path / "dictionary.md"
    shutil.copy(ROOT / "docs" / "dictionary.md", page)
    importlib.import_module("fill").fill(page, importlib.import_module("dictionary").page_blocks())
    assert page.read_text() == (ROOT / "docs" / "dictionary.md").read_text(), "run python docs/dictionary.py"
