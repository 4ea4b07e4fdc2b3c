"""Scores of rows by models: measured once, kept in a cache, held against thresholds after."""
