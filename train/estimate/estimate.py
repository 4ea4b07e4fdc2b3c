"""Which GPU holds which way of training, how long it takes there and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from train.estimate.advice import advise
from train.estimate.cell import Cell
from train.estimate.compute import Hours, Work, flops_per_token, hours
from train.estimate.gpus import PRICES_FROM, GpuType
from train.estimate.memory import Load, Memory, memory, trained_parameters, whole_logits_bytes
from train.estimate.shapes import ModelShape
from train.estimate.ways import CHECKPOINTED_ABOVE, Demand, Way, WayName

TOKENS_AT_ONCE = 4096
"""What a micro-batch is filled up to where the recipe does not say."""
TIGHT = 0.9
"""Above this part of a GPU's memory, an estimate cannot promise that it fits."""
MILLION = 1_000_000


@dataclass(frozen=True)
class Question:
    """What is to be trained."""

    shape: ModelShape
    ways: Sequence[Way]
    chosen: WayName
    """The recipe's way."""
    demand: Demand
    batch_size: int
    length: int
    """Tokens of the longest sequence."""
    length_reason: str
    micro_batch: int | None = None
    """Rows at once by the plan; None: as many as fill 4,096 tokens."""
    work: Work | None = None
    """Tokens of the plan; None: time and money are for a million tokens."""

    @property
    def checkpointing(self) -> bool:
        """Whether the trainer computes activations again."""
        return self.shape.parameters > CHECKPOINTED_ABOVE

    @property
    def wanted(self) -> int:
        """Rows at once that are tried first."""
        if self.micro_batch is not None:
            return self.micro_batch
        rows = [
            size
            for size in _divisors(self.batch_size)
            if size * self.length * self.demand.sequences <= TOKENS_AT_ONCE
        ]
        return max(rows, default=1)


@dataclass(frozen=True)
class Estimate:
    """The answer, with what it was computed from."""

    question: Question
    cells: Sequence[Cell]
    recommendation: str

    def at(self, gpu: GpuType) -> list[Cell]:
        """Return the ways on one GPU."""
        return [cell for cell in self.cells if cell.gpu == gpu]

    @property
    def gpus(self) -> list[GpuType]:
        """The GPUs in their order."""
        return list(dict.fromkeys(cell.gpu for cell in self.cells))

    def planned(self, way: Way) -> Memory:
        """Return the memory of a way with the rows at once that are tried first."""
        load = Load(self.question.wanted, self.question.length, self.question.demand)
        return memory(self.question.shape, way, load, checkpointing=self.question.checkpointing)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data: bytes, hours, US dollars."""
        asked = self.question
        tokens = asked.wanted * asked.length * asked.demand.sequences
        return {
            "model": {
                "name": asked.shape.name,
                "family": asked.shape.family,
                "parameters": asked.shape.parameters,
                "parts": asked.shape.parts(),
                "notes": list(asked.shape.notes),
            },
            "way": asked.chosen,
            "length": asked.length,
            "length_reason": asked.length_reason,
            "micro_batch_size": asked.wanted,
            "tokens": asked.work.tokens if asked.work else None,
            "time_is_for": "the plan" if asked.work else "a million tokens",
            "whole_logits_bytes": whole_logits_bytes(asked.shape, tokens),
            "trained": {way.name: trained_parameters(asked.shape, way) for way in asked.ways},
            "memory": {way.name: _bytes(self.planned(way)) for way in asked.ways},
            "gpus": [_gpu_dict(gpu, self.at(gpu)) for gpu in self.gpus],
            "prices_from": PRICES_FROM,
            "recommendation": self.recommendation,
        }


def estimate(question: Question, gpus: Sequence[GpuType]) -> Estimate:
    """Return memory, hours and money of each way on each GPU, and what to do. Pure."""
    cells = [cell(question, way, gpu) for gpu in gpus for way in question.ways]
    return Estimate(question, cells, advise(question.chosen, cells))


def cell(question: Question, way: Way, gpu: GpuType) -> Cell:
    """Return one way on one GPU, with the most rows at once that fit."""
    sizes = [one for one in _divisors(question.batch_size) if one <= question.wanted]
    for size in sorted({*sizes, question.wanted}, reverse=True):
        load = Load(size, question.length, question.demand)
        taken = memory(question.shape, way, load, checkpointing=question.checkpointing)
        if taken.total <= gpu.memory_bytes or size == 1:
            break
    fits = taken.total <= gpu.memory_bytes
    spent = _hours(question, way, gpu, size) if fits else None
    return Cell(
        gpu=gpu,
        way=way.name,
        fits=fits,
        is_tight=fits and taken.total > TIGHT * gpu.memory_bytes,
        micro_batch=size,
        checkpointing=question.checkpointing,
        memory=taken,
        hours=spent,
        money=_money(spent, gpu),
    )


def _hours(question: Question, way: Way, gpu: GpuType, size: int) -> Hours | None:
    work = question.work or Work(MILLION, question.length)
    flops = flops_per_token(
        question.shape,
        way,
        question.demand,
        work.mean_length,
        checkpointing=question.checkpointing,
    )
    at_once = size * question.demand.sequences * work.mean_length
    return hours(gpu, way, work, flops, tokens_at_once=at_once)


def _money(spent: Hours | None, gpu: GpuType) -> Hours | None:
    if spent is None or gpu.price is None:
        return None
    return Hours(spent.low * gpu.price, spent.high * gpu.price)


def _divisors(number: int) -> Iterator[int]:
    return (one for one in range(1, number + 1) if number % one == 0)


def _bytes(taken: Memory) -> dict[str, int]:
    return {**taken.terms(), "total": taken.total}


def _gpu_dict(gpu: GpuType, cells: Sequence[Cell]) -> dict[str, Any]:
    return {
        **asdict(gpu),
        "ways": {
            one.way: {
                "fits": one.fits,
                "is_tight": one.is_tight,
                "micro_batch_size": one.micro_batch,
                "checkpointing": one.checkpointing,
                "memory_bytes": one.memory.total,
                "hours": asdict(one.hours) if one.hours else None,
                "dollars": asdict(one.money) if one.money else None,
            }
            for one in cells
        },
    }
