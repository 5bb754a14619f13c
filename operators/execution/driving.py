"""The loop over tape rows with a compiled strategy in it, as machine code.

Compiling it takes a second of each run. That of the strategies in `operators.strategies` is kept in files; that of a
user's own, whose callees nobody knows, is compiled in each process.
"""

from collections.abc import Callable
from typing import Any

import numba

from operators.execution import loop
from operators.execution.closures import named_after
from sources.jit import KernelCache
from sources.kernel_files import KernelFiles

CACHE = KernelCache("strategies", "operators/**/*.py", "sources/tape/batch.py", "sources/jit.py")

_SHIPPED = "operators.strategies."
_driven: dict[Any, Callable[..., tuple[int, int, int]]] = {}


def driven(decide: Any, own: Any, ruled: bool, placed: bool) -> Callable[..., tuple[int, int, int]]:
    """`loop.drive` with ``decide`` compiled into it, once a process.

    Args:
        decide: the kernel that is called for each decision.
        own: the strategy's, which is part of it.
        ruled: whether rules are, too.
        placed: whether placement is; such a loop is not kept.
    """
    if decide not in _driven:
        driving = loop.drive

        def drive(
            batch: Any, start: Any, state: Any, p: Any, out: Any, exchange: Any, rules: Any,
            rows: Any, columns: Any, memory: Any, parameters: Any,
        ) -> tuple[int, int, int]:  # fmt: skip
            return driving(decide, batch, start, state, p, out, exchange, rules, rows, columns, memory, parameters)

        compiled = numba.njit(named_after(decide, drive), nogil=True, error_model="numpy")
        shipped = not numba.config.DISABLE_JIT and not placed and own.py_func.__module__.startswith(_SHIPPED)
        name = f"{own.py_func.__module__}.{own.py_func.__qualname__}{'.ruled' * ruled}" if shipped else ""
        _driven[decide] = _Kept(drive, compiled, name) if shipped else compiled
    return _driven[decide]


class _Kept:
    """Compiled loops that are kept in files: the kernel that they call is loaded first, for they hold its address."""

    def __init__(self, drive: Callable[..., Any], compiled: Any, name: str) -> None:
        self._drive, self._compiled, self._name = drive, compiled, name
        self._ready = False

    def __call__(self, batch: Any, start: int, *handles: Any) -> tuple[int, int, int]:
        if not self._ready:
            types = tuple(map(numba.typeof, (batch, start, *handles[:5])))
            kernel: Any = loop.trade_packed
            kernel.compile(types)
            callee = kernel.overloads[types].fndesc.mangled_name
            self._compiled._cache = KernelFiles(self._drive, CACHE.folder, entry=True, name=self._name, callee=callee)
            self._ready = True
        done: tuple[int, int, int] = self._compiled(batch, start, *handles)
        return done
