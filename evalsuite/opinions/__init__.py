"""Scores by other models, once all answers are there: judges, comparisons, reward models."""
