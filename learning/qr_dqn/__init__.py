"""An agent that learns the distribution of its returns: QR-DQN (Dabney, Rowland, Bellemare & Munos 2018).

A module a part: `hyper` (parameters), `replay` and `sum_tree` (what it has seen), `network`, `loss` and `popart` (the
mathematics), `training` (gradient steps), `folder` (files), `agent` (the loop).
"""

from learning.qr_dqn.agent import QRDQN

__all__ = ["QRDQN"]
