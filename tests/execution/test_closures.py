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


def closure(callee, named):
    def both(x):
        return callee(x)

    return numba.njit(named_after(callee, both) if named else both)


def symbols(dispatcher, monkeypatch):
    """Those that a process has which has compiled as much as any other one before."""
    monkeypatch.setattr(FunctionIdentity, "_unique_ids", count(10**6))
    dispatcher.compile("f8(f8)")
    (compiled,) = dispatcher.overloads.values()
    return {function.name for function in compiled.library.get_defined_functions() if "both" in function.name}


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("named", [False, True])
def test_symbols(named, monkeypatch):
    def first(x):
        return x + 1.0

    def second(x):
        return x + 2.0

    one, other = (symbols(closure(numba.njit(f), named), monkeypatch) for f in (first, second))
    assert one
    assert other
    assert one.isdisjoint(other) == named


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_those_of_strategies():
    names = set()
    for wrap in (ruled, placed, lambda decide: placed(ruled(decide))):
        for strategy in (Glft, Momentum):
            name = wrap(strategy.decide_kernel).py_func.__qualname__
            assert re.search(rf"operators\.strategies\.\w+\.{strategy.decide_kernel.py_func.__qualname__}\b", name)
            names.add(name)
    assert len(names) == 6
