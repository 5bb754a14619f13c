"""Kernels that close over another one have symbols of their own."""

import re
from itertools import count

import numba
import pytest
from numba.core.bytecode import FunctionIdentity

from operators.execution.closures import named_after
from operators.placement.layer import placed
from operators.rules.applying import ruled
from operators.strategies.glft import Glft
from operators.strategies.momentum import Momentum
from sources.kernel_files import KernelFiles

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


def first(x):
    return x + 1.0


def second(x):
    return x + 2.0


def kept(function, named, folder):
    """A kernel in a file that calls, as symbols, a closure of ``function``."""
    callee = numba.njit(function)

    def both(x):
        return callee(x)

    inner = numba.njit(named_after(callee, both) if named else both, _dbg_optnone=True)  # so that it is not inlined

    def drive(x):
        return inner(x)

    kernel = numba.njit(named_after(inner, drive) if named else drive)
    kernel._cache = KernelFiles(drive, folder, entry=True, name=function.__name__)
    return kernel


@pytest.mark.parametrize("named", [False, True])
def test_one_is_never_called_in_the_place_of_another(named, tmp_path, monkeypatch):
    for function in (first, second):  # in processes that have compiled as much before
        monkeypatch.setattr(FunctionIdentity, "_unique_ids", count(10**6 + named))
        assert kept(function, named, tmp_path)(0.0) == function(0.0)
    loaded = [kept(function, named, tmp_path) for function in (first, second)]
    found = [kernel(0.0) for kernel in loaded]
    assert [sum(kernel.stats.cache_hits.values()) for kernel in loaded] == [1, 1]
    assert (found == [1.0, 2.0]) == named  # without names of their own the wrong one is called


def test_those_of_strategies():
    names = set()
    for wrap in (ruled, placed, lambda decide: placed(ruled(decide))):
        for strategy in (Glft, Momentum):
            name = wrap(strategy.decide_kernel).py_func.__qualname__
            assert re.search(rf"operators\.strategies\.\w+\.{strategy.decide_kernel.py_func.__qualname__}\b", name)
            names.add(name)
    assert len(names) == 6
