"""The plan: everything that can be known before a weight is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from train.adapter_sections import LowRank
from train.data import DatasetRows, Role, read_dataset
from train.methods import METHODS, Method
from train.plan import levers, reinforcement, settings, tempering, vision
from train.plan import teacher as teachers
from train.plan.facts import ModelFacts
from train.plan.layout import Layout, lay_out, widths
from train.plan.ledger import TokenLedger, enforce, make_ledger
from train.plan.lengths import length_curve
from train.plan.machine import Machine, read_machine
from train.plan.needs import adalora_warnings, check_libraries
from train.plan.schedule import Schedule, make_schedule
from train.plan.settings import Decided
from train.plan.tokens import check_vocabulary, tokenise
from train.plan.trainable import trainable
from train.recipe import Adapter, PeftAdapter, TrainSection
from train.rows import JoinedRows, TokenRow
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer
    from train.teacher import Teacher


@dataclass(frozen=True)
class SourcePlan:
    """What one dataset gives to the run."""

    role: str
    path: str
    digest: str
    rows: int
    """Kept rows."""
    rows_seen: int
    """Over all steps."""
    epochs: float
    """Passes over the kept rows."""
    tokens: int
    """Tokens of the kept rows."""
    longest: int
    """Tokens of the longest kept row."""


@dataclass(frozen=True)
class Plan:
    """Numbers of the run to come. Equal inputs give an equal plan."""

    method: Mapping[str, Any]
    adapter: Mapping[str, Any]
    model_path: str
    model_digest: str
    model_parameters: int
    trainable_parameters: int
    template_digest: str
    steps: int
    batch_size: int
    sources: Sequence[SourcePlan]
    tokens_seen: int
    """Over all steps, padding not counted."""
    tokens_trained: int
    """Of those, the ones that carry loss."""
    padding_share: float
    """Part of what the device computes that is padding."""
    settings: Mapping[str, Decided]
    """Values in effect with their reasons."""
    levers: Mapping[str, Decided]
    """What makes steps faster or smaller, each as chosen for this machine, with its reason."""
    optimizer: str
    neftune: float | None
    tempering: Mapping[str, Any]
    """The recipe's."""
    trainable_token_ids: Sequence[int]
    schedule_digest: str
    """SHA-256 over the rows in their order: ids, tokens, and which of them carry loss."""
    seed: int
    weight_decay: float
    max_grad_norm: float
    schedule: str
    warnings: Sequence[str]

    def __getitem__(self, name: str) -> Any:
        """Return the value of a setting."""
        return self.settings[name].value

    @cached_property
    def adapter_section(self) -> Adapter:
        """The recipe's adapter."""
        section: Adapter = TypeAdapter(Adapter).validate_python(dict(self.adapter))
        return section

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the plan's own content."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Return the document saved as `plan.json`."""
        return {"schema_version": 1, "digest": self.digest, **asdict(self)}


@dataclass(frozen=True)
class Prepared:
    """The plan with what the trainer reads: rows, their order, their account."""

    plan: Plan
    rows: JoinedRows
    """Rows of the dataset, then replay rows; the schedule's indices point here."""
    schedule: Schedule
    ledger: TokenLedger


def prepare(
    section: TrainSection,
    *,
    dataset: Path,
    replay: Path | None,
    facts: ModelFacts,
    model_digest: str,
    tokenizer: ChatTokenizer,
    weights: str = "auto",
    machine: Machine | None = None,
    teacher: Teacher | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Prepared:
    """Read the data, tokenise it, account for it and decide the order of rows.

    Pure: the same files, recipe and machine give the same result; imports no torch.

    Args:
        section: of the recipe.
        dataset: to learn from.
        replay: to replay.
        facts: of the model.
        model_digest: of its files.
        tokenizer: of the model.
        weights: `model.dtype`.
        machine: where the run will be; None: this one.
        teacher: what is learnt from, for `distill`.
        progress: is told how far it is.

    Raises:
        UsageError: a library that is not installed, a tuner's option that peft does not know, or
            a lever of speed that this machine lacks.
        DataError: a dataset that cannot be learnt from.
        ModelError: a trainable token that is not one token of the tokenizer, or a token that the
            model does not know.
        LimitExceeded: more rows lost than the recipe allows.
    """
    check_libraries(section)
    vision.check_parts(section, facts)
    learning = vision.learning_facts(facts, section.vision)
    trainable(section.adapter, learning, ())  # what does not fit is told before rows are read
    question = levers.Question(section, facts, machine or read_machine(), weights)
    chosen = levers.decide(question)
    method = METHODS[section.method.kind]
    method.demand(section)
    paths = [dataset] if replay is None else [dataset, replay]
    if method.reads_images:  # others refuse them as they read
        vision.demand_images(section, paths, tokenizer)
    datasets = [_read(dataset, "train", method, progress)]
    if replay is not None:
        datasets.append(_read(replay, "replay", method, progress))
    from train.proof.template import check_template, padding_token  # imports this package

    if method.makes == "language" and any(one.uses_template for one in datasets):
        check_template(tokenizer)
    limit = settings.max_length(section, facts)
    row_limit = reinforcement.row_limit(section, int(limit.value))
    tokenised = [
        tokenise(
            one,
            tokenizer,
            method,
            max_length=row_limit,
            too_long=section.too_long,
            target=lambda row: method.target(row, section),
            progress=lambda done, total, role=one.role: progress(  # type: ignore[misc]
                f"tokenising {role}", done, total
            ),
        )
        for one in datasets
    ]
    reserved = int(limit.value) - row_limit
    curve = length_curve(tokenised, limit=row_limit, reserved=reserved, context=facts.context)
    ledger = replace(make_ledger(tokenised), lengths=curve)
    enforce(ledger, section.limits, max_length=row_limit)
    rows = JoinedRows([one.kept for one in tokenised])
    pad_id = padding_token(tokenizer)[0]
    check_vocabulary(rows, pad_id, facts.vocabulary, tokenizer)
    if teacher is not None:
        check_vocabulary(rows, pad_id, teacher.facts.vocabulary, tokenizer)
    epochs = settings.epochs(section)
    batches = reinforcement.generated_batches(
        section, len(tokenised[0].kept), float(epochs.value) if epochs else None
    )
    schedule = make_schedule(
        train_rows=len(tokenised[0].kept),
        replay_rows=len(rows) - len(tokenised[0].kept),
        replay_share=section.tempering.replay.share if section.tempering.replay else 0.0,
        lengths=rows.padded,
        batch_size=section.batch_size,
        micro_batch_size=section.batch_size,
        steps=batches or section.steps,
        epochs=float(epochs.value) if epochs and not batches else None,
        seed=section.seed,
    )
    schedule = reinforcement.with_iterations(section, schedule)
    costs = reinforcement.costs(section, rows.padded)
    micro = settings.micro_batch_size(section, facts, schedule, costs, method.least_at_once)
    if batches is None:  # completions of a whole batch are mixed before they are split
        schedule = replace(schedule, micro_batch_size=int(micro.value))
    layout = lay_out(section, facts, schedule, rows, chosen, capacity=int(limit.value))
    schedule = layout.schedule
    if layout.packing is not None:
        micro, ledger = layout.micro_batch_size, replace(ledger, packing=layout.packing)
    chosen["compile"] = levers.compile_model(question, len(layout.shapes))
    decided = {
        "learning_rate": settings.learning_rate(section, facts, method),
        "warmup_steps": settings.warmup_steps(section, schedule.steps),
        "max_length": limit,
        "micro_batch_size": micro,
        "checkpoint_every": settings.checkpoint_every(section, schedule.steps),
        "threads": settings.threads(section, facts),
    }
    decided |= vision.decided(section, facts)
    decided |= reinforcement.decided(section, schedule.steps, decided["checkpoint_every"])
    decided |= tempering.decided(section, facts, rows, schedule)
    precision = str(levers.precision(question).value)
    decided |= teachers.decided(teacher, facts, rows, precision)
    decided |= tempering.probe_every(section, schedule.steps, decided["checkpoint_every"])
    if epochs:
        decided["epochs"] = epochs
    if isinstance(section.adapter, LowRank):
        decided["lora_alpha"] = settings.lora_alpha(section.adapter)
    plan = _plan(section, facts, model_digest, tokenizer, datasets, rows, layout, decided, chosen)
    plan = replace(plan, warnings=[*plan.warnings, *ledger.warnings()])
    return Prepared(plan, rows, schedule, ledger)


def _plan(
    section: TrainSection,
    facts: ModelFacts,
    model_digest: str,
    tokenizer: ChatTokenizer,
    datasets: Sequence[DatasetRows],
    rows: JoinedRows,
    layout: Layout,
    decided: Mapping[str, Decided],
    chosen: Mapping[str, Decided],
) -> Plan:
    schedule = layout.schedule
    token_ids = trainable_token_ids(section, tokenizer)
    tokens_seen = int(rows.tokens[schedule.order].sum())
    sources = [_source(one, rows, schedule) for one in datasets]
    return Plan(
        method=section.method.model_dump(mode="json", by_alias=True),
        adapter=section.adapter.model_dump(mode="json"),
        model_path=str(facts.path),
        model_digest=model_digest,
        model_parameters=facts.parameters,
        trainable_parameters=trainable(
            section.adapter,
            vision.learning_facts(facts, section.vision),
            token_ids,
            schedule.steps,
        )
        + _reward_head(section, facts),
        template_digest=tokenizer.template_digest,
        steps=schedule.steps,
        batch_size=section.batch_size,
        sources=sources,
        tokens_seen=tokens_seen,
        tokens_trained=int(rows.trained[schedule.order].sum()),
        padding_share=padding_share(schedule, rows, chosen),
        settings=decided,
        levers=chosen,
        optimizer=section.optimizer,
        neftune=section.neftune,
        tempering=section.tempering.model_dump(mode="json"),
        trainable_token_ids=token_ids,
        schedule_digest=schedule_digest(rows, schedule),
        seed=section.seed,
        weight_decay=section.weight_decay,
        max_grad_norm=section.max_grad_norm,
        schedule=section.schedule,
        warnings=[
            *_warnings(section, sources, schedule),
            *layout.warnings,
            *METHODS[section.method.kind].inspect(section, rows),
            *_template_notes(tokenizer, datasets),
        ],
    )


def padding_share(schedule: Schedule, rows: JoinedRows, chosen: Mapping[str, Decided]) -> float:
    """Return the part of what the device computes that is padding."""
    of_steps = widths(schedule, rows, flat=chosen["padding_free"].value == "on")
    computed = sum(count * width for step in of_steps for count, width in step)
    return round(1 - int(rows.tokens[schedule.order].sum()) / computed, 4)


def _read(
    path: Path, role: Role, method: Method, progress: Callable[[str, int, int], None]
) -> DatasetRows:
    return read_dataset(
        path,
        role,
        accepts=method.accepts,
        method=method.name,
        reads_images=method.reads_images,
        progress=lambda done, total: progress(f"reading images of {role}", done, total),
    )


def _source(dataset: DatasetRows, rows: JoinedRows, schedule: Schedule) -> SourcePlan:
    own = rows.replayed if dataset.role == "replay" else ~rows.replayed
    kept, rows_seen = int(own.sum()), int(own[schedule.order].sum())
    return SourcePlan(
        role=dataset.role,
        path=str(dataset.path),
        digest=dataset.digest,
        rows=kept,
        rows_seen=rows_seen,
        epochs=round(rows_seen / kept, 3),
        tokens=int(rows.tokens[own].sum()),
        longest=int(rows.padded[own].max()) // rows.per_row,
    )


def _reward_head(section: TrainSection, facts: ModelFacts) -> int:
    """Return how many more weights a reward model trains: a head, but no output matrix."""
    if METHODS[section.method.kind].makes != "reward":
        return 0
    left_out = 0
    if section.adapter.kind == "full" and not facts.tied_embeddings:
        left_out = facts.hidden_size * (facts.vocabulary or 0)
    return facts.hidden_size - left_out


def trainable_token_ids(section: TrainSection, tokenizer: ChatTokenizer) -> list[int]:
    """Return the ids of `adapter.trainable_tokens`.

    Raises:
        ModelError: one of them is several tokens, which would train the wrong ones.
    """
    if not isinstance(section.adapter, LowRank):
        return []
    found = {}
    for text in section.adapter.trainable_tokens:
        ids = tokenizer.encode(text)
        if len(ids) != 1:
            pieces = ", ".join(repr(tokenizer.decode([one])) for one in ids)
            raise ModelError(
                f"{text!r} is not one token of this tokenizer",
                where="train.adapter.trainable_tokens",
                cause=f"It is {len(ids)}: {pieces}.",
                cure="Name its pieces one by one, as they occur in the answers.",
            )
        found[ids[0]] = text
    return sorted(found)


def schedule_digest(rows: JoinedRows, schedule: Schedule) -> str:
    """Return the SHA-256 over the rows in their order and how they are split."""
    total = hashlib.sha256()
    digests = {index: _row_digest(rows[index]) for index in set(schedule.order.tolist())}
    for index in schedule.order.tolist():
        total.update(digests[index])
    total.update(schedule.offsets.tobytes())
    total.update(str(schedule.micro_batch_size).encode())
    if schedule.packs is not None:
        total.update(schedule.packs.tobytes())
    return total.hexdigest()


def _row_digest(row: TokenRow) -> bytes:
    total = hashlib.sha256(f"{row.role}\0{row.row_id}\0{row.tokens}\n".encode())
    for one in row.sequences:
        total.update(one.input_ids.astype("<i4").tobytes())
        total.update(one.loss_mask.tobytes())
    for digest in row.pictures:
        total.update(digest.encode())
    if not isnan(row.target):
        total.update(row.target.hex().encode())
    return total.digest()


def _warnings(
    section: TrainSection, sources: Sequence[SourcePlan], schedule: Schedule
) -> list[str]:
    out = []
    train = sources[0]
    if train.epochs < 1:
        out.append(
            f"the run sees {train.rows_seen:,} of {train.rows:,} rows: "
            f"{train.epochs:.2f} epochs in {schedule.steps:,} steps"
        )
    if isinstance(section.adapter, PeftAdapter) and section.adapter.tuner == "ADALORA":
        out += adalora_warnings(section.adapter, section.method.kind)
    adapter = section.adapter
    dropout = adapter.dropout if isinstance(adapter, LowRank) else 0.0
    if dropout and section.method.kind in ("dpo", "kto"):
        out.append(
            f"train.adapter.dropout {dropout:g} is not used: {section.method.kind} compares "
            "likelihoods with the base's, and dropout would be taken for a change"
        )
    if all(one.role != "replay" for one in sources):
        out.append("nothing is replayed: measure what the model forgets with a retention suite")
    probe = section.tempering.probe
    if probe is not None and probe.every is not None and probe.every >= schedule.steps:
        out.append(
            f"tempering.probe is asked after the last of {schedule.steps:,} steps only: there is "
            "no earlier one to choose; lower its `every`"
        )
    return out + reinforcement.warnings(section)


def _template_notes(tokenizer: ChatTokenizer, datasets: Sequence[DatasetRows]) -> Sequence[str]:
    """Return what is to be known of a template without marks, if rows pass it."""
    if tokenizer.has_generation_marks or not any(one.uses_template for one in datasets):
        return ()
    return [f"chat template: {note}" for note in tokenizer.reading.notes]
