"""Several runs as one job: `train.stages`."""

from train.stages.account import Account, Entry, read_account
from train.stages.recipes import stage_recipe, stages_of

__all__ = ["Account", "Entry", "read_account", "stage_recipe", "stages_of"]
