"""What a sequence of runs did, in words."""

from __future__ import annotations

from evalsuite.report.document import Band, SequenceRecord
from evalsuite.sentences import change, score, size


def sequence_sentences(record: SequenceRecord) -> list[str]:
    """Return what later runs took from earlier tasks, and what earlier ones gave to later."""
    kept, ahead = record.backward, record.forward
    return [
        f"after the last of {len(record.runs)} runs the mean over their tasks is "
        f"{score(record.accuracy)}",
        f"backward transfer {points(kept)}: "
        + _meaning(kept, "later runs took from earlier tasks", "later runs added to earlier tasks"),
        f"forward transfer {points(ahead)}: "
        + _meaning(ahead, "earlier runs held back later tasks", "earlier runs helped later tasks"),
        f"forgetting, from the best score of each earlier task: {size(record.forgetting)}",
    ]


def points(band: Band) -> str:
    """Return a figure with its interval, in points."""
    if band.low is None or band.high is None:
        return change(band.value)
    return f"{change(band.value)} [{change(band.low)}, {change(band.high)}]"


def _meaning(band: Band, worse: str, better: str) -> str:
    if band.low is None or band.high is None or band.low <= 0 <= band.high:
        return "no difference is shown"
    return worse if band.high < 0 else better
