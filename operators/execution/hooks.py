"""What the loop over tape rows calls where somebody trades (`operators.tape_loop.run`)."""

from typing import Any, NamedTuple

from operators.execution import state
from operators.execution.clocks import forget_offset, receive, receive_all
from operators.execution.funding import fund, take_derivative
from operators.execution.passive import cancel_all, take_message, take_trade
from operators.execution.pending import act, has_room
from operators.execution.records import write_equity
from operators.execution.view import see_reports


class Hooks(NamedTuple):
    """Kernels by name, and two numbers of `execution.state`."""

    receive: Any = receive
    receive_all: Any = receive_all
    forget_offset: Any = forget_offset
    take_derivative: Any = take_derivative
    fund: Any = fund
    act: Any = act
    has_room: Any = has_room
    take_trade: Any = take_trade
    take_message: Any = take_message
    cancel_all: Any = cancel_all
    see_reports: Any = see_reports
    write_equity: Any = write_equity
    row: int = state.ROW
    most_open: int = state.MOST_OPEN


HOOKS = Hooks()
