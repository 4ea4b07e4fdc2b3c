"""`rehearsal.json`: what a rehearsal measured, and what was made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from workspace.files import read_json, write_json

FILE = "rehearsal.json"
GIB = 1024**3
_NOISE = 10.0
"""A repeated loss may differ by this many times what it differed by when rehearsed."""
_RELATIVE = 1e-3
"""On a GPU, at least by this part of the loss: two equal steps may be equal by luck."""
_UNREHEARSED = 1e-2
"""The same where nothing was rehearsed."""


@dataclass(frozen=True)
class Measured:
    """What the longest batch took."""

    rows: int
    """Of each rehearsed step."""
    longest: int
    """Tokens of the longest sequence."""
    step_seconds: float
    """Of the longest step, forward, backward and update, first steps not counted."""
    mean_step_seconds: float
    """Of the run's mean step, by its tokens."""
    peak_bytes: int
    """Most memory taken by weights and steps: on a GPU what the allocator gave, on a CPU what the
    process grew by."""
    reserved_bytes: int | None
    """What the GPU's allocator held, gaps included."""
    evaluation_bytes: int
    """The same peak of one forward pass that keeps nothing, with whole logits."""
    checkpoint_bytes: int
    checkpoint_seconds: float
    reload_seconds: float
    """From the checkpoint to the next step."""
    loss: float
    """Of the step after the checkpoint."""
    repeated_loss: float
    """Of the same step, repeated from the saved checkpoint."""

    @property
    def difference(self) -> float:
        """By how much the loss of a repeated step differs."""
        return abs(self.loss - self.repeated_loss)


@dataclass(frozen=True)
class Rehearsal:
    """A rehearsal, or why there was none."""

    state: Literal["done", "reused", "off"]
    reason: str
    """Why it was not done, or nothing."""
    device: str
    micro_batch_size: int
    """Rows at once that fit."""
    did_not_fit: Sequence[int] = ()
    """Larger numbers of rows at once that ran out of memory."""
    measured: Measured | None = None
    estimate_bytes: int | None = None
    """Of the plan's formula, for what `peak_bytes` counts on a GPU."""
    estimate_seconds: Sequence[float] = ()
    """Lowest and highest for the run on this GPU by the plan; empty where it cannot say."""
    run_seconds: float | None = None
    """Steps times the mean step."""
    disk_needed_bytes: int | None = None
    """For the checkpoints that are kept, one more while it is written, and the model."""
    disk_free_bytes: int | None = None

    @property
    def tolerance(self) -> float:
        """By how much the first losses of a resumed run may differ from the record.

        On a CPU nothing, unless a repeated step differed when rehearsed.
        """
        noise = _NOISE * self.measured.difference if self.measured else 0.0
        if self.device == "cpu":
            return noise
        if self.measured is None:
            return _UNREHEARSED
        return max(noise, _RELATIVE * abs(self.measured.loss))

    def as_dict(self) -> dict[str, Any]:
        """Return the document saved as `rehearsal.json`."""
        return {"schema_version": 1, **asdict(self), "resume_tolerance": self.tolerance}

    def write(self, run: Path) -> None:
        """Save it in the run's directory."""
        write_json(run / FILE, self.as_dict())

    def lines(self) -> list[str]:
        """Return it as told to a person."""
        if self.measured is None:
            return [f"rehearsal: none ({self.reason})"]
        return [*self._told(self.measured)]

    def _told(self, found: Measured) -> list[str]:
        which = "rehearsal" if self.state == "done" else f"rehearsal, not repeated ({self.reason})"
        out = [
            f"{which}: {found.rows} rows of up to {found.longest:,} tokens, "
            f"{self.micro_batch_size} at once: {found.step_seconds:.2f} s a step, "
            f"{_size(found.peak_bytes)} {'at the peak' if self.device != 'cpu' else 'more memory'}"
            f"{self._against(found)}"
        ]
        if self.run_seconds is not None:
            planned = ""
            if self.estimate_seconds:
                low, high = (_duration(one) for one in self.estimate_seconds)
                planned = f"; the plan says {low} to {high}"
            out.append(f"the run takes about {_duration(self.run_seconds)}{planned}")
        if self.disk_needed_bytes is not None and self.disk_free_bytes is not None:
            out.append(
                f"a checkpoint is {_size(found.checkpoint_bytes)}: the run needs "
                f"{_size(self.disk_needed_bytes)} of {_size(self.disk_free_bytes)} free"
            )
        same = "bit for bit" if not found.difference else f"but for {found.difference:.2g}"
        out.append(f"saved, reloaded, and the step repeated {same}")
        return out

    def _against(self, found: Measured) -> str:
        if self.estimate_bytes is None:
            return ""
        told = f" (the plan says {_size(self.estimate_bytes)}"
        if self.device == "cpu":
            return f"{told} for a GPU)"
        return f"{told}, {found.peak_bytes / self.estimate_bytes - 1:+.0%})"


def reused(known: Rehearsal, reason: str) -> Rehearsal:
    """Return what an earlier rehearsal found, for a run that is alike."""
    return replace(known, state="reused", reason=reason)


def read_rehearsal(path: Path) -> Rehearsal:
    """Read a saved rehearsal."""
    document = read_json(path, kind="rehearsal")
    fields = {name: document[name] for name in Rehearsal.__dataclass_fields__}
    measured = fields.pop("measured")
    return Rehearsal(**fields, measured=Measured(**measured) if measured else None)


def _size(count: int) -> str:
    for unit, size in (("GiB", GIB), ("MiB", 1024**2)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1024:.0f} KiB"


def _duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
