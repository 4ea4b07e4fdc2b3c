"""What will happen, decided without torch: rows, tokens, order, settings."""

from train.plan.plan import Plan, Prepared
from train.plan.prepare import prepare

__all__ = ["Plan", "Prepared", "prepare"]
