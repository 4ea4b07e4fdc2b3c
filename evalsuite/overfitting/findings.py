"""Readings to a record of `results.json`: figures, words, the strings most memorised. Pure."""

from __future__ import annotations

import math

from evalsuite.overfitting.figures import (
    Compared,
    drift_of,
    extractable_of,
    gap_of,
    mean_bounds,
    membership_of,
    of_parts,
    part_losses,
    recitals_of,
)
from evalsuite.overfitting.judgement import judge_own_data
from evalsuite.overfitting.panel import OwnData
from evalsuite.overfitting.records import OverfittingRecord, Recited
from evalsuite.overfitting.rows import HELD_OUT
from evalsuite.stats.memorisation import samples_to_extract
from evalsuite.verdict import Verdict

SHOWN = 10
"""Strings that are shown; `overfitting.parquet` has all rows."""
TEXT_CHARACTERS = 300
"""Of each."""


def found_on_own_data(tuned: str, own: OwnData, verdict: Verdict) -> OverfittingRecord:
    """Return what a tuned model's own data showed.

    Args:
        tuned: the model's name.
        own: its rows, read.
        verdict: of the suites: whether a target was gained, and whether any number may be trusted.
    """
    if verdict.status == "invalid":
        why = "withdrawn: a check of the measurement failed"
        return OverfittingRecord(tuned=tuned, state="not_run", detail=why)
    rows = own.compared
    if not rows:
        return OverfittingRecord(tuned=tuned, state="not_run", detail=own.problem)
    detail = own.problem
    drift = drift_of(rows)
    if not of_parts(rows, "trained"):
        return OverfittingRecord(tuned=tuned, state="partly", detail=detail, drift=drift)
    losses = part_losses([one for one in rows if one.row.part != "general"])
    gap, membership, recitals = gap_of(rows), membership_of(rows), recitals_of(rows)
    held = of_parts(rows, *HELD_OUT)
    judged = judge_own_data(
        losses, gap, membership, recitals, own.exposures,
        mean_bounds([one.loss_tuned - one.loss_base for one in held]) if held else None,
        gained=_gained(verdict),
        form=own.form,
    )  # fmt: skip
    return OverfittingRecord(
        tuned=tuned,
        state="measured" if gap is not None else "partly",
        detail=detail or ("" if gap is not None else "too few rows that training did not see"),
        words=list(judged.words),
        memorised=list(judged.memorised),
        sentence=judged.sentence,
        evidence=list(judged.evidence),
        advice=list(judged.advice),
        losses=losses,
        gap=gap,
        membership=membership,
        recitals=recitals,
        extractable=extractable_of(rows),
        recited=most_recited(own),
        exposures=own.exposures,
        drift=drift,
    )


def _gained(verdict: Verdict) -> bool | None:
    targets = [one.verdict for one in verdict.abilities if one.purpose == "target"]
    return "pass" in targets if targets else None


def most_recited(own: OwnData) -> list[Recited]:
    """Return rows of training that the tuned model alone writes, likelier than any fresh row grew.

    What a text became likelier by, over what the base made of it, is what training told of it; as
    much as the luckiest held-out row gained is the task and not the text. Rows that teach the same
    text count once. An answer that a fresh row has too, such as a label, is no text of its own.
    """
    known = {tuple(one.row.targets) for one in of_parts(own.compared, *HELD_OUT)}
    held = [_gain(one) for one in of_parts(own.compared, *HELD_OUT)]
    usual = max(held, default=0.0)
    found = [
        one
        for one in own.compared
        if one.row.key in own.texts and _gain(one) > usual and tuple(one.row.targets) not in known
    ]
    once = {own.texts[one.row.key]: one for one in sorted(found, key=_gain)}
    found = sorted(once.values(), key=_gain, reverse=True)
    return [
        Recited(
            row_id=one.row.row_id,
            source=one.row.source,
            seen=one.row.seen,
            tokens=len(one.tuned),
            text=own.texts[one.row.key][:TEXT_CHARACTERS],
            base_bits=-float(one.base.sum()) / math.log(2),
            tuned_bits=-float(one.tuned.sum()) / math.log(2),
            samples=_samples(float(one.tuned.sum())),
        )
        for one in found[:SHOWN]
    ]


def _gain(one: Compared) -> float:
    return float(one.tuned.sum() - one.base.sum())


def _samples(logprob: float) -> int | None:
    chance = math.exp(logprob)
    return samples_to_extract(min(chance, 1.0), 0.5) if chance > 0 else None
