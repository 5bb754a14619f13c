"""The dataflows, put together from sources, operators and sinks."""
