"""A replay inside a program that goes on afterwards, such as a notebook."""

from bytewax.testing import cluster_main

from dataflows.assembly.replay import prepare_replay
from dataflows.runtime.caller import Caller
from dataflows.runtime.kernels import ready_features
from dataflows.runtime.replay_run import Replay
from dataflows.settings.model import Settings


def replay_in_process(settings: Settings, caller: Caller, workers: int = 1) -> Replay:
    """Replay to the end, from any thread, and any number of times; the threads of it have ended afterwards.

    An error or an interruption leaves nothing behind. The handlers of signals stay as they are.

    Args:
        workers: threads that compute.

    Raises:
        TickwaxError: as of `prepare_replay`; the tape is broken, the disk is full, or no feature row is complete.
    """
    replay = prepare_replay(settings, caller=caller)
    try:
        ready_features()
        with replay.progress:
            # Also for one worker: Bytewax would run it in this thread, and print a Rust traceback of an interruption.
            cluster_main(replay.flow, [], 0, worker_count_per_proc=workers)
        replay.commit()
    except Exception as e:
        if caller.failure is None or e is caller.failure:
            raise
        raise caller.failure from None  # without what Bytewax puts around it
    finally:
        replay.abort()
    return replay
