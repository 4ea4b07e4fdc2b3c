"""Which models may judge which: none itself, and none where scores are needed at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from evalsuite.asking.backends.configs import EndpointConfig
from evalsuite.engine.subjects import Subject
from evalsuite.models import ModelSection, ModelSource, resolve_model
from evalsuite.scorers import JudgeScorer, PairwiseScorer, is_opinion
from evalsuite.tasks import LoadedSuite, LoadedTask
from workspace.errors import UsageError
from workspace.secrets import secret_of


def opinions(suites: Sequence[LoadedSuite]) -> Iterator[tuple[LoadedSuite, LoadedTask]]:
    """Yield the tasks that are scored by other models."""
    for suite in suites:
        for task in suite.tasks:
            if is_opinion(task.spec.scorer):
                yield suite, task


def refuse_opinions(suites: Sequence[LoadedSuite], what: str) -> None:
    """Refuse tasks that other models score where there is no time or pair for it.

    Raises:
        UsageError: a task has such a scorer.
    """
    for suite, task in opinions(suites):
        assert task.spec.scorer is not None
        raise UsageError(
            f"{what} cannot wait for another model's opinion",
            where=f"{suite.path}: task {task.spec.name}",
            cause=f"Its scorer `{task.spec.scorer.kind}` is asked once all answers are there.",
            cure="Leave this suite out here, and put it to the finished run with `temper eval`.",
        )


def refuse_pairs(suites: Sequence[LoadedSuite], what: str) -> None:
    """Refuse tasks whose scorer compares a tuned answer with the base's, where there is one model.

    Raises:
        UsageError: a task has such a scorer.
    """
    for suite, task in opinions(suites):
        if isinstance(task.spec.scorer, PairwiseScorer):
            raise UsageError(
                f"{what} has no pairs for another model to compare",
                where=f"{suite.path}: task {task.spec.name}",
                cause="Its scorer `pairwise` compares answers of a tuned model with the base's.",
                cure="Leave this suite out, or score the task with `judge`.",
            )


def judges_here(suites: Sequence[LoadedSuite]) -> bool:
    """Whether a task is scored by a model that is loaded on this machine."""
    scorers = [task.spec.scorer for _, task in opinions(suites)]
    return any(
        not isinstance(getattr(scorer, "backend", None), EndpointConfig) for scorer in scorers
    )


def check_judges(
    suites: Sequence[LoadedSuite], base: ModelSource, subjects: Sequence[Subject]
) -> None:
    """Refuse a judge that is one of the models judged, or whose key is missing.

    Raises:
        UsageError: it is, by the digest of its weights or by its name at the endpoint; or the
            environment has no such key.
        ModelError: there is no such local judge.
    """
    digests = {base.digest: base.name} | {one.digest: one.name for one in subjects}
    _check(suites, list(_names(base, subjects)), digests)


def check_judges_of_served(suites: Sequence[LoadedSuite], names: Sequence[str]) -> None:
    """Refuse a judge that servers call by the name of a model judged. Raises as `check_judges`."""
    _check(suites, names, {})


def _check(suites: Sequence[LoadedSuite], names: Sequence[str], digests: Mapping[str, str]) -> None:
    judged = {_bare(name): name for name in names}
    for suite, task in opinions(suites):
        scorer = task.spec.scorer
        if not isinstance(scorer, JudgeScorer | PairwiseScorer):
            continue
        where, backend = f"{suite.path}: task {task.spec.name}, scorer.backend", scorer.backend
        if isinstance(backend, EndpointConfig):
            if backend.api_key:
                secret_of(backend.api_key)
            called = _bare(backend.model)
            if called in judged:
                raise _judges_itself(where, f"The endpoint's {backend.model} is {judged[called]}")
            continue
        section = ModelSection(path=backend.path, revision=backend.revision)
        judge = resolve_model(section, suite.path.parent)
        if judge.digest in digests:
            said = f"{backend.path} has the weights of {digests[judge.digest]}"
            raise _judges_itself(where, said)


def _names(base: ModelSource, subjects: Sequence[Subject]) -> Iterator[str]:
    yield base.name
    yield base.path.name
    for one in subjects:
        yield one.name
        yield one.run or one.path.name  # a run's own directory of weights is called `model`


def _bare(name: str) -> str:
    """Return a model's name as servers vary it: no owner, no case, no marks.

    >>> _bare("Qwen/Qwen2.5-7B") == _bare("qwen2.5:7b")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].lower())


def _judges_itself(where: str, cause: str) -> UsageError:
    return UsageError(
        "a model may not judge itself",
        where=where,
        cause=f"{cause}, which is one of the models judged. Models prefer their own answers.",
        cure="Name another model as the judge.",
    )
