"""Rejection sampling: draw completions, keep the right ones, and go on with them as a dataset."""
