"""Is tuning needed? What the base reaches by prompts alone, and what tuning adds to the best."""
