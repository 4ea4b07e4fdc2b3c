"""Proof, on the real rows and before step 1, of what the loss will see."""

from train.proof.mask import Proof, prove

__all__ = ["Proof", "prove"]
