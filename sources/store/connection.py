"""The connection to the object store, from what every AWS program reads: environment, profile, instance role.

Two variables beside those that the AWS library reads by itself: ``AWS_ENDPOINT_URL_S3`` and ``AWS_ENDPOINT_URL`` name
another server than Amazon's, which PyArrow does not look up
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
"""

import os
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow import fs

from sources.errors import TickwaxError
from sources.redaction import redacted

_ATTEMPTS = 5  # of a request, with growing pauses between them: about 3 s where nothing answers
_CONNECT = 5.0  # seconds
_ANSWER = 20.0  # seconds in which no byte comes


@cache
def object_store() -> fs.S3FileSystem:
    """The store, connected to with the first request.

    Raises:
        TickwaxError: the address of the server is none.
    """
    server = _server()
    fs.ensure_s3_initialized()
    return fs.S3FileSystem(
        scheme=server[0] or None,
        endpoint_override=server[1] or None,
        connect_timeout=_CONNECT,
        request_timeout=_ANSWER,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


def local_side() -> Path:
    """The folder for what cannot lie in a store: locks, journals, files that are not whole yet.

    It must outlive the process: rows of a recorder are there until the store has them. ``$XDG_STATE_HOME/tickwax/s3``,
    by default in ``~/.local/state`` (https://specifications.freedesktop.org/basedir-spec/latest/), and in it a folder a
    server.
    """
    state = os.environ.get("XDG_STATE_HOME") or ""
    base = Path(state) if state.startswith("/") else Path.home() / ".local/state"
    return base / "tickwax" / "s3" / (_server()[1].replace(":", "_").replace("/", "_") or "aws")


@cache
def _server() -> tuple[str, str]:
    """Scheme and host of another server; both are empty for Amazon's."""
    name = "AWS_ENDPOINT_URL_S3" if os.environ.get("AWS_ENDPOINT_URL_S3") else "AWS_ENDPOINT_URL"
    text = os.environ.get(name, "")
    if not text:
        return "", ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        shown = redacted(repr(text), address=True)
        raise TickwaxError(f"{name}: {shown} is not an address of the form https://host or http://host:port")
    return parts.scheme, f"{parts.netloc}{parts.path}".rstrip("/")
