"""Every figure of the project beside its peers and bounds, in one run: ``python -m benchmarks.figures CAPTURE.gz``."""
