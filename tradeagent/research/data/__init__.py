"""The data catalogue: market data kept as Parquet, checked, downloaded, resampled and played."""
