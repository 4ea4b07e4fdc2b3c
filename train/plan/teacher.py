"""What the plan says of a teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from train.plan.settings import Decided
from train.rows import JoinedRows
from workspace.errors import ModelError

if TYPE_CHECKING:
    from train.plan.facts import ModelFacts
    from train.teacher import Teacher

_BYTES = {"bfloat16": 2, "float32": 4}


def decided(
    teacher: Teacher | None, facts: ModelFacts, rows: JoinedRows, precision: str
) -> dict[str, Decided]:
    """Return the settings that follow from the teacher; none without one.

    Args:
        teacher: what is learnt from.
        facts: of the student.
        rows: of the run.
        precision: of the arithmetic, `bfloat16` or `float32`.

    Raises:
        ModelError: it reads shorter rows than there are.
    """
    if teacher is None:
        return {}
    longest = int(rows.tokens.max())
    if longest > teacher.facts.context:
        raise ModelError(
            "a row is longer than what the teacher reads",
            where="train.method.teacher",
            cause=f"It has {longest:,} tokens; the context of {teacher.source.name} is "
            f"{teacher.facts.context:,}.",
            cure=f"Set train.max_length: {teacher.facts.context}, or use another teacher.",
        )
    weights = teacher.facts.parameters
    size = weights * (0.5 if teacher.quantization else _BYTES[precision])
    out = {
        "teacher": Decided(
            teacher.digest[:16],
            f"{teacher.source.name}" + (", an adapter on its base" if teacher.adapter else ""),
        ),
        "teacher_parameters": Decided(
            weights,
            f"{size / 1e6:,.1f} MB in {teacher.quantization or precision}, beside the student; "
            "each row is read by both",
        ),
    }
    both = {teacher.facts.vocabulary, facts.vocabulary}
    if len(both) > 1:
        out["compared_tokens"] = Decided(
            min(one for one in both if one is not None),
            "the output matrices differ in rows; the tokenizer has no token beyond",
        )
    return out
