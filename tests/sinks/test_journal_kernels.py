"""The journal's kernels are compiled before a run, in the very forms that it will use."""

import os
import subprocess
import sys

import numba
import pytest

from tests.conftest import ROOT

COLD = """
import sys
from pathlib import Path
import numpy as np
from operators.config import FeatureConfig
from operators.feature_engine import FeatureEngine
from operators.schema import feature_schema
from sinks.journal import JournalWriter
from sinks.row_format import row_form
from sources.tape import journal_format as journal, journal_kernels
from sources.tape.batch import SNAPSHOT
from tests.sinks.journals import BTC, FORM, append, rows
kernels = [getattr(journal_kernels, name) for name in ("count_items", "find_items", "gather", "next_header")]
journal_kernels.compile_kernels()
before = [kernel.signatures for kernel in kernels]
folder, tape = Path(sys.argv[1]), rows(0, 500)
features = row_form(feature_schema(FeatureConfig()))
writers = [JournalWriter(folder / name, form.description) for name, form in (("tape", FORM), ("rows", features))]
append(writers[0], (BTC, tape))
book = tape._replace(price=np.where(tape.side > 0, 1.0, 2.0), kind=np.where(tape.ordinal < 10, SNAPSHOT, tape.kind))
part = FeatureEngine(FeatureConfig(sampling_ns=0)).process(book)
writers[1].append([(str(BTC), features.arrays(part))])
for writer in writers:
    read = journal.Journal(writer.path)
    (_, items), = read.by_key()
    assert all(read.read(items, field.name).size for field in read.fields)
content = bytearray(writers[0].path.read_bytes())
content[1000] ^= 1
writers[0].path.write_bytes(content)
assert journal.Journal(writers[0].path).holes
assert [kernel.signatures for kernel in kernels] == before, [kernel.signatures for kernel in kernels]
"""


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_what_is_compiled_beforehand_is_what_is_used(tmp_path):
    """A run that ends has a few seconds for its journals, and compiling takes longer."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", COLD, str(tmp_path)], check=True, env=environment)
