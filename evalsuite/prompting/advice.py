"""To tune or not: one sentence, with the figures it rests on and what it costs. Pure."""

from __future__ import annotations

from typing import Literal

from evalsuite.prompting.own import ZERO_SHOT
from evalsuite.report.document import BestPrompt, PromptGain, Recommendation
from evalsuite.sentences import change, score, size

Decision = Literal["tune", "do not tune", "undecided"]
_WORDS: dict[Decision, str] = {
    "tune": "Tune",
    "do not tune": "Do not tune",
    "undecided": "Undecided",
}


def before_tuning(best: BestPrompt, *, enough: float) -> Recommendation:
    """Say whether to tune, from what the best prompt reaches.

    Do not tune if its interval lies at or above `enough`; tune if it lies below; else it is not
    decided.
    """
    reached = f"{score(best.score)} [{score(best.low)}, {score(best.high)}] of {best.ability}"
    reaches = f"{best.name} reaches {reached}"
    wanted = score(enough)
    decision: Decision
    if best.low >= enough:
        decision, why = "do not tune", f"{reaches}, at least the {wanted} that would be enough"
    elif best.high < enough:
        decision, why = (
            "tune",
            f"the best prompt, {best.name}, reaches {reached}, below the {wanted} wanted",
        )
    else:
        decision = "undecided"
        why = f"{reaches}, and the {wanted} that would be enough lies within; more items decide it"
    sentence = f"{_WORDS[decision]}: {why} ({_said_of_items(best)}); {_cost(best)}."
    return Recommendation(ability=best.ability, decision=decision, sentence=sentence)


def after_tuning(best: BestPrompt, found: PromptGain) -> Recommendation:
    """Say whether tuning was worth it, from its gain over the best prompt.

    Tune if the interval of the gain lies above the smallest gain that counts; do not if it lies
    below; else it is not decided.
    """
    adds = (
        f"{found.tuned} adds {change(found.difference)} points [{change(found.low)}, "
        f"{change(found.high)}] to the best prompt in {found.ability} ({found.prompt} "
        f"{score(found.score)}, {found.tuned} {score(found.tuned_score)})"
    )
    counts = f"the {size(found.min_gain)} points that count"
    decision: Decision
    if found.low > found.min_gain:
        decision, why = "tune", f"{adds}, more than {counts}"
    elif found.high < found.min_gain:
        decision, why = "do not tune", f"{adds}, less than {counts}"
    else:
        decision, why = "undecided", f"{adds}, and {counts} lie within; more items decide it"
    sentence = (
        f"{_WORDS[decision]}: {why} ({_said_of_items(best)}); a thousand requests read "
        f"{_thousand(found.prompt_tokens)} prompt tokens with {found.prompt} and "
        f"{_thousand(found.tuned_prompt_tokens)} with {found.tuned}."
    )
    return Recommendation(
        ability=best.ability, tuned=found.tuned, decision=decision, sentence=sentence
    )


def too_few(ability: str) -> Recommendation:
    """Say that there are not enough items to choose on one half and report on the other."""
    return Recommendation(
        ability=ability,
        decision="undecided",
        sentence=f"Undecided: {ability} has too few independent items to choose the best prompt "
        "on one half of them and to report on the other.",
    )


def _said_of_items(best: BestPrompt) -> str:
    return f"{best.n:,} items that did not choose it; {best.chosen_on:,} others did"


def _cost(best: BestPrompt) -> str:
    plain = f"{_thousand(best.plain_prompt_tokens)} prompt tokens"
    if best.name == ZERO_SHOT:
        return f"a thousand requests read {plain}"
    return (
        f"a thousand requests read {_thousand(best.prompt_tokens)} prompt tokens with {best.name} "
        f"and {_thousand(best.plain_prompt_tokens)} without"
    )


def _thousand(tokens: float) -> str:
    return f"{round(tokens, 1) * 1000:,.0f}"
