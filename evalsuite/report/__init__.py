"""Reports of an evaluation, drawn from `results.json` and `samples.parquet` alone."""

from __future__ import annotations

from pathlib import Path

from evalsuite.report.document import (
    BestPrompt,
    ComparisonRecord,
    ModelRecord,
    NoiseFloor,
    PromptBaseline,
    PromptGain,
    Recommendation,
    Results,
    SuiteRecord,
    read_results,
    write_results,
)

__all__ = [
    "BestPrompt",
    "ComparisonRecord",
    "ModelRecord",
    "NoiseFloor",
    "PromptBaseline",
    "PromptGain",
    "Recommendation",
    "Results",
    "SuiteRecord",
    "read_results",
    "write_reports",
    "write_results",
]


def write_reports(eval_dir: Path) -> list[Path]:
    """Write `report.html`, `report.md` and `junit.xml` and return their paths.

    Args:
        eval_dir: holds `results.json` and `samples.parquet`.

    Raises:
        DataError: one of the two is missing or damaged.
    """
    from evalsuite.report.flips import Samples
    from evalsuite.report.html import render_html
    from evalsuite.report.junit import render_junit
    from evalsuite.report.markdown import render_markdown
    from workspace.files import write_bytes, write_text

    results = read_results(eval_dir)
    samples = Samples(eval_dir / "samples.parquet")
    flips = {}
    for comparison in results.comparisons:
        verdict = comparison.verdict
        if verdict.status == "invalid":
            continue  # no number may be trusted, so no answer is held against the model either
        names = [ability.name for ability in verdict.abilities if ability.bounded]
        flips[comparison.key] = samples.flips(comparison.base, comparison.tuned, names)
    paths = [eval_dir / name for name in ("report.html", "report.md", "junit.xml")]
    write_text(paths[0], render_html(results, flips))
    write_text(paths[1], render_markdown(results, flips))
    write_bytes(paths[2], render_junit(results))
    return paths
