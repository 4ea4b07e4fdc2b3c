"""Which threshold suits a person's own rows: plants with known truth, found or not."""
