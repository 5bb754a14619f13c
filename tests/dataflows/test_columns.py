"""``tickwax columns`` as a user runs it."""

import pytest

from dataflows.cli import main
from operators.config import FeatureConfig
from operators.dictionary import entries


@pytest.fixture
def tickwax(monkeypatch, capsys):
    """Runs the command; exit code, lines of standard output, standard error."""

    def run(*arguments: str) -> tuple[int, list[str], str]:
        monkeypatch.setattr("sys.argv", ["tickwax", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        return int(end.value.code or 0), told.out.splitlines(), told.err

    return run


def test_every_column_is_a_line(tickwax):
    code, lines, _ = tickwax("columns")
    assert code == 0
    told = [line.split()[:2] for line in lines[1:]]
    expected = [[e.name, e.data_set] for e in entries(FeatureConfig())]
    assert told[: len(expected)] == expected
    trading = {"orders", "fills", "equity", "episodes", "applied", "placements"}
    assert {data_set for _, data_set in told[len(expected) :]} == {"bars", "predictions", *trading}


def test_one_column(tickwax):
    code, lines, _ = tickwax("columns", "ofi_l5_1s")
    assert code == 0
    assert lines == [
        "ofi_l5_1s",
        "  data set    features, column 25 of 66",
        "  type        float64",
        "  unit        base currency",
        "  meaning     order flow of the best 5 levels in the last 1s",
        "  formula     ofi_l5_1s = Σ OFI_5",
        "  reads       updates whose clock lies in (ts − 1s, ts]",
        "  unknown     never",
        "  warm bits   1 + 64",
        "  defined in  docs/features.md, 4.4",
    ]


def test_a_column_of_two_data_sets(tickwax):
    _, lines, _ = tickwax("columns", "ordinal")
    sets = [line.split()[2] for line in lines if line.startswith("  data set")]
    assert sets == ["tape,", "features,", "books,", "bars,", "predictions,"]


def test_columns_are_those_of_the_settings(tickwax, monkeypatch):
    monkeypatch.setenv("TICKWAX_FEATURES__WINDOWS", '["2s"]')
    assert tickwax("columns", "ofi_l5_2s")[0] == 0
    code, _, said = tickwax("columns", "ofi_l5_1s")
    assert code == 2
    line, _, near = said.partition("; near it: ")
    assert line == "tickwax: column 'ofi_l5_1s': there is none with these settings"
    assert near.splitlines()[0].split(", ")[0] == "ofi_l5_2s"
    assert near.count("\n") == 1


def test_a_name_near_none(tickwax):
    code, lines, said = tickwax("columns", "qqqqqqqq")
    assert (code, lines) == (2, [])
    assert said == "tickwax: column 'qqqqqqqq': there is none with these settings; `tickwax columns` lists all\n"


def test_a_column_that_is_switched_off_names_its_setting(tickwax):
    code, _, error = tickwax("columns", "integrated_ofi")
    assert code == 2
    assert error == (
        "tickwax: column 'integrated_ofi': there is none with these settings; features.integrated_ofi switches it on\n"
    )


def test_a_family_is_told_as_definitions_write_it(tickwax):
    code, lines, _ = tickwax("columns", "ofi_z_l{D}_{w}")
    assert code == 0
    names = [line for line in lines if not line.startswith(" ")]
    assert {"ofi_z_l5_1s", "ofi_z_l0_100ms"} < set(names)
    assert all(name.startswith("ofi_z_l") for name in names)
