"""Whether vLLM can answer in this process, told without importing it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

from workspace.errors import UsageError
from workspace.gpus import find_candidates, list_gpus

OLDEST = (0, 22)
"""The first version whose calls are those made here; 0.22.0 and 0.33.0 were compared."""
_INSTALL = "pip install 'welltempered[vllm]'"
_ELSE = "or leave out `kind: vllm`: transformers then runs the model, more slowly."


def check_vllm() -> None:
    """Refuse to go on where vLLM or a GPU for it is missing.

    Raises:
        UsageError: with the way out.
    """
    try:
        found = version("vllm")
    except PackageNotFoundError:
        raise UsageError(
            "vLLM is not installed",
            where="backend",
            cause="`kind: vllm` runs the model in this process with it.",
            cure=f"{_INSTALL}, {_ELSE}",
        ) from None
    if _numbers(found) < OLDEST:
        raise UsageError(
            "this vLLM is too old",
            where="backend",
            cause=f"It is {found}; {OLDEST[0]}.{OLDEST[1]} or newer is needed.",
            cure=f"{_INSTALL} --upgrade, {_ELSE}",
        )
    if find_candidates(list_gpus()).is_cpu:
        raise UsageError(
            "vLLM needs a GPU",
            where="backend",
            cause="The driver lists none, or CUDA_VISIBLE_DEVICES hides them.",
            cure=f"Run it where there is one (`temper doctor`), {_ELSE}",
        )


def _numbers(found: str) -> tuple[int, int]:
    """Return the first two numbers of a version; (0, 0) if it does not begin with two.

    >>> _numbers("0.33.0+cu130"), _numbers("dev")
    ((0, 33), (0, 0))
    """
    match = re.match(r"(\d+)\.(\d+)", found)
    return (int(match[1]), int(match[2])) if match else (0, 0)
