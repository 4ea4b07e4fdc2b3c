"""The verdict on a run, from `evals/*/results.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from tui.records import number, words

_WORST_FIRST = {"fail": 0, "not measured": 1, "inconclusive": 2}


class Ability(NamedTuple):
    """One ability before and after tuning; scores and differences in the unit of the score."""

    name: str
    purpose: str
    """target (to gain) or retention (to keep)."""
    verdict: str
    """pass, fail, inconclusive or not measured."""
    base: float | None
    tuned: float | None
    difference: float | None
    low: float | None
    """Lower end of the 95 % interval of the difference."""
    high: float | None
    """Upper end of it."""


class Verdict(NamedTuple):
    """What one evaluation said of one run."""

    run: str
    """Id of the run, or the name the model was given there if it is no run of a workspace."""
    verdict: str
    """pass, fail, inconclusive or invalid."""
    headline: str
    """The verdict in one sentence."""
    evaluation: Path
    """Directory of the evaluation."""
    abilities: tuple[Ability, ...] = ()
    """Failed ones first."""


def verdicts_in(results: dict[str, Any], directory: Path) -> tuple[Verdict, ...]:
    """Return the verdicts in the record of the evaluation in `directory`."""
    paths = {
        words(model.get("name")): words(model.get("path")) for model in objects(results, "models")
    }
    return tuple(
        _verdict(run_of(words(item.get("tuned")), paths), item["verdict"], directory)
        for item in objects(results, "comparisons")
        if isinstance(item.get("verdict"), dict)
    )


def objects(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects in a list of a record; whatever else is in it is left out."""
    found = record.get(key)
    return [item for item in (found if isinstance(found, list) else ()) if isinstance(item, dict)]


def run_of(name: str, paths: dict[str, str]) -> str:
    """Return the run a model came from: the directory below `runs` in its path."""
    parts = Path(paths.get(name, "")).parts
    return parts[parts.index("runs") + 1] if "runs" in parts[:-1] else name


def _verdict(run: str, item: dict[str, Any], directory: Path) -> Verdict:
    abilities = [_ability(found) for found in objects(item, "abilities")]
    return Verdict(
        run=run,
        verdict=words(item.get("status")),
        headline=words(item.get("headline")),
        evaluation=directory,
        abilities=tuple(sorted(abilities, key=lambda found: _WORST_FIRST.get(found.verdict, 3))),
    )


def _ability(item: dict[str, Any]) -> Ability:
    return Ability(
        name=words(item.get("name")),
        purpose=words(item.get("purpose")),
        verdict=words(item.get("verdict")),
        base=number(item.get("base")),
        tuned=number(item.get("tuned")),
        difference=number(item.get("difference")),
        low=number(item.get("low")),
        high=number(item.get("high")),
    )
