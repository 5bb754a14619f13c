"""A recording in a browser."""

import threading
from tempfile import TemporaryDirectory
from typing import Any

from dataflows.assembly.recorded_quality import judge_tape
from dataflows.assembly.recorded_window import recording
from dataflows.command_line.jobs.replay import run_replay
from dataflows.runtime.exit_codes import say
from dataflows.runtime.interruption import on_interruption
from dataflows.settings.model import Settings, load_settings
from sources.tape.layout import instruments
from window.server import WindowServer


def show(flags: dict[str, Any], computes: bool) -> None:
    """Serve the page until Ctrl-C.

    Args:
        flags: settings.
        computes: the features are those of the tape, into a temporary folder; so it is, too, where no
            features are found.

    Raises:
        TickwaxError: there is nothing to show, or it cannot be read.
    """
    settings = load_settings(flags)
    tape, features = settings.tape.path, settings.features.path
    found = features is not None and any(True for _ in instruments(features))
    if not computes and (found or tape is None or not any(True for _ in instruments(tape))):
        _serve(settings)
        return
    with TemporaryDirectory(prefix="tickwax-") as folder:
        settings = load_settings({**flags, "features.path": f"{folder}/features", "books.path": "", "ui.on": False})
        run_replay(settings)
        _serve(settings)


def _serve(settings: Settings) -> None:
    shown = recording(settings)
    server = WindowServer(shown, settings.ui.host, settings.ui.port)
    ended = threading.Event()

    def read() -> None:
        shown.read_overview()
        if shown.has_tape:
            judge_tape(settings, shown, ended)

    threading.Thread(target=read, name="overview", daemon=True).start()
    say(f"the window: {server.url} (Ctrl-C ends it)")
    undo = on_interruption(lambda number: ended.set())
    try:
        ended.wait()
    finally:
        ended.set()
        undo()
        server.close()
