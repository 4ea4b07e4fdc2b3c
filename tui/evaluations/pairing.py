"""One pair of answers as styled text: what was asked and wanted, and both answers with a diff."""

from __future__ import annotations

from dataclasses import dataclass

from tui.evaluations.answers import Answer
from tui.widgets.rows import Part


@dataclass(frozen=True)
class Pair:
    """An answer with the words that differ."""

    answer: Answer
    base: tuple[Part, ...]
    tuned: tuple[Part, ...]


def paired(answer: Answer) -> Pair:
    """Return both answers in pieces, those that differ in the roles `removed` and `added`.

    Called in a worker: comparing takes the square of the words.
    """
    from evalsuite.report.diff import word_diff

    before, after = word_diff(answer.base_output, answer.tuned_output)
    return Pair(
        answer,
        tuple((piece.text, "removed" if piece.differs else "") for piece in before),
        tuple((piece.text, "added" if piece.differs else "") for piece in after),
    )


def whole(pair: Pair, base: str, tuned: str) -> list[Part]:
    """Return everything about a pair as one text to read."""
    answer = pair.answer
    sections: list[tuple[str, tuple[Part, ...]]] = [
        ("asked", ((answer.prompt, ""),)),
        ("wanted", ((answer.gold, ""),)),
        (f"{base}  {scored(answer.base_score)}  {answer.base_detail}", pair.base),
        (f"{tuned}  {scored(answer.tuned_score)}  {answer.tuned_detail}", pair.tuned),
    ]
    parts: list[Part] = []
    for title, body in sections:
        empty = not any(text for text, _ in body)
        parts += [(f"{title}\n", "accent"), *([("(nothing)", "muted")] if empty else body)]
        parts.append(("\n\n", ""))
    return parts


def scored(score: float) -> str:
    """Return a score, or that there is none."""
    return f"{score:.2f}" if score == score else "no score"
