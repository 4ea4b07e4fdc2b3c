"""What peft says of a tuner, asked without loading torch in this process."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from functools import lru_cache
from pathlib import Path

from train.adapter_sections import PeftAdapter
from workspace.errors import UsageError, WorkError

_MANY_STEPS = 1_000_000
"""AdaLoRA wants more steps than it takes to warm up and end; the plan checks the real number."""


def tuner_parameters(adapter: PeftAdapter, model: Path, steps: int = _MANY_STEPS) -> int:
    """Return how many weights a tuner trains on a model.

    A process of its own is asked (some seconds), unless peft is loaded here already.

    Raises:
        UsageError: an unknown tuner or option, a value of the wrong type, or options that do not
            fit the model.
        WorkError: peft cannot be loaded.
    """
    options = json.dumps(adapter.options, sort_keys=True)
    answer = _asked(adapter.tuner, options, str(model), steps)
    if answer["problem"]:
        option = answer["option"]
        key = f"options.{option}" if option else "tuner"
        raise UsageError(
            answer["problem"],
            where=f"train.adapter.{key}",
            cause=answer["cause"],
            cure=answer["cure"],
        )
    return int(answer["trainable"])


@lru_cache(maxsize=32)
def _asked(tuner: str, options: str, model: str, steps: int) -> dict[str, str]:
    question = {"tuner": tuner, "options": json.loads(options), "model": model}
    if "peft" in sys.modules:
        from dataclasses import asdict

        from train.adapters.tuner import examine

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return asdict(examine(tuner, question["options"], Path(model), total_steps=steps))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "train.adapters.tuner"],
        input=json.dumps({**question, "total_steps": steps}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WorkError(
            "peft cannot say what this tuner needs",
            cause=(done.stderr.strip().splitlines() or ["It gave no reason."])[-1],
        )
    answer: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
