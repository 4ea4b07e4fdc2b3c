"""The output's last formula or number is mathematically the gold answer (math-verify)."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import queue
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.errors import UsageError, WorkError
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

_PACKAGES = Path(__file__).resolve().parents[2]
_START_SECONDS = 120.0
_LONGEST = 20_000
"""Characters of an output that are read, from its end."""


class MathsScorer(Section):
    """Right if the answer is the same value or expression as the gold's, however it is written:
    `\\boxed{\\frac{1}{2}}`, `0.5` and `1/2` are equal.

    What is compared is decided by math-verify: a boxed answer first, else the last formula or
    number. It works in a process of its own that is ended when it takes too long.
    """

    kind: Literal["maths"] = "maths"
    """Mathematically equal."""
    rounding: int = Field(default=6, ge=0, le=15)
    """Decimal places to which numbers are compared."""
    timeout_seconds: float = Field(default=5.0, gt=0.0, le=300.0)
    """For one answer; what takes longer is wrong, and says so."""

    def demand(self) -> str:
        """Return what a person should know.

        Raises:
            UsageError: math-verify is not installed.
        """
        if importlib.util.find_spec("math_verify") is None:
            raise UsageError(
                "math-verify is not installed",
                where="scorer maths",
                cause="The scorer `maths` compares formulas with it.",
                cure='pip install "welltempered[maths]", or use the scorer `numeric`.',
            )
        return ""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        if not gold.strip():
            return "an empty gold answer"
        told = self._asked({"gold": _marked(gold)})
        if told.get("readable"):
            return None
        return f"a gold answer without a number or formula ({told.get('failed', 'none found')})"

    def score(self, output: str, item: Item) -> Score:
        """Compare `output` with `item.gold`.

        Raises:
            UsageError: math-verify is not installed.
            WorkError: its process cannot be started.
        """
        told = self._asked(
            {"gold": _marked(item.gold), "output": output[-_LONGEST:], "rounding": self.rounding}
        )
        if "failed" in told:
            return wrong(f"cannot be compared: {told['failed']}")
        if not told["found"]:
            return wrong("no number or formula in the output")
        return RIGHT if told["same"] else wrong("another value")

    def _asked(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.demand()
        return _worker().ask(asked, self.timeout_seconds)


def _marked(gold: str) -> str:
    """Return a gold answer as math-verify reads formulas: `x^2` alone it would pass over."""
    bare = "$" not in gold and "\\boxed" not in gold and "\\[" not in gold and "\\(" not in gold
    return f"${gold.strip()}$" if bare else gold


class MathsWorker:
    """One process that compares, begun anew when it had to be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()

    def ask(self, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the process's answer, or `failed` where it took longer than `seconds`.

        Raises:
            WorkError: it cannot be started.
        """
        with self._lock:
            process = self._process or self._begin()
            line = self._said(process, asked, seconds)
            if line:
                return dict(json.loads(line))
            self.close()
            return {"failed": f"no answer within {seconds:g} s" if line is None else "it crashed"}

    def _begin(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "evalsuite.scorers.maths_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=tempfile.gettempdir(),
            env={"PYTHONPATH": str(_PACKAGES), "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            start_new_session=True,
        )
        self._process, self._answers = process, queue.Queue()
        threading.Thread(target=_listen, args=(process, self._answers), daemon=True).start()
        # Loading sympy takes seconds, which are not the first answer's.
        first = self._said(process, {"gold": "$1$"}, _START_SECONDS)
        if not first or not json.loads(first).get("readable"):
            self.close()
            raise WorkError(
                "math-verify does not work",
                where="scorer maths",
                cause="Its process ended, or did not find the 1 in $1$.",
                cure='pip install --upgrade "welltempered[maths]"',
            )
        return process

    def _said(
        self, process: subprocess.Popen[str], asked: dict[str, Any], seconds: float
    ) -> str | None:
        """Return one line, nothing where the process has ended, or None where it takes too long."""
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            return self._answers.get(timeout=seconds)
        except (BrokenPipeError, queue.Empty) as error:
            return None if isinstance(error, queue.Empty) else ""

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # what it was still to be asked
                process.stdin.close()


def _listen(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        for line in stream:
            answers.put(line)
    answers.put("")


@cache
def _worker() -> MathsWorker:
    worker = MathsWorker()
    atexit.register(worker.close)
    return worker
