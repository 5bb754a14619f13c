"""The mathematics of learning, offline: validation without leaks, and how much of a result is luck.

No run imports this package, not even one that has a model: it needs ``tickwax[learn]``.
"""
