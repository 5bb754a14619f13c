"""Models as a run serves them: kernels without a learning library, the same bits for any split (docs/forecasts.md)."""
