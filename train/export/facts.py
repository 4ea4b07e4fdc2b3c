"""What the model card says, gathered from the run's own records. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.export.shipment import Shipment
from workspace.errors import TemperError
from workspace.events import read_events
from workspace.files import read_json

_DECONTAMINATE = "decontaminate"


@dataclass(frozen=True)
class Cost:
    """What a run took."""

    hours: float
    """Of all attempts, from the start of each to its last event."""
    attempts: int
    steps: int
    tokens_seen: int
    tokens_trained: int
    """Of those, the ones that carried loss."""
    where: str
    """Device, precision and why."""


@dataclass(frozen=True)
class DataUse:
    """One dataset that a run learnt from."""

    role: str
    """train or replay."""
    name: str
    digest: str
    rows: int
    rows_seen: int
    """0 where the run that saw them is gone."""
    ledger: Mapping[str, Any]
    """The dataset's own; empty if it is gone."""
    compared: tuple[str, ...]
    """Suites that its rows were compared with."""
    lost: Mapping[str, int]
    """Rows that training could not use, by reason."""
    run: str = ""
    """The run before this one that learnt from it; empty: this one."""


def read_optional(path: Path) -> dict[str, Any]:
    """Return a record, or nothing where it is gone: a card says what is known."""
    try:
        return read_json(path, kind="record")
    except TemperError:
        return {}


def cost_of(shipment: Shipment) -> Cost:
    """Return what a run took, from its job's events and its plan."""
    plan = read_optional(shipment.run / "plan.json")
    env = read_optional(shipment.run / "env.json")
    job = shipment.workspace.jobs / str(shipment.record.get("job", ""))
    events, _ = read_events(job / "events.jsonl")
    spans: dict[int, list[float]] = {}
    for event in events:
        if isinstance(event.get("time"), int | float):
            spans.setdefault(int(event.get("attempt", 1)), []).append(float(event["time"]))
    seconds = sum(max(times) - min(times) for times in spans.values())
    done = shipment.record.get("published") or {}  # a probe may have ended the run before its plan
    words = [str(env[key]) for key in ("device", "precision", "reason") if env.get(key)]
    return Cost(
        hours=seconds / 3600,
        attempts=len(shipment.record.get("attempts") or ()) or len(spans),
        steps=int(done.get("steps_done") or shipment.record.get("steps") or plan.get("steps") or 0),
        tokens_seen=int(done.get("tokens_seen") or plan.get("tokens_seen") or 0),
        tokens_trained=int(done.get("tokens_trained") or plan.get("tokens_trained") or 0),
        where=", ".join(words) or "not recorded",
    )


def data_of(shipment: Shipment) -> list[DataUse]:
    """Return the datasets that a run's weights learnt from, with their accounts: those of the runs
    that it goes on from first.
    """
    uses: list[DataUse] = []
    for link in shipment.begins.get("chain") or ():
        before = shipment.workspace.runs / str(link["run"])
        known = _uses(before, before.name)
        source = {"role": "train", "path": link["dataset"], "digest": link["dataset_digest"]}
        uses += known or [_use(source, {}, before.name)]
    return uses + _uses(shipment.run)


def _uses(run: Path, before: str = "") -> list[DataUse]:
    lost = read_optional(run / "ledger.json").get("totals") or {}
    sources = read_optional(run / "plan.json").get("sources") or ()
    return [_use(one, lost, before) for one in sources]


def _use(source: Mapping[str, Any], lost: Mapping[str, Any], before: str) -> DataUse:
    path = Path(str(source.get("path", "")))
    ledger = read_optional(path / "ledger.json")
    whole = Path(str(ledger.get("part_of") or path))  # a part's rows are accounted for in the whole
    return DataUse(
        role=str(source.get("role", "")),
        name=_dataset_name(str(path)),
        digest=str(source.get("digest", "")),
        rows=int(source.get("rows") or 0),
        rows_seen=int(source.get("rows_seen") or 0),
        ledger=ledger if whole == path else read_optional(whole / "ledger.json"),
        compared=_compared(whole),
        lost=dict((lost.get(str(source.get("role"))) or {}).get("rows_dropped") or {}),
        run=before,
    )


def _dataset_name(path: str) -> str:
    """Return `name/digest` of a dataset's directory: no path of this machine."""
    return "/".join(Path(path).parts[-2:])


def contamination(data: list[DataUse], suites: list[str]) -> list[str]:
    """Say what is known of test items in the training data, one sentence for each dataset."""
    said = []
    for use in data:
        if not use.ledger:
            said.append(f"{use.name}: not known, its ledger is gone.")
            continue
        steps = [s for s in use.ledger.get("steps") or () if s.get("step") == _DECONTAMINATE]
        if not steps:
            said.append(
                f"{use.name}: no row was compared with any test item. Scores on items that are "
                "also in these rows would be too high."
            )
            continue
        dropped = {
            reason: int(count.get("rows") or 0)
            for step in steps
            for reason, count in (step.get("dropped") or {}).items()
        }
        against = use.compared
        shown = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items()) or "none"
        named = f" of {', '.join(against)}" if against else ""
        said.append(
            f"{use.name}: compared with the items{named} before training, exactly, by n-grams and "
            f"by near-duplicates; rows dropped: {shown}."
        )
        missing = [suite for suite in suites if against and suite not in against]
        if missing:
            said.append(f"{use.name}: not compared with the items of {', '.join(missing)}.")
    return said


def _compared(dataset: Path) -> tuple[str, ...]:
    """Return the names of the suites that a dataset's recipe compared its rows with."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe").load((dataset / "recipe.yaml").read_text(encoding="utf-8"))
        steps = document["curate"]["steps"]
        named = [
            name
            for step in steps
            if isinstance(step, dict) and isinstance(step.get(_DECONTAMINATE), dict)
            for name in step[_DECONTAMINATE].get("suites") or ()
        ]
    except (OSError, YAMLError, KeyError, TypeError, UnicodeDecodeError):
        return ()
    return tuple(Path(str(name).removeprefix("builtin:")).stem for name in named)
