"""The reward proof: every reward is tried on answers that are known to be good and bad.

A reward that gives a right answer nothing teaches nothing, and one that gives an empty answer as
much is learnt to the letter. Both look like training until it is over.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from train.methods.base import Unusable
from train.methods.reinforcement import question
from train.proof.reward_proof import RewardFault, RewardProof
from train.reinforcement_sections import PLACE, RewardedSection
from train.rewards import Completion, Reward, RewardPlace, make_rewards
from train.rows import TokenRow
from workspace.errors import LimitExceeded, WorkError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer
    from train.plan import Prepared

_TRIED_ROWS = 2_000
_OTHERS = 16
"""Other rows' answers that are tried before a reward is said to take any for right."""
_CLOSE = 1e-6
_OPINIONS = 8
"""Rows on which a judge or a reward model is tried: three answers of each are asked for."""


@dataclass(frozen=True)
class _Tried:
    row: TokenRow
    good: Completion
    known: bool
    """Whether the completion is known to be right."""


def prove_rewards(
    rows: Sequence[TokenRow],
    rewards: Sequence[Reward],
    *,
    example: str,
    max_new_tokens: int,
    count_tokens: Callable[[str], int],
    seed: int = 0,
) -> RewardProof:
    """Try every reward on right, empty and other rows' answers.

    Args:
        rows: all rows of the run; up to 2,000 of them, drawn by seed, are tried.
        rewards: the parts of the reward.
        example: what a right completion looks like, with `{answer}`.
        max_new_tokens: where completions are cut.
        count_tokens: of a completion's text, the end token not included.
        seed: of the draw.
    """
    places: Sequence[int] = range(len(rows))
    if len(rows) > _TRIED_ROWS:
        places = sorted(random.Random(seed).sample(places, _TRIED_ROWS))
    tried = [_good(rows[place], example, count_tokens, rewards) for place in places]
    lengths = [one.good.tokens for one in tried if one.known]
    proof = RewardProof(
        rows_tried=len(tried),
        same_answer=len({one.good.gold.strip() for one in tried}) == 1 and len(tried) > 1,
        longest_answer=max(lengths, default=0),
        rows_out_of_reach=sum(length > max_new_tokens for length in lengths),
        rows_without_solution=sum(not one.known for one in tried),
    )
    for reward in rewards:
        _Trial(reward, tried, max_new_tokens, proof).run()
        proof.said += reward.notes()
    return proof


def _good(
    row: TokenRow,
    example: str,
    count_tokens: Callable[[str], int],
    rewards: Sequence[Reward],
) -> _Tried:
    asked = question(row.row)
    assert not isinstance(asked, Unusable)  # such rows were dropped by the plan
    answers = [reward.right_answer(asked.answer) for reward in rewards]
    # where one reward reads tests, all are tried on the program that passes them
    other = next((one for one in answers if one != asked.answer), asked.answer)
    text = example.replace(PLACE, other or "")
    good = Completion(text, count_tokens(text) + 1, asked.answer, row.row_id, asked.prompt)
    return _Tried(row, good, other is not None)


def prove_rewards_of(
    method: RewardedSection,
    prepared: Prepared,
    tokenizer: ChatTokenizer,
    place: RewardPlace,
    *,
    opinions: bool = True,
) -> RewardProof:
    """Try the rewards of a method on the rows of a plan; `opinions`: models and judges too."""
    made = make_rewards(method.rewards, method.max_new_tokens, place)
    rewards = [one for one in made if opinions or one.top is not None]
    try:
        return prove_rewards(
            prepared.rows,
            rewards,
            example=method.example,
            max_new_tokens=method.max_new_tokens,
            count_tokens=lambda text: len(tokenizer.encode(text)),
            seed=prepared.plan.seed,
        )
    finally:
        for reward in rewards:
            reward.close()


class _Trial:
    """One reward on all rows."""

    def __init__(
        self, reward: Reward, tried: Sequence[_Tried], longest: int, proof: RewardProof
    ) -> None:
        self.reward, self.tried, self.longest, self.proof = reward, tried, longest, proof

    def run(self) -> None:
        if self.reward.top is None:
            self._opinions()
        else:
            self._exact(self.reward.top)

    def _opinions(self) -> None:
        """Of an opinion only the mean is proved: single ones may err."""
        self.tried = self.tried[:_OPINIONS]
        right = self._asked([one.good for one in self.tried], "a right answer")
        empty = self._asked([self._changed(one.good, "", 1) for one in self.tried], "an empty one")
        wrong = self._asked(
            [self._changed(one.good, other, 1) for one, other in self._strangers()],
            "another row's answer",
        )
        if right is None or empty is None or wrong is None:
            return
        means = {"right": _mean(right), "empty": _mean(empty), "other_rows": _mean(wrong)}
        self._note(None, means)
        good = means.pop("right")
        if good is None:
            return
        for what, mean in means.items():
            if mean is not None and mean >= good:
                self._fault(
                    self.tried[0],
                    f"gives {what.replace('_', ' ')} answers {mean:g} in the mean and right ones "
                    f"{good:g} (of {len(self.tried)} rows)",
                )

    def _strangers(self) -> list[tuple[_Tried, str]]:
        """Return rows with the answer of another."""
        if not self.reward.compares:
            return []
        return [
            (one, other.good.text)
            for one, other in zip(self.tried, [*self.tried[1:], self.tried[0]], strict=True)
            if other.good.gold.strip() != one.good.gold.strip()
        ]

    def _note(self, top: float | None, means: dict[str, float | None]) -> None:
        known = {"name": self.reward.name, "weight": self.reward.weight, "top": top}
        self.proof.rewards.append({**known, **means})

    def _exact(self, top: float) -> None:
        good = self._asked([one.good for one in self.tried], "a right answer")
        if good is None:
            return
        empty = self._asked([self._changed(one.good, "", 1) for one in self.tried], "an empty one")
        long = self._asked(
            [self._changed(one.good, one.good.text, self.longest) for one in self.tried],
            "an answer as long as may be",
        )
        if empty is None or long is None:
            return
        others = []
        for place, one in enumerate(self.tried):
            got = good[place] if one.known else top
            if got is None or got < top - _CLOSE:
                self._fault(one, self._why_not(one, got, top))
                continue
            least = empty[place] if top > 0 else long[place]
            if least is not None and least >= got - _CLOSE:
                what = "an empty answer" if top > 0 else "the longest answer"
                self._fault(one, f"gives {what} as much as the right one ({got:g})")
            if self.reward.compares and one.known:
                others += self._others(place, got)
        right = [value for value, one in zip(good, self.tried, strict=True) if one.known]
        found: dict[str, Sequence[float | None]] = {"right": right, "empty": empty}
        found |= {"longest": long, "other_rows": others}
        self._note(top, {name: _mean(values) for name, values in found.items()})

    def _why_not(self, one: _Tried, got: float | None, top: float) -> str:
        refusal = self.reward.refusal(one.good.gold)
        shown = "nothing (None)" if got is None else f"{got:g} of {top:g}"
        why = f": {refusal}" if refusal else ""
        return f"gives the right answer {one.good.text[:80]!r} {shown}{why}"

    def _others(self, place: int, got: float) -> list[float]:
        """Return what other rows' answers get here, until one of them gets less."""
        here, seen = self.tried[place], []
        for step in range(1, len(self.tried)):
            other = self.tried[(place + step) % len(self.tried)].good
            if other.gold.strip() == here.good.gold.strip():
                continue
            answers = [self._changed(here.good, other.text, other.tokens)]
            (value,) = self._asked(answers, "another row's answer") or [None]
            seen.append(0.0 if value is None else value)
            if seen[-1] < got - _CLOSE:
                return seen
            if len(seen) == _OTHERS:
                break
        if seen:
            self._fault(here, f"gives {len(seen)} other rows' answers as much as the right one")
        return seen

    def _changed(self, good: Completion, text: str, tokens: int) -> Completion:
        return Completion(text, tokens, good.gold, good.row_id, good.prompt)

    def _asked(self, answers: Sequence[Completion], what: str) -> list[float | None] | None:
        """Return the reward of each, or None after noting that it fails."""
        try:
            found = list(self.reward(answers))
        except (LimitExceeded, WorkError):  # no budget, no server: that is no fault of the reward
            raise
        except Exception as error:  # whatever a reward does wrong is told with its row
            self._fault(self._raising(answers), f"fails on {what}: {error!r}")
            return None
        if len(found) != len(answers):
            number = f"{len(found)} rewards for {len(answers)} completions"
            self._fault(self.tried[0], f"returns {number}")
            return None
        if answers and what == "a right answer" and all(value is None for value in found):
            self._fault(self.tried[0], "returns None for every right answer")
            return None
        return found

    def _raising(self, answers: Sequence[Completion]) -> _Tried:
        """Return the row on which the reward raises; the first where only all together do."""
        by_id = {one.good.row_id: one for one in self.tried}
        for answer in answers:
            try:
                self.reward([answer])
            except Exception:  # found
                return by_id[answer.row_id]
        return by_id[answers[0].row_id]

    def _fault(self, one: _Tried, problem: str) -> None:
        fault = RewardFault(self.reward.name, one.row.row_id, one.row.row.place, problem)
        self.proof.faults.append(fault)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None
