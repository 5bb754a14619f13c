"""A live run as a Bytewax module: prepared when it is imported, told of when the interpreter ends."""

import atexit
import os
from collections.abc import Callable

from bytewax.dataflow import Dataflow

from dataflows.runtime.engine_options import recovery
from dataflows.runtime.exit_codes import or_exit, say
from dataflows.runtime.live_run import Live
from sources.errors import TickwaxError


def live_module(prepare: Callable[[], Live]) -> Dataflow:
    """The flow for ``python -m bytewax.run``; what ``prepare`` refuses ends the process with a line."""

    def checked() -> Live:
        if recovery():
            raise TickwaxError(
                "-r: a live run has no past to return to; what a killed one recorded is recovered without it"
            )
        return prepare()

    live = or_exit(checked)
    live.ready()
    live.stop_on_signals()

    def finish() -> None:
        live.release()
        for line in live.closing_lines():
            say(line)
        if live.left:
            say(live.left)
        if failure := live.failure or live.nothing:
            say(failure)
            os._exit(1)

    atexit.register(finish)  # there is no other place after the flow
    return live.flow
