"""All states of random numbers that a step draws from."""

from __future__ import annotations

import random

import numpy as np
import torch


class Randomness:
    """The states as they are when this is made."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()
        self._cpu = torch.random.get_rng_state()
        # asking for the state of a GPU that is not used would start it
        on_gpu = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        self._cuda = torch.cuda.get_rng_state() if on_gpu else None

    def put_back(self) -> None:
        """Make the states what they were."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        torch.random.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda)
