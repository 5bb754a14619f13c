"""Training as a dataflow of one item, for Bytewax's own command."""

import os
from collections.abc import Callable
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition

from dataflows.assembly.estimating import estimate_placement
from dataflows.assembly.training import train_model
from dataflows.reports.placement_model import lines as placement_lines
from dataflows.reports.training import lines
from dataflows.runtime.exit_codes import exit_code, say
from dataflows.settings.model import Settings
from operators.placement.model import KIND
from sources.errors import TickwaxError


class _Once(DynamicSource[Settings]):
    """The settings, at the first worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSourcePartition[Settings]:
        """The part of one worker."""
        return _Items([] if worker_index else [self._settings])


class _Items(StatelessSourcePartition[Settings]):
    def __init__(self, items: list[Settings]) -> None:
        self._items = items

    def next_batch(self) -> list[Settings]:
        """All of them, once."""
        if not self._items:
            raise StopIteration
        items, self._items = self._items, []
        return items


def training_flow(settings: Settings) -> Dataflow:
    """A dataflow that trains the model that the settings name, and tells of it on standard error."""
    flow = Dataflow("tickwax_train")
    of_placement = settings.train.model == KIND
    train, told_of = (estimate_placement, placement_lines) if of_placement else (train_model, lines)
    told = op.map("train", op.input("settings", flow, _Once(settings)), _or_end(train))
    op.inspect("report", told, lambda step, report: _tell(told_of(report, settings.train.path)))
    return flow


def _or_end(train: Callable[[Settings, Callable[[str], None]], dict[str, Any]]) -> Callable[[Settings], dict[str, Any]]:
    """Training that ends the process with a line and its exit code where it is refused: Bytewax would print a
    traceback."""

    def step(settings: Settings) -> dict[str, Any]:
        try:
            return train(settings, say)
        except TickwaxError as e:
            say(str(e))
            os._exit(exit_code(e))

    return step


def _tell(told: list[str]) -> None:
    for line in told:
        say(line)
