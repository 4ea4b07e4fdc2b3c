"""What each tool said of a model: as facts to judge, and as a cell of the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evalsuite.report import Results
from neighbour.cases import Said


def ours(results: Results) -> Said:
    """Read an evaluation of ours."""
    (comparison,) = results.comparisons
    verdict = comparison.verdict
    failed = {one.name for one in verdict.abilities if one.verdict == "fail"}
    there = {one.ability for one in results.triage if one.kind in ("format", "hidden")}
    canaries = [one.detail for one in verdict.canaries if one.status == "fail"]
    (data,) = results.overfitting
    return Said(
        passes=verdict.status == "pass",
        regressed=frozenset(failed),
        forgotten=frozenset(failed - there),
        words="\n".join([verdict.headline, *canaries, *data.words, data.sentence]),
    )


def ours_cell(results: Results) -> str:
    """Write its status, cause and abilities."""
    (comparison,) = results.comparisons
    verdict, (data,) = comparison.verdict, results.overfitting
    kinds = {one.ability: one.kind for one in results.triage}
    # of an ability that did not fail nothing is lost, whatever was asked again
    lost = [
        f"{one.name} {one.difference:+.2f}" + (f" ({kinds[one.name]})" if one.name in kinds else "")
        for one in verdict.abilities
        if one.verdict == "fail" and one.difference is not None
    ]
    broken = [one.detail for one in verdict.canaries if one.status == "fail"]
    told = [
        f"**{verdict.status}**",
        *(f"invalid: {detail}" for detail in broken),
        f"data: {', '.join(data.words) or data.state.replace('_', ' ')}",
        *([f"lost: {', '.join(lost)}"] if lost else []),
    ]
    return "; ".join(told)


def theirs(runs: Iterable[dict[str, Any]]) -> Said:
    """Read what FineTuneCheck said in one or more runs; the verdict is that of the first."""
    done = [run for run in runs if "error" not in run]
    first: dict[str, Any] = done[0] if done else {"refused": True, "most_affected": []}
    said = ("verdict", "summary", "pattern", "concerns", "recommendations", "deep_errors")
    words = [text for run in done for key in said for text in _texts(run[key])]
    return Said(
        passes=not first["refused"],
        regressed=frozenset(first["most_affected"]),
        forgotten=frozenset(first["most_affected"]),
        words="\n".join(words),
    )


def theirs_cell(run: dict[str, Any]) -> str:
    """Write its verdict with the numbers behind it."""
    if "error" in run:
        return f"**error**: {run['error']}"
    targets = [
        f"{name.replace('_', ' ')} {_signed(value)}" for name, value in run["targets"].items()
    ]
    told = [
        f"**{run['verdict']}**",
        f"ROI {run['roi']:.1f} (coverage {run['coverage']:.2f})",
        f"forgetting {run['pattern']}",
        f"BWT {_signed(run['bwt'])}",
        f"SFI {_plain(run['sfi'])}",
        f"SAR {_plain(run['sar'])}",
        *(f"target {one}" for one in targets),
        f"most affected: {', '.join(run['most_affected']) or 'none'}",
    ]
    if run["deep"]:
        told.append(f"deep {run['deep']}{_cause(run['deep_errors'])}")
    if run["perplexity"]:
        base, tuned = run["perplexity"]
        told.append(f"perplexity {base:.3g} to {tuned:.3g}")
    return "; ".join(told)


def _cause(errors: list[str]) -> str:
    """Write why its deep analysis gave up; the templates that it quotes are left out."""
    return "".join(f' ("{error.split(": base=")[0]}")' for error in errors)


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _signed(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"


def _plain(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
