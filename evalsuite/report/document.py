"""`results.json`: what an evaluation found, complete enough to draw every report from it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.verdict import Canary, Purpose, Verdict
from workspace.errors import DataError
from workspace.files import read_json, write_json

SCHEMA_VERSION: Literal[1] = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRecord(_Record):
    """One model that answered, by the name used in `samples.parquet`."""

    name: str
    """Short name, for example `base` or `tempered`."""
    role: Literal["base", "tuned"]
    """Which side of the pairs it is on."""
    path: str
    """Directory or hub name, with the revision where there is one."""
    digest: str
    """SHA-256 over the weight files."""
    adapter_digest: str | None = None
    """SHA-256 over the adapter's files, when it is an adapter on the base."""
    tokenizer_digest: str | None = None
    """SHA-256 of the tokenizer."""
    template_digest: str | None = None
    """SHA-256 of the chat template."""
    dtype: str = "float32"
    """Precision in which it ran."""
    device: str = "cpu"
    """Where it ran."""
    parameters: int | None = None
    """Number of weights."""


class SuiteRecord(_Record):
    """One suite with the terms fixed before training."""

    name: str
    """Name in the suite file."""
    purpose: Purpose
    """target or retention."""
    path: str
    """Suite file."""
    digest: str
    """SHA-256 over the suite and its items."""
    items: int
    """Items over all tasks."""
    tasks: int
    """Number of tasks."""
    margin: float
    """Largest acceptable loss."""
    alpha: float
    """Level of each one-sided test."""
    min_items: int
    """Items below which an ability cannot pass."""
    min_gain: float = 0.0
    """Gain a target must exceed."""


class ComparisonRecord(_Record):
    """One tuned model against the base."""

    base: str
    """Name of the base in `models`."""
    tuned: str
    """Name of the tuned model in `models`."""
    verdict: Verdict
    """The decision with its evidence."""


class PromptBaseline(_Record):
    """What a prompt alone reaches on a target, for the question whether tuning is needed."""

    name: str
    """For example `zero-shot`, `3 examples` or the name of a prompt of the user's."""
    model: str
    """Name of the model in `models`."""
    ability: str
    """The target ability."""
    score: float
    """Mean score."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    n: int
    """Items."""
    prompt_tokens: float | None = None
    """Mean tokens of a prompt: what every request costs."""


class NoiseFloor(_Record):
    """The base against itself: what changes when nothing changed."""

    items: int
    """Items answered twice."""
    flips: int
    """Items whose score differed."""
    largest_log_probability_difference: float | None = None
    """Largest absolute difference of a summed log-probability, nats."""
    detail: str = ""
    """What was varied, for example the batch size."""


class Results(_Record):
    """The whole document."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this layout."""
    id: str
    """Id of the evaluation, also the name of its directory."""
    title: str = ""
    """What the reports are headed with; the id when empty."""
    created: str
    """Start, ISO 8601 with the offset."""
    seconds: float | None = None
    """Wall time of the evaluation."""
    models: list[ModelRecord]
    """Every model that answered."""
    suites: list[SuiteRecord]
    """Every suite that was put."""
    comparisons: list[ComparisonRecord]
    """One per tuned model."""
    canaries: list[Canary] = Field(default_factory=list)
    """Checks that hold for all comparisons; each verdict has its own besides."""
    prompt_baselines: list[PromptBaseline] = Field(default_factory=list)
    """Prompts tried in place of tuning."""
    noise_floor: NoiseFloor | None = None
    """The base against itself, where it was run."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Versions and machine."""
    commands: list[str] = Field(default_factory=list)
    """What to type to have the same again."""
    notes: list[str] = Field(default_factory=list)
    """Whatever was skipped, defaulted or fell back, counted."""

    @property
    def heading(self) -> str:
        """Title, or the id."""
        return self.title or self.id

    @property
    def exit_code(self) -> int:
        """Of the worst comparison: invalid, then fail, then inconclusive, then pass."""
        codes = {comparison.verdict.exit_code for comparison in self.comparisons}
        return next((code for code in (5, 1, 3) if code in codes), 0 if codes else 3)


def write_results(eval_dir: Path, results: Results) -> Path:
    """Write `results.json` into the directory and return its path."""
    path = eval_dir / "results.json"
    write_json(path, results.model_dump(mode="json"))
    return path


def read_results(eval_dir: Path) -> Results:
    """Read `results.json` of an evaluation.

    Raises:
        DataError: missing, not JSON, of another version or of another shape.
    """
    path = eval_dir / "results.json"
    document = read_json(path, kind="evaluation result")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            "this evaluation was written by another version",
            where=str(path),
            cause=f"schema_version is {document.get('schema_version')!r}, not {SCHEMA_VERSION}.",
            cure="Run the evaluation again, or use the version that wrote it.",
        )
    try:
        return Results.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(
            "this evaluation result is not complete",
            where=f"{path}: {field}",
            cause=f"{first['msg']}; {error.error_count()} such problems in all.",
            cure="Run the evaluation again.",
        ) from error
