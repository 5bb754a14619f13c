"""Many independent tasks over processes that share what this one has imported, compiled and read."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import Any, TypeVar

from dataflows.runtime.exit_codes import say
from dataflows.runtime.interruption import on_interruption

T = TypeVar("T")

NOTHING = "nothing was written"  # what there is after an interruption

_task: Callable[[int], Any]  # of a forked process


@contextmanager
def forked(
    task: Callable[[int], T],
    count: int,
    processes: int,
    clean_up: Callable[[], None] = lambda: None,
    left: str = NOTHING,
) -> Iterator[Iterator[T]]:
    """What ``task`` gives for 0 to ``count`` − 1, as it comes, computed by forks of this process.

    A fork has the kernels that are compiled, which another process would need seconds to load and compile. So prepare
    everything before, and start threads, such as that of a progress bar, inside. One process is this one.
    An interruption inside, whenever it comes, ends all of them and this process with one line.

    Args:
        task: is not pickled; its results are. What it raises ends all.
        clean_up: called before an interruption ends the process, in any thread.
        left: what there is after an interruption, in words.

    Raises:
        SystemExit: a process was killed; that has been said.
    """

    ending = threading.Lock()  # taken by whoever ends this first; the other waits for its own end

    def interrupted(number: int) -> None:
        ending.acquire()
        _end_forks()
        clean_up()
        say(f"interrupted; {left}")
        os._exit(128 + number)

    if processes == 1 or count == 1:
        release = on_interruption(interrupted)
        try:
            yield map(task, range(count))
        finally:
            with ending:
                release()
        return
    with ProcessPoolExecutor(
        min(processes, count), mp_context=get_context("fork"), initializer=_begin, initargs=(task,)
    ) as pool:
        futures = [pool.submit(_run, number) for number in range(count)]  # the first call forks all
        release = on_interruption(interrupted)
        try:
            yield (future.result() for future in as_completed(futures))
        except BrokenProcessPool:
            with ending:
                clean_up()
                say(f"a process was killed, perhaps for want of memory; {left}")
            raise SystemExit(1) from None
        finally:
            with ending:
                release()
            _end_forks()  # by now they are idle, or what they do is of no use
            pool.shutdown(cancel_futures=True)


def _end_forks() -> None:
    for child in active_children():
        child.kill()


def _begin(task: Callable[[int], Any]) -> None:
    """In a fork: Ctrl-C comes to it, too, and is the first process's to answer; without that one it ends."""
    global _task
    _task = task
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _run(number: int) -> Any:
    return _task(number)
