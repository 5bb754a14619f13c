"""The recovery state of a source, taken up only by the run that it is of."""

from typing import Protocol, TypeVar

import msgspec

from sources.errors import TickwaxError


class RunState(Protocol):
    """What every source's state tells."""

    version: int
    run: dict[str, str]  # what must be the same when it is resumed, in words, by setting


S = TypeVar("S", bound=RunState)


def resumed(data: bytes, kind: type[S], version: int, run: dict[str, str]) -> S:
    """The state that was encoded as JSON.

    Args:
        version: of ``kind``, that this build resumes.
        run: of the run that wants it.

    Raises:
        TickwaxError: it is of another version, or of a run with other settings.
    """
    try:
        found = msgspec.json.decode(data)["version"]
        state = msgspec.json.decode(data, type=kind) if found == version else None
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        raise TickwaxError("-r: the recovery store holds something else than a replay's state") from None
    if state is None:
        raise TickwaxError(f"-r: the state is of version {found}; this build resumes version {version}")
    for key in sorted({*state.run, *run}):
        was, now = state.run.get(key, "absent"), run.get(key, "absent")
        if was != now:
            raise TickwaxError(
                f"-r: the state is of another run: {key} was {was}, and is {now}; "
                "resume with the same settings, or start anew with an empty recovery directory"
            )
    return state
