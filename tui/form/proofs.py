"""What `temper check`, `temper preview` and a run's rehearsal say, as plain values."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    level: str
    """ok, warn or fail."""
    what: str
    found: str
    cure: str
    """The way out, where there is one."""


@dataclass(frozen=True)
class MaskedRow:
    """A row as the trainer sees it."""

    place: str
    role: str
    tokens: int
    trained: int
    segments: tuple[tuple[str, bool], ...]
    """Text, and whether the loss is on it, in order."""


@dataclass(frozen=True)
class MaskProof:
    """What the loss sees, proved on rows of the dataset."""

    passed: bool
    told: str
    faults: tuple[str, ...]
    rows: tuple[MaskedRow, ...]


def inside(root: Path, text: str) -> str:
    """Return a text whose paths below `root` are told as seen from there.

    >>> inside(Path("/desk"), "/desk/suites/../datasets/mine: not made yet; /desks is not ours")
    'datasets/mine: not made yet; /desks is not ours'
    """
    if root == root.parent:
        return text
    # To the end of a word: what follows a blank within a path stays as it is, and is right so.
    below = re.compile(re.escape(str(root)) + r"(?![\w.-])[^\s:;,)'\"`]*")
    return below.sub(lambda found: posixpath.relpath(found[0], root), text)


def read_checks(output: str, root: Path) -> tuple[Check, ...]:
    """Return what `temper check --json` printed, its paths as seen from the workspace.

    Raises:
        ValueError: it is something else.
    """
    document = json.loads(output)
    if not isinstance(document, list):
        raise ValueError("not a list")
    return tuple(
        Check(
            *(inside(root, str(one.get(name) or "")) for name in ("level", "what", "found", "cure"))
        )
        for one in document
        if isinstance(one, dict)
    )


def read_mask(output: str) -> MaskProof:
    """Return what `temper preview --json` printed. Raises as `read_checks`."""
    document = json.loads(output)
    if not isinstance(document, dict) or not isinstance(document.get("proof"), dict):
        raise ValueError("no proof")
    proof = document["proof"]
    told = (
        f"{proof.get('turns', 0):,} assistant turns in {proof.get('rows_decoded', 0):,} rows; "
        f"{proof.get('turns_ending', 0):,} end in {proof.get('end_token') or 'no stop token'}; "
        f"padding is {proof.get('pad_token')}"
    )
    rows = tuple(_row(one) for one in document.get("rows") or () if isinstance(one, dict))
    faults = tuple(map(_fault, proof.get("faults") or ()))
    return MaskProof(bool(proof.get("passed")), told, faults, rows)


def _fault(fault: Any) -> str:
    if isinstance(fault, Mapping):
        return " ".join(str(value) for value in fault.values() if value not in (None, "", []))
    return str(fault)


def _row(row: Mapping[str, Any]) -> MaskedRow:
    segments = tuple(
        (str(one.get("text", "")), bool(one.get("trained")))
        for one in row.get("segments") or ()
        if isinstance(one, dict)
    )
    return MaskedRow(
        str(row.get("place", "")),
        str(row.get("role", "")),
        int(row.get("tokens") or 0),
        int(row.get("trained") or 0),
        segments,
    )


def read_rehearsal(run: Path | None) -> tuple[str, ...]:
    """Return what the rehearsal of a run told, or when there will be one."""
    from train.rehearsal.record import FILE, Measured, Rehearsal

    if run is None:
        return ("No run of this recipe yet: the first rehearses its longest batch before step 1.",)
    try:
        document = json.loads((run / FILE).read_text(encoding="utf-8"))
        known = {field.name for field in fields(Rehearsal)}
        values = {name: value for name, value in document.items() if name in known}
        if values.get("measured") is not None:
            values["measured"] = Measured(**values["measured"])
        return (run.name, *Rehearsal(**values).lines())
    except FileNotFoundError:
        return (f"{run.name} has no rehearsal yet.",)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return (f"The rehearsal of {run.name} cannot be read: {error}",)
