"""The Temporal Fusion Transformer in streaming form: kernels that serve it a row at a time (docs/tft.md).

Source: Lim, Arık, Loeff & Pfister 2021, "Temporal Fusion Transformers for interpretable multi-horizon time series
forecasting", International Journal of Forecasting 37; numbers of equations in this package are those of that paper.
"""
