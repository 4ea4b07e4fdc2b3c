"""The plan: everything that can be known before a weight is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isnan
from typing import Any

from pydantic import TypeAdapter

from train.plan.layout import widths
from train.plan.ledger import TokenLedger
from train.plan.schedule import Schedule
from train.plan.settings import Decided
from train.recipe import Adapter
from train.rows import JoinedRows, TokenRow


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


def padding_share(schedule: Schedule, rows: JoinedRows, chosen: Mapping[str, Decided]) -> float:
    """Return the part of what the device computes that is padding."""
    of_steps = widths(schedule, rows, flat=chosen["padding_free"].value == "on")
    computed = sum(count * width for step in of_steps for count, width in step)
    return round(1 - int(rows.tokens[schedule.order].sum()) / computed, 4)


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
