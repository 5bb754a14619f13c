"""The ``tickwax`` command: its verbs, and the job that each does."""
