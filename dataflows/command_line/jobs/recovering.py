"""The folder from which a run goes on where it was killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from bytewax.recovery import RecoveryConfig, init_db_dir

from dataflows.runtime.engine_options import Recovery
from dataflows.settings.local_paths import local_path
from sinks.disk import missing_folders, remove_empty
from sources.errors import TickwaxError


def recovery_in(folder: str | None, backup_seconds: int) -> Recovery | None:
    """What the flags ask for; None without a folder.

    Raises:
        TickwaxError: it is no folder of this machine.
    """
    try:
        return Recovery(local_path(folder), backup_seconds) if folder else None
    except ValueError as e:
        raise TickwaxError(f"--recovery: {e}") from None


@contextmanager
def recovery_store(recovery: Recovery | None) -> Iterator[RecoveryConfig | None]:
    """For Bytewax; a folder without a store gets one, which is removed if the run is refused, or gives nothing.

    Raises:
        TickwaxError: the folder cannot be made, or written to.
    """
    if recovery is None:
        yield None
        return
    store = recovery.directory
    made, anew = missing_folders(store), False
    try:
        store.mkdir(parents=True, exist_ok=True)
        anew = not any(store.glob("*.sqlite3"))
        if anew:
            init_db_dir(store, 1)
    except OSError as e:
        remove_empty(made)
        raise TickwaxError(f"--recovery: {store}: {e.strerror}") from e
    try:
        yield RecoveryConfig(store, timedelta(seconds=recovery.backup_seconds))
    except (TickwaxError, KeyboardInterrupt):
        for file in (*store.glob("*.sqlite3*"), *store.glob("state-*.bin")) if anew else ():
            file.unlink(missing_ok=True)
        remove_empty(made)
        raise
