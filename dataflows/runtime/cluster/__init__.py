"""Several processes on this machine that work as one: a supervisor, and what it starts."""
