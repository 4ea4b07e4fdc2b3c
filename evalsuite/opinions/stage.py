"""After all answers: the scores that other models give, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalsuite.asking.backends.configs import EndpointConfig
from evalsuite.engine.pairing import Samples, ability_names
from evalsuite.engine.questions import Sample
from evalsuite.opinions.asked import Answered, Judgement, Opinion, Tell
from evalsuite.opinions.checks import opinions
from evalsuite.report.judgements import JudgeRecord, WinRateRecord
from evalsuite.scorers import JudgeScorer, PairwiseScorer, RewardModelScorer
from evalsuite.tasks import LoadedSuite
from evalsuite.tasks.item import content_digest

LOGS = "judges"
"""Where judges' logs are, below the kept answers."""


@dataclass
class Judged:
    """All models' samples with every score, and the records of who gave them."""

    samples: dict[str, Samples]
    judges: list[JudgeRecord] = field(default_factory=list)
    win_rates: list[WinRateRecord] = field(default_factory=list)


def with_opinions(
    suites: Sequence[LoadedSuite], samples: Mapping[str, Samples], kept: Path, tell: Tell
) -> Judged:
    """Ask for the scores that wait for other models.

    A judge that answers nobody, or whose budget ends, leaves its task without scores, which is an
    error of that ability and of no other. What was paid for is in its log.

    Args:
        suites: that were put.
        samples: by model name, the base first.
        kept: where answers are kept below `evals/`; judges' logs lie there too.
        tell: told what is being done; may raise to stop.

    Raises:
        UsageError: another process uses a judge's log, or its key is missing.
        ModelError: a judge or reward model on this machine cannot be loaded.
    """
    out = Judged({model: dict(found) for model, found in samples.items()})
    names = ability_names(suites)
    for suite, task in opinions(suites):
        key = (suite.spec.name, task.spec.name)
        answers = {model: found[key] for model, found in samples.items() if key in found}
        if not answers:
            continue
        found = _judgement(Answered(suite, task, names[key], answers), kept / LOGS, tell)
        out.judges.append(found.record)
        out.win_rates += found.win_rates
        for model, given in found.opinions.items():
            out.samples[model] = {**out.samples[model], key: _scored(answers[model], given)}
    return out


def _judgement(answered: Answered, logs: Path, tell: Tell) -> Judgement:
    scorer = answered.task.spec.scorer
    log = logs / answered.suite.spec.name / answered.task.spec.name / _of_backend(scorer)
    if isinstance(scorer, JudgeScorer):
        from evalsuite.opinions.pointwise import grade

        return grade(answered, scorer, log, tell)
    if isinstance(scorer, PairwiseScorer):
        from evalsuite.opinions.pairwise import compare

        return compare(answered, scorer, log, tell)
    from evalsuite.opinions.rewards import reward

    assert isinstance(scorer, RewardModelScorer)
    return reward(answered, scorer, tell)


def _of_backend(scorer: object) -> str:
    """Return what tells one judge's log from another's: at another address it is another judge."""
    backend = getattr(scorer, "backend", None)
    if isinstance(backend, EndpointConfig):
        return content_digest([backend.base_url, backend.model])
    return ""


def _scored(samples: Sequence[Sample], given: Sequence[Opinion]) -> list[Sample]:
    return [
        replace(sample, score=one.value, detail=one.detail)
        for sample, one in zip(samples, given, strict=True)
    ]
