"""The exchanges' live feeds: connections, per-instrument continuity, and the Bytewax source on top."""
