"""The files of compiled kernels: never needed, never believed when damaged, never of other sources."""

import fcntl
import importlib
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numba
import pytest
from numba.core.dispatcher import Dispatcher

import sources.kernel_files
from operators.jit import CACHE as OPERATORS
from sources.jit import CACHE as SOURCES
from sources.jit import KernelCache
from sources.kernel_files import KernelFiles, held, obstacle
from synthetic.jit import CACHE as SYNTHETIC

ROOT = Path(__file__).parents[2]
STRANGER = 54321  # a user id that no account has
LIBRARY = """
from operators.fractal import FractalDimensionIndex
index = FractalDimensionIndex(window=4)
print([index.update(x) is None for x in (1.0, 2.0, 1.0, 3.0)] == [True, True, True, False])
"""

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")


def add_two(x: int) -> int:
    return x + 2


def declared(folder: Path | None, entry: bool = False) -> Dispatcher:
    """The kernel as a new process would declare it."""
    kernel = numba.njit(add_two)
    kernel._cache = KernelFiles(add_two, folder, entry)
    return kernel


def is_loaded(kernel: Dispatcher) -> bool:
    """Call the kernel; tells whether its machine code came from the file."""
    assert kernel(40) == 42
    return sum(kernel.stats.cache_hits.values()) == 1


@pytest.fixture(autouse=True)
def _warn_again(monkeypatch):
    monkeypatch.setattr(sources.kernel_files, "_warned", False)


def test_what_was_compiled_once_is_loaded(tmp_path):
    assert not held(tmp_path, "test_kernel_files.add_two")
    assert not is_loaded(declared(tmp_path))
    assert held(tmp_path, "test_kernel_files.add_two")
    assert is_loaded(declared(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1


def test_an_entry_kernel_is_loaded_without_its_bitcode(tmp_path):
    assert not is_loaded(declared(tmp_path / "whole"))
    assert not is_loaded(declared(tmp_path / "entry", entry=True))
    assert is_loaded(declared(tmp_path / "entry", entry=True))
    (whole,), (entry,) = (tmp_path / "whole").glob("*.kernel"), (tmp_path / "entry").glob("*.kernel")
    assert entry.stat().st_size < whole.stat().st_size


def test_of_several_processes_one_compiles(tmp_path):
    """The others wait for its file; one that dies meanwhile leaves its turn to the next."""
    code = (
        "import sys; from pathlib import Path; from tests.sources.test_kernel_files import declared, is_loaded;"
        f"kernel = declared(Path({str(tmp_path)!r}), entry=True); print('ready', flush=True);"
        "sys.stdin.readline(); print(is_loaded(kernel))"
    )
    (tmp_path / f".{__name__}.add_two.turn").touch()
    with (tmp_path / f".{__name__}.add_two.turn").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        running = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **pipes) for _ in range(3)]
        for process in running:
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("\n")
            process.stdin.flush()
        time.sleep(0.5)
        assert list(tmp_path.glob("*.kernel")) == []
    assert sorted(process.communicate()[0] for process in running) == ["False\n", "True\n", "True\n"]


def test_a_kernel_that_calls_a_loaded_entry_kernel_runs_its_machine_code(tmp_path):
    is_loaded(declared(tmp_path, entry=True))
    code = (
        "import numba; from pathlib import Path; from tests.sources.test_kernel_files import declared, is_loaded;"
        f"entry = declared(Path({str(tmp_path)!r}), entry=True); print(is_loaded(entry));"
        "print(numba.njit(lambda x: 10 * entry(x))(5))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "True\n70\n", done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[: len(content) // 2],
        lambda content: bytes(len(content)),
        lambda content: content[:700] + bytes([content[700] ^ 1]) + content[701:],
        lambda content: bytes([content[0] ^ 1]) + content[1:],
    ],
    ids=["empty", "a torn sum", "truncated", "zeros", "a bit of the code", "a bit of the sum"],
)
def test_a_damaged_file_is_rebuilt(tmp_path, damage):
    is_loaded(declared(tmp_path))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert not held(tmp_path, "test_kernel_files.add_two")
    assert not is_loaded(declared(tmp_path))
    assert is_loaded(declared(tmp_path))


def test_a_folder_in_the_place_of_a_file_is_no_obstacle(tmp_path):
    is_loaded(declared(tmp_path))
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.mkdir()
    with pytest.warns(RuntimeWarning, match="compiled kernels cannot be kept"):
        assert not is_loaded(declared(tmp_path))


def test_a_file_in_the_place_of_the_folder_is_said_once(tmp_path):
    taken = tmp_path / "taken"
    taken.touch()
    assert obstacle(taken / "kernels") == f"{taken / 'kernels'}: Not a directory"
    with pytest.warns(RuntimeWarning, match="compiled kernels cannot be kept: .*: Not a directory"):
        assert not is_loaded(declared(taken / "kernels"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not is_loaded(declared(taken / "kernels"))


def test_without_a_folder_nothing_is_kept():
    with pytest.warns(RuntimeWarning, match="compiled kernels cannot be kept: no home folder"):
        assert not is_loaded(declared(None))
    assert not held(None, "test_kernel_files.add_two")
    assert obstacle(None) == "no home folder"


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.warns(RuntimeWarning, match="File too large"):
            assert not is_loaded(declared(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []


def test_another_processor_has_files_of_its_own(tmp_path):
    is_loaded(declared(tmp_path))
    code = (
        "from pathlib import Path; from tests.sources.test_kernel_files import declared, is_loaded;"
        f"print(is_loaded(declared(Path({str(tmp_path)!r}))))"
    )
    environment = os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
    assert len(list(tmp_path.iterdir())) == 2


def test_the_folder_is_named_by_all_that_a_kernel_calls():
    """A kernel's machine code holds that of its callees, so their sources must be among those of its folder."""
    importlib.import_module("operators.feature_engine")
    importlib.import_module("sources.tape.validation")
    importlib.import_module("simulator.text")
    importlib.import_module("synthetic.market")
    covered = {"operators": OPERATORS, "simulator": SYNTHETIC, "sources": SOURCES, "synthetic": SYNTHETIC}
    # With caches of their own, whose patterns test_house checks.
    names = ("labels", "models", "placement", "rules")
    apart = (*(f"operators.{name}." for name in names), "sources.importers.tardis_kernels")
    kernels = [
        (module, value)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in covered
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and not value.py_func.__module__.startswith(apart)
    ]
    assert len(kernels) > 50
    for _, kernel in kernels:
        package = kernel.py_func.__module__.partition(".")[0]
        if kernel.targetoptions.get("inline") != "always":  # else it is compiled as a part of others alone
            assert kernel._cache.cache_path == str(covered[package].folder)
        called = [kernel.py_func.__globals__.get(name) for name in kernel.py_func.__code__.co_names]
        for callee in called:
            if isinstance(callee, Dispatcher):
                assert callee.py_func.__module__.partition(".")[0] in covered, (kernel, callee)
                assert covered[callee.py_func.__module__.partition(".")[0]] is covered[package], (kernel, callee)


def test_a_changed_callee_makes_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("sources.jit._ROOT", tmp_path)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "caller.py").write_text("calls")
    (tmp_path / "package" / "callee.py").write_text("1")
    before = KernelCache("package", "package/**/*.py").folder
    (tmp_path / "package" / "callee.py").write_text("2")
    assert KernelCache("package", "package/**/*.py").folder != before


def run_as_stranger(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a user without account, home and rights, who may read everything."""
    caps = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    who = ["setpriv", "--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups", *caps]
    return subprocess.run(
        [*who, sys.executable, "-c", code],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
class TestStranger:
    def test_kernels_that_cannot_be_written_are_loaded(self, tmp_path):
        is_loaded(declared(tmp_path))
        code = (
            "from pathlib import Path; from tests.sources.test_kernel_files import declared, is_loaded;"
            f"print(is_loaded(declared(Path({str(tmp_path)!r}))))"
        )
        done = run_as_stranger(code)
        assert (done.stdout, done.stderr) == ("True\n", "")

    def test_a_library_class_works_without_home_and_account(self):
        done = run_as_stranger(LIBRARY)
        assert done.stdout == "True\n", done.stderr
        assert done.stderr.count("compiled kernels cannot be kept: no home folder") == 1

    def test_an_unwritable_home_never_leads_to_the_folder_of_the_sources(self, tmp_path):
        """Numba's own fallback, ``__pycache__``, does not notice a changed callee."""
        home = tmp_path / "home"
        home.mkdir(mode=0o755)
        done = run_as_stranger(LIBRARY, HOME=str(home))
        assert done.stdout == "True\n", done.stderr
        assert done.stderr.count("compiled kernels cannot be kept") == 1
        assert f"{home}/.cache" in done.stderr
        assert [
            *ROOT.glob("operators/**/*.nbi"),
            *ROOT.glob("sources/**/*.nbi"),
            *ROOT.glob("synthetic/**/*.nbi"),
        ] == []
