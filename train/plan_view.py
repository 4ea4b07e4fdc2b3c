"""`temper plan` as a person or a program reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workspace.context import emit_json, note

if TYPE_CHECKING:
    from train.planning import Answer


def print_answers(answers: Sequence[tuple[str, Answer]], *, as_json: bool) -> None:
    """Print the answer for a run, or those for the stages of a recipe.

    Args:
        answers: with the names of their stages; a recipe's only run has none ("").
        as_json: print one document.
    """
    from train.each.command import print_groups
    from train.estimate.terminal import print_estimate
    from train.terminal import print_plan

    if as_json:
        stages = [{"stage": stage, **answer.as_dict()} for stage, answer in answers]
        has_stages = any(stage for stage, _ in answers)
        emit_json(
            {"schema_version": 1, "stages": stages} if has_stages else answers[0][1].as_dict()
        )
        return
    for stage, answer in answers:
        if stage:
            print(f"stage {stage}\n")
        if answer.whole:
            print_groups(answer.whole)
        elif answer.prepared:
            print_plan(answer.prepared)
        elif answer.missing:
            note(f"! no rows and tokens yet: {answer.missing}")
        print_estimate(answer.estimate)
