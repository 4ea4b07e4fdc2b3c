"""Curation steps: one class with its config in each file, listed in `steps.registry`."""
