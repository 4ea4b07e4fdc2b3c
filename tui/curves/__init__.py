"""Curves of runs: every metric of their events, kept whole, and drawn in milliseconds."""
