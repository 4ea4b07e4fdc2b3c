"""What will happen, decided without torch: rows, tokens, order, settings."""

from train.plan.plan import Plan, Prepared, prepare

__all__ = ["Plan", "Prepared", "prepare"]
