"""The Temporal Fusion Transformer in streaming form: its network in JAX, and its training (docs/tft.md).

Source: Lim, Arık, Loeff & Pfister 2021, "Temporal Fusion Transformers for interpretable multi-horizon time series
forecasting", International Journal of Forecasting 37; numbers of equations are those of that paper. What is trained
here is served by the kernels of `operators.models.tft`, which have the same layout of weights.
"""
