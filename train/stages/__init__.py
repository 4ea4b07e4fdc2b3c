"""Several runs as one job: `train.stages`."""

from train.stages.account import Account, Entry, read_account
from train.stages.recipes import naming, planned, stage_named, stage_recipe, stages_of

__all__ = [
    "Account",
    "Entry",
    "naming",
    "planned",
    "read_account",
    "stage_named",
    "stage_recipe",
    "stages_of",
]
