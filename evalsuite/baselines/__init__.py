"""Evaluations that others are held against: blessed by name, or named by their id."""
