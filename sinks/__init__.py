"""Where results go: Hive-partitioned Parquet data sets. Sinks know storage; they know nothing of venues or formulas."""
