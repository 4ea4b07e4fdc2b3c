"""Drawing completions with the model as it is. Imports torch: import it late.

Each completion has a random stream of its own, made of seed, row and number: what a resumed job
draws is what the first would have drawn, whatever was in the batch with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from evalsuite.asking.backends.sampling import SamplingEngine
from evalsuite.asking.requests import ChatRequest
from train.methods.base import Unusable
from train.methods.reinforcement import question
from train.reinforcement_sections import RftSection
from train.rewards import Completion, Reward
from train.rows import TokenRow
from train.sampling.drawn import Drawn
from workspace.errors import TemperError, WorkError

AT_ONCE = 64
"""Completions drawn, scored and written together."""


def draw(
    engine: SamplingEngine,
    decode: Callable[[Sequence[int]], str],
    method: RftSection,
    rewards: Sequence[Reward],
    missing: Sequence[tuple[TokenRow, int]],
    seed: int,
    write: Callable[[Sequence[Drawn]], None],
) -> None:
    """Draw and score completions, and write them a batch at a time.

    Args:
        engine: the model.
        decode: token ids to text.
        method: how they are drawn.
        rewards: what they are worth.
        missing: rows and numbers of the completions that are not written yet.
        seed: of the run.
        write: is given each batch; may raise to stop.

    Raises:
        WorkError: a reward raises, or gives no number where it must.
    """
    for start in range(0, len(missing), AT_ONCE):
        batch = missing[start : start + AT_ONCE]
        asked = [
            (_request(method, row, number, seed), row.input_ids.tolist()) for row, number in batch
        ]
        answers = []
        ended = []
        for (row, _), one in zip(batch, engine.draw(asked), strict=True):
            found = question(row.row)
            assert not isinstance(found, Unusable)  # such rows were dropped by the plan
            tokens = len(one.tokens) + one.stopped
            answers.append(
                Completion(decode(one.tokens), tokens, found.answer, row.row_id, found.prompt)
            )
            ended.append(one.stopped)
        values = [_values(reward, answers) for reward in rewards]
        write(
            [
                Drawn(
                    row_id=answer.row_id,
                    sample=number,
                    text=answer.text,
                    tokens=answer.tokens,
                    ended=ended[place],
                    reward=_sum(rewards, [one[place] for one in values]),
                    rewards={
                        reward.name: one[place] for reward, one in zip(rewards, values, strict=True)
                    },
                )
                for place, ((_, number), answer) in enumerate(zip(batch, answers, strict=True))
            ]
        )


def _request(method: RftSection, row: TokenRow, number: int, seed: int) -> ChatRequest:
    digest = hashlib.sha256(f"{seed} {row.row_id}".encode()).digest()
    return ChatRequest(
        messages=(),
        temperature=method.temperature,
        top_p=method.top_p,
        max_tokens=method.max_new_tokens,
        seed=int.from_bytes(digest[:4], "big") >> 1,
        sample=number,
    )


def _sum(rewards: Sequence[Reward], values: Sequence[float | None]) -> float:
    """Return the weighted sum; what an opinion does not grade counts nothing."""
    return sum(
        reward.weight * (0.0 if value is None else value)
        for reward, value in zip(rewards, values, strict=True)
    )


def _values(reward: Reward, answers: Sequence[Completion]) -> list[float | None]:
    try:
        found = list(reward(answers))
    except TemperError:  # says what it is: no budget left, no server
        raise
    except Exception as error:
        raise _failed(reward, f"{error!r}.") from error
    if len(found) != len(answers):
        raise _failed(reward, f"It returned {len(found)} values for {len(answers)} completions.")
    if None in found and not reward.gaps:
        where = answers[found.index(None)].row_id
        raise _failed(reward, f"It returned None for a completion of row {where}.")
    return found


def _failed(reward: Reward, cause: str) -> WorkError:
    return WorkError(
        f"the reward {reward.name} fails on what the model wrote",
        where="train.method.rewards",
        cause=cause,
        cure="Choose a scorer that takes any text; `temper resume` goes on after what is written.",
    )
