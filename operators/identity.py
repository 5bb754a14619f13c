"""The settings that decide a feature's value, by their names in the settings and as text."""

from operators.config import FeatureConfig

_UNITS = (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000))


def duration_text(ns: int) -> str:
    """A duration in its largest whole unit; ``update`` for none.

    >>> duration_text(100_000_000), duration_text(1_500_000_000), duration_text(0)
    ('100ms', '1500ms', 'update')
    """
    if ns == 0:
        return "update"
    return next((f"{ns // unit}{name}" for name, unit in _UNITS if ns % unit == 0), f"{ns}ns")


def feature_settings(config: FeatureConfig) -> dict[str, str]:
    """Every setting that decides a value of the features data set."""
    texts: dict[str, object] = {
        "sampling": duration_text(config.sampling_ns),
        "windows": ", ".join(text for text, _ in config.windows),
        "depths": ", ".join(map(str, config.depths)),
        "ofi": config.ofi,
        "zscore_window": config.zscore_window,
        "max_hold": duration_text(config.max_hold_ns),
        "price_d": config.price_d,
        "volume_d": config.volume_d,
        "ffd_threshold": config.ffd_threshold,
        "fdi_window": config.fdi_window,
        "fdi_interval": duration_text(config.fdi_interval_ns),
        "fdi_method": config.fdi_method,
        "volatility_window": config.volatility_window,
    }
    if config.integrated_ofi:  # files of before do not name it
        texts["integrated_ofi"] = config.integrated_ofi
    if config.normalised:  # files that were written before there was the setting have it off
        texts["normalised"] = True
    return {f"features.{name}": str(value) for name, value in texts.items()}


def book_settings(config: FeatureConfig) -> dict[str, str]:
    """Every setting that decides a value of the books data set."""
    names = ("features.sampling", "features.max_hold")
    return {name: value for name, value in feature_settings(config).items() if name in names}
