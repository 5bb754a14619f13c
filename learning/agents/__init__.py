"""Agents: from the recording of a tape to networks that decide together (docs/acting.md, 4)."""
