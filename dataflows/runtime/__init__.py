"""The life of a process: how it starts, is interrupted, recovers, is measured and ends."""
