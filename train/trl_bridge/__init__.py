"""The only package that imports trl: the plan's rows and order, handed to its trainers.

trl is used as it is: subclassed where it offers a method, never patched. Its trainers get rows
that are tokenised already, in the order of the schedule, and are told to prepare, shuffle, cut
and drop nothing. That they obey is checked on every micro-batch against the plan.

Importing it takes some ten seconds: import it late.
"""

from train.trl_bridge.build import OutOfMemory, build_trainer, fit, put_back
from train.trl_bridge.rehearse import rehearse_batch
from train.trl_bridge.request import FitRequest, StepReport
from train.trl_bridge.trackers import open_trackers

__all__ = [
    "FitRequest",
    "OutOfMemory",
    "StepReport",
    "build_trainer",
    "fit",
    "open_trackers",
    "put_back",
    "rehearse_batch",
]
