"""OKX swaps in the simulated exchange."""
