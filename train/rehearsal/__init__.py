"""The longest batch tried before the first step: what it takes, and whether all of it works."""

from train.rehearsal.record import FILE, Measured, Rehearsal
from train.rehearsal.rehearse import Stage, rehearse

__all__ = ["FILE", "Measured", "Rehearsal", "Stage", "rehearse"]
