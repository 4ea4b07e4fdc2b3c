"""`results.json`: what an evaluation found, complete enough to draw every report from it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.overfitting.records import OverfittingRecord
from evalsuite.report.judgements import JudgeRecord, WinRateRecord
from evalsuite.triage.records import TriageRecord
from evalsuite.verdict import Canary, Purpose, Verdict
from evalsuite.why.records import FailureGroup
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

    @property
    def place(self) -> str:
        """Where its weights lie, and the beginning of their digest where it is known."""
        return f"{self.path} (sha256 {self.digest[:12]})" if self.digest else self.path


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

    @property
    def key(self) -> str:
        """Unique in a document: a model may be held against its base and against a baseline."""
        return self.tuned if self.base == "base" else f"{self.tuned} against {self.base}"


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


class BestPrompt(_Record):
    """The best way of asking the base, chosen on one half of the items, told on the other."""

    ability: str
    """The target ability."""
    suite: str
    """The suite that has it."""
    name: str
    """The way of asking, by its name in `prompt_baselines`."""
    seed: int
    """Which items chose: a hash of their clusters with this seed."""
    chosen_on: int
    """Items that chose it."""
    chosen_score: float
    """Mean score on those: too high by choosing, and shown for that reason alone."""
    n: int
    """Items that did not choose it; all that follows is of them."""
    score: float
    """Mean score."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    prompt_tokens: float
    """Mean tokens of a prompt."""
    plain_score: float
    """Mean score of the base zero-shot."""
    plain_prompt_tokens: float
    """Mean tokens of a zero-shot prompt."""
    over_plain: float
    """Score minus the zero-shot score."""
    over_plain_low: float
    """Lower end of the 95 % interval of that difference, paired."""
    over_plain_high: float
    """Upper end of it."""


class PromptGain(_Record):
    """What a tuned model adds to the best prompt, on the items that did not choose the prompt."""

    ability: str
    """The target ability."""
    tuned: str
    """Name of the tuned model in `models`."""
    prompt: str
    """The best way of asking the base."""
    evaluation: str = ""
    """Id of the earlier evaluation that tried the prompts on the same base and items; empty where
    it was this one."""
    n: int
    """Items."""
    score: float
    """Mean score of the base, asked so."""
    tuned_score: float
    """Mean score of the tuned model."""
    difference: float
    """Tuned minus base asked so."""
    low: float
    """Lower end of the 95 % interval of the difference, paired."""
    high: float
    """Upper end of it."""
    min_gain: float
    """The suite's smallest gain that counts."""
    prompt_tokens: float
    """Mean tokens of the best prompt."""
    tuned_prompt_tokens: float
    """Mean tokens of the tuned model's prompt."""


class Recommendation(_Record):
    """Whether to tune, for one target ability."""

    ability: str
    """The target ability."""
    tuned: str = ""
    """The tuned model that was compared with the best prompt; empty before tuning."""
    decision: Literal["tune", "do not tune", "undecided"]
    """What follows from the intervals."""
    sentence: str
    """The decision with its figures and what it costs."""


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


class Band(_Record):
    """A figure with its 95 % interval."""

    value: float
    """The figure."""
    low: float | None = None
    """None where all items agree, so that there is nothing to estimate it from."""
    high: float | None = None
    """As `low`."""


class SequenceRecord(_Record):
    """Runs that were tuned one after another, each for a task of its own."""

    runs: list[str]
    """Models in the order of their training."""
    tasks: list[str]
    """Target abilities: what the first, second ... run was trained for."""
    base: list[float]
    """The untrained model's score on each task."""
    scores: list[list[float]]
    """Row t: the score on each task after run t."""
    accuracy: float
    """Mean score over all tasks after the last run."""
    backward: Band
    """BWT: mean change of earlier tasks since they were learnt; negative is forgetting."""
    forward: Band
    """FWT: mean head start over the base on tasks not yet learnt."""
    forgetting: float
    """Mean drop from each earlier task's best score to its last."""


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
    """Prompts tried in place of tuning, each on all items."""
    best_prompts: list[BestPrompt] = Field(default_factory=list)
    """The best of them for each target ability."""
    prompt_gains: list[PromptGain] = Field(default_factory=list)
    """What each tuned model adds to the best prompt."""
    recommendations: list[Recommendation] = Field(default_factory=list)
    """Whether to tune, in one sentence for each target ability."""
    failures: list[FailureGroup] = Field(default_factory=list)
    """What failed in abilities that did not pass, in groups, with the nearest training rows."""
    overfitting: list[OverfittingRecord] = Field(default_factory=list)
    """What each tuned model makes of the data it was trained on."""
    triage: list[TriageRecord] = Field(default_factory=list)
    """Abilities that were lost, asked again in other ways."""
    sequence: SequenceRecord | None = None
    """Transfer over runs that were tuned one after another, where they are said to be."""
    noise_floor: NoiseFloor | None = None
    """The base against itself, where it was run."""
    judges: list[JudgeRecord] = Field(default_factory=list)
    """Tasks that other models scored."""
    win_rates: list[WinRateRecord] = Field(default_factory=list)
    """How tuned models do against the base where answers are compared."""
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

    def bases(self) -> list[ModelRecord]:
        """Return what tuned models are held against, each once: names alone do not tell which."""
        names = dict.fromkeys(one.base for one in self.comparisons)
        return [model for name in names for model in self.models if model.name == name]

    def own_data_of(self, tuned: str) -> OverfittingRecord | None:
        """Return what a tuned model's own data showed, if that was asked for."""
        return next((one for one in self.overfitting if one.tuned == tuned), None)

    def triage_of(self, tuned: str) -> list[TriageRecord]:
        """Return the lost abilities of a tuned model that were asked again."""
        return [one for one in self.triage if one.tuned == tuned]

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
