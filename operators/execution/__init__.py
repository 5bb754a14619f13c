"""The simulated exchange (docs/execution.md): own orders, their queue, matching and account, as kernels.

A module a section: `clocks` (1), `pending` (2), `orders` and `grid` (3), `matching` (4), `queue` and `passive` (5),
`account` (6), `records` (7); `view` is what a strategy is shown, `exchange` what the loop over tape rows calls.
"""
