"""Where to place an order that must be done by a time: what may happen to it, and what to do about it (docs/acting.md).

`market` is the model of a step, `dp` solves it exactly, `mcts` searches it by simulation.
"""
