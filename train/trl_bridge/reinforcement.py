"""trl's GRPOTrainer and RLOOTrainer on the plan's prompts and our rewards.

trl tokenises prompts, generates and mixes completions by itself. So the dataset that it gets holds
the numbers of our rows and nothing else; each set of prompts is proved to be the planned one before
it is answered, and the token ids that come back to be those of the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from datasets import Dataset
from pydantic import TypeAdapter
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from evalsuite.models import ChatTokenizer
from train.method_sections import MethodSection
from train.methods.base import Unusable
from train.methods.reinforcement import question
from train.reinforcement_sections import GrpoSection, ReinforcementSection
from train.rewards import Completion, Reward, RewardPlace, make_rewards
from train.samples import FILE, Sample, add_samples
from train.trl_bridge.arguments import shared_arguments
from train.trl_bridge.planned import Given, Planned
from train.trl_bridge.request import FitRequest
from train.trl_bridge.reward_watch import RewardWatch
from train.trl_bridge.watch import Watch
from workspace.errors import LimitExceeded, TemperError, WorkError

if TYPE_CHECKING:
    pass

_SAMPLED_PROMPTS = 2
_SAMPLED_GENERATIONS = 4
_FAULT = "This is a fault of welltempered or of the installed trl: report it."


class RewardFunction:
    """One reward as trl calls it."""

    def __init__(self, reward: Reward, trainer_texts: _Texts) -> None:
        self.reward, self._texts = reward, trainer_texts
        self.__name__ = reward.name

    def __call__(self, *, completion_ids: Sequence[Sequence[int]], **columns: Any) -> list[float]:
        """Return the reward of each completion.

        Raises:
            WorkError: a completion that it fails on, with its row.
        """
        answers = self._texts.completions(columns["row"], completion_ids)
        found = self._asked(answers)
        if len(found) != len(answers):
            raise self._failed(answers[0], f"It returned {len(found)} for {len(answers)}.")
        known = filled(found, columns["row"]) if self.reward.gaps else list(found)
        for one, value in zip(answers, known, strict=True):
            if value is None or not np.isfinite(value):
                raise self._failed(one, f"It returned {value}.")
        return [float(value) for value in known if value is not None]

    def _asked(self, answers: Sequence[Completion]) -> Sequence[float | None]:
        try:
            return self.reward(answers)
        except TemperError:  # says what it is: no budget left, no server
            raise
        except Exception:
            for one in answers:
                try:
                    self.reward([one])
                except Exception as error:  # a scorer that fails on what a model may write
                    raise self._failed(one, f"{error!r}.") from error
            raise

    def _failed(self, one: Completion, cause: str) -> WorkError:
        return WorkError(
            f"the reward {self.reward.name} fails on a completion",
            where=f"row {one.row_id}",
            cause=f"{cause} The completion is {one.text[:200]!r}.",
            cure="Choose a scorer that takes any text; `temper resume` goes on from the newest "
            "checkpoint.",
        )


def filled(found: Sequence[float | None], rows: Sequence[int]) -> list[float | None]:
    """Return the values with the mean of its group for each that is missing: it then counts
    neither for nor against the completion. Of a group without any, the mean of all; None where
    there is none at all.

    >>> filled([1.0, None, 0.0, None], [7, 7, 7, 8])
    [1.0, 0.5, 0.0, 0.5]
    """
    every = [value for value in found if value is not None]
    groups: dict[int, list[float]] = {}
    for value, row in zip(found, rows, strict=True):
        if value is not None:
            groups.setdefault(row, []).append(value)
    return [
        _mean(groups.get(row) or every) if value is None else value
        for value, row in zip(found, rows, strict=True)
    ]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


class _Texts:
    """Rows and token ids as the scorers of `evalsuite` are given them."""

    def __init__(self, request: FitRequest) -> None:
        self.rows = request.prepared.rows
        self.tokenizer = ChatTokenizer.from_dir(Path(request.prepared.plan.model_path))

    def prompt(self, row: int) -> Any:
        """Return a row's prompt as trl takes it."""
        return self._asked(row).prompt

    def completions(self, rows: Sequence[int], ids: Sequence[Sequence[int]]) -> list[Completion]:
        """Return each completion with its row's answer."""
        return [
            Completion(
                self.tokenizer.decode(self._before_stop(tokens)),
                len(tokens),
                self._asked(row).answer,
                self.rows.row_id(row)[0],
                self._asked(row).prompt,
            )
            for row, tokens in zip(rows, ids, strict=True)
        ]

    def ended(self, ids: Sequence[int]) -> bool:
        """Return whether a completion ends with a stop token."""
        return bool(ids) and ids[-1] in self.tokenizer.eos_ids

    def _before_stop(self, ids: Sequence[int]) -> Sequence[int]:
        return ids[:-1] if self.ended(ids) else ids

    def _asked(self, row: int) -> Any:
        found = question(self.rows[row].row)
        assert not isinstance(found, Unusable)  # such rows were dropped by the plan
        return found


class PlannedReinforcement(Planned):
    """What both trainers do alike: planned prompts, proved token ids, rewards, samples."""

    _texts: _Texts
    _method: ReinforcementSection
    eos_token_ids: list[int]
    _rewards: list[Reward]
    _scored: torch.Tensor
    """Of the newest set: each reward of each completion; shape (completions, rewards)."""

    @classmethod
    def watch(cls, request: FitRequest) -> Watch:
        """Return what follows the run."""
        return RewardWatch(request)

    @classmethod
    def _built(cls, arguments: Any, given: Given) -> Self:
        request, tokenizer = given.request, given.tokenizer
        method, texts = _method(request), _Texts(request)
        place = RewardPlace(request.base_dir, request.store.directory.parent)
        rewards = make_rewards(method.rewards, method.max_new_tokens, place)
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(request.pad_id)
        functions = [RewardFunction(one, texts) for one in rewards]
        rows = _numbers(request, method.iterations)
        trainer = cls._made(given, arguments, rows, reward_funcs=functions)
        trainer._texts, trainer._method, trainer._rewards = texts, method, rewards
        # trl would stop at the tokenizer's end token as well; evaluation stops at these alone
        trainer.eos_token_ids = arguments.generation_kwargs["eos_token_id"]
        return trainer

    def train(self, *given: Any, **options: Any) -> Any:
        """Train, tell what judges cost, and let go of their logs."""
        parent: Any = super()
        try:
            return parent.train(*given, **options)
        finally:
            for reward in self._rewards:
                for text in reward.notes() if reward.top is None else ():
                    self.request.note(text)
                reward.close()

    def _prove_batch(self, inputs: Any, step: int, number: int) -> None:
        """Prove that the numbers of the rows are the planned ones, each for its whole group."""
        planned = self.request.prepared.schedule.batch(step)
        groups = np.repeat(planned, self._method.num_generations)
        if [one["row"] for one in inputs] != groups.tolist():
            raise LimitExceeded(
                "the trainer's prompts are not the planned ones",
                where=f"step {step + 1}",
                cause="Rows or their order differ; nothing was generated for them.",
                cure=_FAULT,
            )

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        """Generate for the rows that the numbers stand for, and prove what was asked."""
        asked = [{"row": one["row"], "prompt": self._texts.prompt(one["row"])} for one in inputs]
        parent: Any = super()
        output = parent._generate_and_score_completions(asked)
        rows = [one["row"] for one in inputs]
        self._prove_prompts(rows, output)
        self._keep_samples(rows, output)
        return output

    def _calculate_rewards(self, *inputs: Any) -> Any:
        parent: Any = super()
        self._scored = parent._calculate_rewards(*inputs)
        return self._scored

    def _prove_prompts(self, rows: Sequence[int], output: Any) -> None:
        ids, masks = output["prompt_ids"].cpu().numpy(), output["prompt_mask"].cpu().numpy()
        for row, found, mask in zip(rows, ids, masks, strict=True):
            planned = self.request.prepared.rows[row]
            if not np.array_equal(found[mask.astype(bool)], planned.input_ids):
                raise LimitExceeded(
                    "trl tokenises a prompt in another way than the plan",
                    where=f"{planned.row.place} (id {planned.row_id[:12]})",
                    cause=f"It has {int(mask.sum())} tokens for {planned.tokens}, or others: the "
                    "chat template or the tokenizer's begin token are read differently.",
                    cure=_FAULT,
                )

    def _keep_samples(self, rows: Sequence[int], output: Any) -> None:
        step = int(self.state.global_step)
        every = int(self.request.prepared.plan["samples_every"])
        generations = self._method.num_generations
        if -step % every >= self._method.iterations:  # no step of this set is at the interval
            return
        prompts = len(rows) // generations
        chosen = sorted({0, prompts // 2})[:_SAMPLED_PROMPTS]
        places = [
            prompt * generations + one
            for prompt in chosen
            for one in range(min(generations, _SAMPLED_GENERATIONS))
        ]
        path = self.request.store.directory.parent / FILE
        add_samples(path, [self._sample(place, rows[place], output, step) for place in places])

    def _sample(self, place: int, row: int, output: Any, step: int) -> Sample:
        mask = output["completion_mask"][place].bool()
        ids = output["completion_ids"][place][mask].tolist()
        (one,) = self._texts.completions([row], [ids])
        values = self._scored[place].tolist()
        weights = [reward.weight for reward in self._method.rewards]
        planned = self.request.prepared.rows[row]
        return Sample(
            step=step + 1,
            row_id=one.row_id,
            generation=place % self._method.num_generations,
            prompt=self._texts.tokenizer.decode(planned.input_ids.tolist(), special=True),
            answer=one.gold,
            completion=one.text,
            tokens=one.tokens,
            ended=self._texts.ended(ids),
            reward=float(np.dot(weights, values)),
            rewards=dict(zip(self._method.names, values, strict=True)),
            advantage=float(output["advantages"][place]),
        )


class PlannedGrpo(PlannedReinforcement, GRPOTrainer):
    """Completions against the others of their prompt."""

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer."""
        method = _method(given.request)
        assert isinstance(method, GrpoSection)
        arguments = GRPOConfig(
            **_arguments(given.request, method),
            loss_type=method.loss,
            scale_rewards=method.scale_rewards,
            # the papers' own: LUSPO weighs whole completions, the others tokens
            importance_sampling_level="sequence" if method.loss == "luspo" else "token",
            # the distance from the base times the ratio, without which its gradient is biased
            # (DeepSeek-V3.2, arXiv 2512.02556); defined for ratios of tokens
            use_bias_correction_kl=method.loss != "luspo",
        )
        return cls._built(arguments, given)


class PlannedRloo(PlannedReinforcement, RLOOTrainer):
    """Completions against the mean of the others of their prompt."""

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer."""
        arguments = RLOOConfig(**_arguments(given.request, _method(given.request)))
        return cls._built(arguments, given)


def _method(request: FitRequest) -> ReinforcementSection:
    adapter: TypeAdapter[Any] = TypeAdapter(MethodSection)
    found = adapter.validate_python(dict(request.prepared.plan.method))
    assert isinstance(found, ReinforcementSection)
    return found


def _numbers(request: FitRequest, iterations: int) -> Dataset:
    """Return the numbers of the prompts in the plan's order, each set of completions once."""
    schedule = request.prepared.schedule
    sets = [schedule.batch(step) for step in range(0, schedule.steps, iterations)]
    return Dataset.from_dict({"row": np.concatenate(sets).tolist()})


def _arguments(request: FitRequest, method: ReinforcementSection) -> dict[str, Any]:
    shared = shared_arguments(request)
    stops = sorted(ChatTokenizer.from_dir(Path(request.prepared.plan.model_path)).eos_ids)
    del shared["max_length"]  # the plan has dropped what is too long
    return {
        **shared,
        "per_device_train_batch_size": shared["per_device_train_batch_size"]
        * method.num_generations,
        "remove_unused_columns": False,
        "shuffle_dataset": False,
        "num_generations": method.num_generations,
        "max_completion_length": method.max_new_tokens,
        "temperature": method.temperature,
        "top_p": method.top_p,
        "top_k": 0,
        "beta": method.beta,
        "epsilon": method.epsilon,
        "epsilon_high": method.epsilon_high,
        "num_iterations": method.iterations,
        "reward_weights": [reward.weight for reward in method.rewards],
        "generation_kwargs": {"eos_token_id": stops},
        "disable_dropout": True,  # old and new probabilities must differ by learning alone
        "log_completions": False,
    }
