"""An earlier evaluation that tried prompts on the same base and the same items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.report.document import ModelRecord, Results, read_results
from evalsuite.tasks import LoadedSuite
from workspace.errors import DataError

_COLUMNS = ("task", "ability", "item_id", "cluster", "model", "score", "prompt_tokens")

_TRIAL = "base, "
"""What the name of a model begins with that was the base, asked in another way."""


@dataclass(frozen=True, slots=True)
class OldAnswer:
    """What `samples.parquet` keeps of an answer that this needs."""

    task: str
    item_id: str
    cluster: str
    score: float
    prompt_tokens: int


@dataclass(frozen=True)
class Earlier:
    """The answers of one earlier evaluation, of one ability."""

    evaluation: str
    """Its id."""
    seed: int
    """Which half chose."""
    answers: Mapping[str, Sequence[OldAnswer]]
    """By way of asking."""


def find_earlier(
    evals: Path, base: ModelRecord, suite: LoadedSuite, ability: str
) -> Earlier | None:
    """Return the newest evaluation that tried prompts for an ability; None if there is none.

    It must have asked the same weights through the same template the same items: the digests of
    base, template and suite are compared.

    Args:
        evals: the workspace's directory of evaluations.
        base: the base as it is measured now.
        suite: has the ability.
        ability: its name in results.
    """
    for directory, results in _newest_first(evals):
        seed = _tried(results, base, suite, ability)
        if seed is None:
            continue
        answers = _answers(directory / "samples.parquet", ability)
        if answers:
            return Earlier(results.id, seed, answers)
    return None


def _newest_first(evals: Path) -> Iterator[tuple[Path, Results]]:
    for path in sorted(evals.glob("[!.]*/results.json"), reverse=True):
        # Of another version, or a directory that is no evaluation: there is nothing to reuse.
        try:
            yield path.parent, read_results(path.parent)
        except DataError:
            continue


def _tried(results: Results, base: ModelRecord, suite: LoadedSuite, ability: str) -> int | None:
    """Return the seed of its halves if the evaluation tried prompts for just this, else None."""
    asked = next((model for model in results.models if model.role == "base"), None)
    if asked is None or _identity(asked) != _identity(base):
        return None
    if not any(one.digest == suite.digest for one in results.suites):
        return None
    for best in results.best_prompts:
        if best.ability == ability and best.suite == suite.spec.name:
            return best.seed
    return None


def _identity(model: ModelRecord) -> tuple[str | None, ...]:
    return model.digest, model.tokenizer_digest, model.template_digest, model.dtype


def _answers(samples: Path, ability: str) -> dict[str, list[OldAnswer]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(samples, columns=list(_COLUMNS))
    except (
        pyarrow.ArrowException,
        OSError,
    ):  # the answers were removed; the prompts are asked anew
        return {}
    found: dict[str, list[OldAnswer]] = {}
    for row in table.to_pylist():
        if row["model"].startswith(_TRIAL) and row["ability"] == ability:
            found.setdefault(row["model"].removeprefix(_TRIAL), []).append(
                OldAnswer(
                    row["task"], row["item_id"], row["cluster"], row["score"], row["prompt_tokens"]
                )
            )
    return found
