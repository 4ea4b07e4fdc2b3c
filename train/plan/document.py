"""The plan's document, from what was read, laid out and decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from train.adapter_sections import LowRank
from train.data import DatasetRows
from train.methods import METHODS
from train.plan import reinforcement, vision
from train.plan.facts import ModelFacts
from train.plan.layout import Layout
from train.plan.needs import adalora_warnings
from train.plan.plan import Plan, SourcePlan, padding_share, schedule_digest
from train.plan.schedule import Schedule
from train.plan.settings import Decided
from train.plan.trainable import trainable
from train.recipe import PeftAdapter, TrainSection
from train.rows import JoinedRows
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


def make_plan(
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
