"""What `temper plan --json` says of a recipe, as far as a form shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST_GPUS = 4


@dataclass(frozen=True)
class Cost:
    """What one GPU would take for the way that the recipe trains."""

    gpu: str
    is_here: bool
    fits: bool
    is_tight: bool
    memory_bytes: float
    gpu_bytes: float
    hours: tuple[float, float] | None
    dollars: tuple[float, float] | None


@dataclass(frozen=True)
class Estimate:
    """What a recipe would take, of one run."""

    stage: str = ""
    steps: int | None = None
    batch_size: int | None = None
    rows_kept: int | None = None
    rows_lost: int = 0
    tokens_seen: int | None = None
    tokens_trained: int | None = None
    padding_share: float | None = None
    lengths: tuple[tuple[str, int], ...] = ()
    """Share of the rows → most tokens that these have."""
    max_length: int | None = None
    way: str = ""
    costs: tuple[Cost, ...] = ()
    recommendation: str = ""
    warnings: tuple[str, ...] = ()
    reasons: Mapping[str, tuple[str, str]] | None = None
    """Dotted key that the recipe leaves out → the value decided for it, and why."""


def read_estimates(output: str) -> tuple[Estimate, ...]:
    """Return what `temper plan --json` printed: an estimate, or one for each stage.

    Raises:
        ValueError: it is something else.
    """
    document = json.loads(output)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    parts = document.get("stages", [document])
    return tuple(_estimate(part) for part in parts if isinstance(part, dict))


def _estimate(document: dict[str, Any]) -> Estimate:
    ledger = document.get("ledger") or {}
    totals = [one for one in (ledger.get("totals") or {}).values() if isinstance(one, dict)]
    lengths = ledger.get("lengths") or {}
    estimate = document.get("estimate") or {}
    way = str(estimate.get("way", ""))
    settings = {**(document.get("settings") or {})}
    return Estimate(
        stage=str(document.get("stage", "")),
        steps=document.get("steps"),
        batch_size=document.get("batch_size"),
        rows_kept=sum(one.get("rows_kept", 0) for one in totals) if totals else None,
        rows_lost=sum(one.get("rows_in", 0) - one.get("rows_kept", 0) for one in totals),
        tokens_seen=document.get("tokens_seen"),
        tokens_trained=document.get("tokens_trained"),
        padding_share=document.get("padding_share"),
        lengths=tuple((lengths.get("quantiles") or {}).items()),
        max_length=lengths.get("limit"),
        way=way,
        costs=tuple(_costs(estimate.get("gpus") or [], way)),
        recommendation=str(estimate.get("recommendation", "")),
        warnings=tuple(map(str, document.get("warnings") or ())),
        reasons={
            **{f"train.{_KEYS.get(name, name)}": one for name, one in _told(settings)},
            **{
                f"train.{name}" if name in _OF_TRAIN else f"train.speed.{name}": one
                for name, one in _told(document.get("levers") or {})
            },
        },
    )


_KEYS = {"warmup_steps": "warmup"}
_OF_TRAIN = ("precision", "packing", "padding_free")


def _told(decided: Mapping[str, Any]) -> list[tuple[str, tuple[str, str]]]:
    return [
        (name, (str(one.get("value")), str(one.get("reason"))))
        for name, one in decided.items()
        if isinstance(one, dict)
    ]


def _costs(gpus: list[Any], way: str) -> list[Cost]:
    """Return those of this machine, else the cheapest that hold it."""
    found = []
    for gpu in gpus:
        one = (gpu.get("ways") or {}).get(way)
        if one is not None:
            found.append(
                Cost(
                    gpu=str(gpu.get("name")),
                    is_here=bool(gpu.get("is_here")),
                    fits=bool(one.get("fits")),
                    is_tight=bool(one.get("is_tight")),
                    memory_bytes=one.get("memory_bytes") or 0,
                    gpu_bytes=(gpu.get("memory_gib") or 0) * 2**30,
                    hours=_range(one.get("hours")),
                    dollars=_range(one.get("dollars")),
                )
            )
    found.sort(key=lambda one: (not one.is_here, not one.fits, one.dollars or (1e9, 1e9)))
    return found[:_MOST_GPUS]


def _range(value: Any) -> tuple[float, float] | None:
    return (value["low"], value["high"]) if isinstance(value, dict) else None
