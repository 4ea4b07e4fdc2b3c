"""The part of `report.md` on runs that were tuned one after another."""

from __future__ import annotations

from evalsuite.report.code_span import code
from evalsuite.report.document import SequenceRecord
from evalsuite.report.sequence_words import sequence_sentences
from evalsuite.sentences import score


def render_sequence(record: SequenceRecord | None) -> list[str]:
    """Return the score on each task after each run; nothing where there is no sequence."""
    if record is None:
        return []
    rows = [("base", record.base), *zip(record.runs, record.scores, strict=True)]
    return [
        "### One run after another",
        "",
        "| after | " + " | ".join(code(task, 60) for task in record.tasks) + " |",
        "| --- |" + " ---: |" * len(record.tasks),
        *(
            f"| {code(name, 60)} | " + " | ".join(score(value) for value in scores) + " |"
            for name, scores in rows
        ),
        "",
        *(f"- {code(sentence, 300)}" for sentence in sequence_sentences(record)),
        "",
    ]
