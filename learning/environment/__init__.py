"""Trading as an environment of Gymnasium, on the rules of the simulated exchange (docs/acting.md, 2).

A module a part: `recorder` runs a tape through the loop of a backtest, `recording` is what it gave. `market` executes
market orders on it, `trading` and `vector` are environments of them; `resting` makes the calls that `calls` wrote down,
`quoting` and `quoting_vector` are environments of orders that rest. To import this package registers
``tickwax/Trading-v0`` and ``tickwax/Quoting-v0``.
"""

import gymnasium as gym

gym.register("tickwax/Trading-v0", "learning.environment.trading:Trading")
gym.register("tickwax/Quoting-v0", "learning.environment.quoting:Quoting")
