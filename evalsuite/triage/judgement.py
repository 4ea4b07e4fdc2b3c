"""What follows from how an ability is answered when it is asked otherwise. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalsuite.overfitting.wording import percent
from evalsuite.stats.forgetting import retention
from evalsuite.stats.proportions import wilson_of_share
from evalsuite.triage.records import Kind, WayRecord
from evalsuite.triage.section import FEWEST
from evalsuite.triage.ways import AS_ASKED, BEGUN, CHOICE, CONTAINED, ONE_EXAMPLE

RECOVERED = 0.8
"""Share of the base's skill that must be there when asked otherwise. On the built-in model an
ability of which only the form changed has above 0.9 in some way; of one taught wrongly less than
0.25 is written, and 0.45 to 0.75 told by likelihood."""
WRITTEN = 0.5
"""Share of it that some way must have the model write, where the rest is told by the likelihood
alone: what merely likes the right answer best of four may never write it."""
SKILL = 0.25
"""Above guessing, what the base must score when asked otherwise for that way to tell anything."""
COVERED = 0.5
"""Share of the items asked again that a way must ask: those it can ask may be of one kind."""
_NORMAL = 1.959963984540054


def way_record(
    name: str,
    base: Sequence[float],
    tuned: Sequence[float],
    *,
    chance: float = 0.0,
    asked: WayRecord | None = None,
    of: int = 0,
) -> WayRecord:
    """Return the scores of one way of asking.

    Args:
        name: of the way.
        base: score of the base for each item.
        tuned: score of the tuned model for the same items.
        chance: score of guessing.
        asked: how the same items fared as the suite asks.
        of: items that were to be asked again; those of a few of them tell nothing.
    """
    one, two = np.asarray(base, dtype=float), np.asarray(tuned, dtype=float)
    before, after = float(one.mean()), float(two.mean())
    enough = one.size >= max(FEWEST, COVERED * of)
    able = enough and before - chance >= SKILL
    return WayRecord(
        name=name,
        items=one.size,
        base=before,
        tuned=after,
        low=wilson_of_share(after, two.size, _NORMAL).low,
        chance=chance,
        kept=retention(before, after, chance) if able else None,
        left=0.0 if asked is None else _left(asked),
    )


def _left(asked: WayRecord) -> float:
    """Return the share of the base's skill that the tuned model shows as the suite asks."""
    return max(0.0, retention(asked.base, asked.tuned, asked.chance) or 0.0)


def kind_of(ways: Sequence[WayRecord]) -> tuple[Kind, WayRecord | None]:
    """Return whether a loss is real, and the way of asking that tells it best.

    It is a matter of form if the model writes right answers in some way with most of the base's
    skill, or with half of it while its likelihood has most; it is hidden if the likelihood alone
    has it, while little is left as the suite asks. Each must certainly (95 %, one way at a time) be
    more than is left so. Ending a begun answer tells nothing alone: half of an answer may leave
    only one, so that any speller ends it.
    """
    telling = [one for one in ways[1:] if one.kept is not None]
    if not telling:
        return "unclear", None
    back = [one for one in telling if _certain(one) > one.left]
    written = [one for one in back if one.name != CHOICE]
    likes = next((one for one in back if one.name == CHOICE and _kept(one) >= RECOVERED), None)
    proof = [one for one in written if likes is not None or one.name != BEGUN]
    best = max(proof, key=_kept, default=None)
    if best is not None and _kept(best) >= RECOVERED:
        return "format", best
    unaided = [one for one in written if one.name != BEGUN and _kept(one) >= WRITTEN]
    if likes is not None and unaided:
        return "format", max(unaided, key=_kept)
    if likes is not None and likes.left < WRITTEN:
        return "hidden", likes
    return _nowhere(telling)


def _nowhere(telling: Sequence[WayRecord]) -> tuple[Kind, WayRecord | None]:
    """Return that nothing brought the ability back, with the way that shows it best."""
    unaided = [one for one in telling if one.name not in (BEGUN, CHOICE)]
    written = unaided or [one for one in telling if one.name != CHOICE]
    best = max(written or telling, key=_kept)
    if telling == written and best.name == BEGUN and _kept(best) >= RECOVERED:
        return "unclear", None  # it ends what is begun, and nothing else was asked that tells
    return "real", best


def _kept(way: WayRecord) -> float:
    return way.kept or 0.0


def _certain(way: WayRecord) -> float:
    """Return the lower end of the share of skill that is kept."""
    return (way.low - way.chance) / (way.base - way.chance)


def triage_sentence(
    ability: str, kind: Kind, best: WayRecord | None, ways: Sequence[WayRecord]
) -> str:
    """Say what was found."""
    if best is None:
        return f"{ability}: not told; {_why_unclear(ways[1:])}."
    kept = (
        f"{_AS[best.name]} {percent(best.tuned)} of {best.items:,} items are right (base "
        f"{percent(best.base)})"
    )
    if kind == "format":
        return f"{ability}: format loss, the ability is there: {kept}."
    if kind == "hidden":
        return f"{ability}: hidden; it is written in no way of asking, and yet {kept}."
    return (
        f"{ability}: real loss in every one of {len(ways)} ways of asking: written at best, {kept}."
    )


def _why_unclear(others: Sequence[WayRecord]) -> str:
    if not others:
        return "there is no other way to ask it"
    if any(one.kept is not None for one in others):
        return "it ends answers that are begun, which shows little, and no other way tells"
    if all(one.items < FEWEST for one in others):
        most = max(one.items for one in others)
        return f"another way of asking takes {FEWEST} items, and there were {most} at most"
    if any(one.items >= FEWEST and one.base - one.chance < SKILL for one in others):
        return "the base itself cannot do it in any other way that was asked of enough items"
    return "only a few of its items can be asked in another way"


_AS = {
    CONTAINED: "read for the right answer among other words,",
    ONE_EXAMPLE: "with one solved example",
    BEGUN: "with the beginning of the answer given",
    CHOICE: "as a choice by likelihood",
}
_REMEDY = {
    CONTAINED: "The answers hold what is right: replay some rows of this ability as they are to be "
    "answered, or read answers more leniently where they are used.",
    ONE_EXAMPLE: "One solved example in the prompt brings it back; to have it without, replay some "
    "rows of this ability (train.tempering.replay).",
    BEGUN: "Begin the answer where it is used, or replay some rows of this ability as they are to "
    "be answered (train.tempering.replay).",
    CHOICE: "What it knows is covered rather than gone: a few replayed rows of this ability "
    "(train.tempering.replay) bring back most of it.",
}


def triage_advice(kind: Kind, best: WayRecord | None) -> str:
    """Say what to do."""
    if kind in ("format", "hidden") and best is not None:
        return _REMEDY[best.name]
    return (
        "Replay rows of this ability (train.tempering.replay) or stay nearer to the base "
        "(train.tempering.kl, a lower train.learning_rate, fewer steps)."
    )


__all__ = ["AS_ASKED", "kind_of", "triage_advice", "triage_sentence", "way_record"]
