"""``python -m dataflows.health``: exit code 0 if the live run of this machine makes progress, 1 if not; for probes.

Asks for the metrics on ``BYTEWAX_DATAFLOW_API_PORT`` (3030), or the port that is given: a run that does not answer is
no more alive than one that says ``tickwax_healthy 0``.
"""

import os
import sys
import urllib.request

_TIMEOUT = 4.0
_AGES = ("tickwax_healthy", "tickwax_turn_age_seconds", "tickwax_unsynced_seconds", "tickwax_newest_row_age_seconds")


def main() -> int:
    """Look once; what it saw goes to standard output."""
    port = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BYTEWAX_DATAFLOW_API_PORT", "3030")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_TIMEOUT) as reply:
            lines = reply.read().decode().splitlines()
    except (OSError, ValueError) as e:
        print(f"port {port}: {e}")
        return 1
    print("; ".join(line for line in lines if line.startswith(_AGES)) or "answers")
    return 1 if "tickwax_healthy 0.0" in lines else 0


if __name__ == "__main__":
    sys.exit(main())
