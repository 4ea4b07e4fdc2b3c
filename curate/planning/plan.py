"""From rows and bytes to seconds, memory and disk, by what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.embedding.configs import SemanticDuplicates, Topics
from curate.planning.machine import free_disk_bytes, free_memory_bytes
from curate.planning.sample import Expected, expected
from curate.recipe import CurateSection
from curate.steps.configs import StepConfig
from curate.steps.quality.configs import Redact
from curate.steps.scoring.configs import Score
from curate.steps.selection.configs import Select
from workspace.errors import LimitExceeded

LARGE_BYTES = 200_000_000
LARGE_ROWS = 200_000
_SPARE = 0.9
"""Part of the free memory that may be planned for."""


@dataclass(frozen=True)
class Cost:
    """What a row and a megabyte of its text (as JSON) come to."""

    row: float
    megabyte: float

    def of(self, seen: Expected) -> float:
        """Return the cost of all rows."""
        return self.row * seen.rows + self.megabyte * seen.text_bytes / 1e6


# Seconds of CPU on cores of about 2.5 GHz: what a machine with little else to do needs by the
# clock, or less where stages use several cores. `python bench/curate_plan.py` measures them again.
SECONDS = {
    "reading": Cost(6.0e-6, 0.03),
    "counting tokens": Cost(5.0e-5, 1.1),
    "comparing rows": Cost(1.2e-5, 0.025),
    "steps": Cost(2.0e-6, 0.002),
    "splitting": Cost(3.0e-5, 0.06),
    "writing": Cost(1.5e-5, 0.04),
}
PEAK_BYTES_FIXED = 450e6
PEAK_BYTES = Cost(600.0, 5.0e6)
DISK_BYTES = Cost(220.0, 3.0e6)
"""Work files, what the cache keeps, and the dataset, together."""
_COMPARING = frozenset(
    {"exact_duplicates", "near_duplicates", "contradictions", "repeated_prompts"}
    | {"repeated_answers", "preference_pairs", "decontaminate", "select"}
)
_REWRITING = frozenset({"repair", "redact", "balance", "topics", "score"})
"""Steps after which all rows are written anew."""
_REWRITTEN_BYTES = 0.7e6
"""What that takes, for each megabyte of text."""


@dataclass(frozen=True)
class Stage:
    """A part of the work."""

    name: str
    seconds: float


@dataclass(frozen=True)
class CurationPlan:
    """What a curation is expected to take."""

    expected: Expected
    stages: tuple[Stage, ...]
    peak_memory_bytes: int
    free_memory_bytes: int
    disk_bytes: int
    free_disk_bytes: int
    untimed: tuple[str, ...] = ()
    """Steps in which a model reads every row: how long that takes depends on the model."""

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def is_large(self) -> bool:
        """Whether a person should see it before the work begins."""
        return self.expected.size_bytes > LARGE_BYTES or self.expected.rows > LARGE_ROWS

    @property
    def told_time(self) -> str:
        """How long it takes, and what of it is not known beforehand."""
        from workspace.context import duration

        beside = f", and what the models of {', '.join(self.untimed)} take" if self.untimed else ""
        return f"{duration(self.seconds)}{beside}"

    @property
    def lacks(self) -> str:
        """What there is not enough of; empty where there is."""
        if self.peak_memory_bytes > _SPARE * self.free_memory_bytes:
            return (
                f"It takes about {self.peak_memory_bytes / 1e9:.1f} GB of memory at its peak; "
                f"{self.free_memory_bytes / 1e9:.1f} GB are free."
            )
        if self.disk_bytes > self.free_disk_bytes:
            return (
                f"It takes about {self.disk_bytes / 1e9:.1f} GB of disk; "
                f"{self.free_disk_bytes / 1e9:.1f} GB are free."
            )
        return ""

    def lines(self) -> Iterator[str]:
        """Yield the plan as text."""
        from workspace.context import duration

        seen = self.expected
        yield (
            f"Plan: about {seen.rows:,} rows in {seen.files:,} "
            f"file{'' if seen.files == 1 else 's'} of {seen.size_bytes / 1e6:,.0f} MB"
        )
        each = ", ".join(f"{one.name} {duration(one.seconds)}" for one in self.stages)
        yield f"  time    about {self.told_time}: {each}"
        yield (
            f"  memory  about {self.peak_memory_bytes / 1e9:.1f} GB at its peak, "
            f"{self.free_memory_bytes / 1e9:.1f} GB free"
        )
        yield (
            f"  disk    about {self.disk_bytes / 1e9:.1f} GB, "
            f"{self.free_disk_bytes / 1e9:.1f} GB free"
        )

    def check(self) -> None:
        """Stop before the work if it cannot end well.

        Raises:
            LimitExceeded: memory or disk will not do.
        """
        if self.is_large and self.lacks:
            raise LimitExceeded(
                "this curation is too large for this machine",
                cause=self.lacks,
                cure="Curate the files in parts and join the results with a second recipe, free "
                "some space, or begin all the same with --force. Nothing was begun.",
            )


def plan_curation(
    section: CurateSection, base_dir: Path, disk: Path, *, counts_tokens: bool
) -> CurationPlan:
    """Say what a curation will take, without reading more than a few rows of each file.

    The seconds are those of a first run: what the cache has costs next to nothing.

    Args:
        section: what is to be done.
        base_dir: what relative paths are relative to.
        disk: where results go.
        counts_tokens: a model is there whose tokenizer counts.

    Raises:
        DataError: a source is missing, empty or damaged at its beginning.
    """
    seen = expected(section.sources, base_dir)
    rewritten = sum(step.name in _REWRITING for step in section.steps) + counts_tokens
    disk_bytes = DISK_BYTES.of(seen) + rewritten * _REWRITTEN_BYTES * seen.text_bytes / 1e6
    return CurationPlan(
        seen,
        tuple(_stages(section, seen, counts_tokens=counts_tokens)),
        round(PEAK_BYTES_FIXED + PEAK_BYTES.of(seen)),
        free_memory_bytes(),
        round(disk_bytes),
        free_disk_bytes(disk),
        tuple(dict.fromkeys(step.name for step in section.steps if _asks_a_model(step))),
    )


def _asks_a_model(step: StepConfig) -> bool:
    settings = step.settings
    if isinstance(settings, Redact):
        return settings.presidio is not None
    if isinstance(settings, Select):
        return settings.vectors != "lexical"
    if isinstance(settings, SemanticDuplicates | Topics):
        return settings.embedder != "lexical"
    return isinstance(settings, Score)


def _stages(section: CurateSection, seen: Expected, *, counts_tokens: bool) -> Iterator[Stage]:
    splits = bool(section.split.validation or section.split.test)
    compares = splits or any(step.name in _COMPARING for step in section.steps)
    for name, times in (
        ("reading", 1),
        ("counting tokens", int(counts_tokens)),
        ("comparing rows", int(compares)),
        ("steps", len(section.steps)),
        ("splitting", int(splits)),
        ("writing", 1),
    ):
        if times:
            yield Stage(name, times * SECONDS[name].of(seen))
