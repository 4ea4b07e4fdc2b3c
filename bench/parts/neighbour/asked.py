"""Run by the interpreter that has FineTuneCheck: a plan in, what it says of every model out.

    NEIGHBOUR/bin/python asked.py PLAN.json ANSWER.json

It imports nothing of ours. A run of a model is one of two: `quick` is `QuickConfig`, its own
offline probes with its defaults; any other name is `EvalConfig` with the probes of the plan.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import finetunecheck  # type: ignore[import-not-found]
from finetunecheck.config import EvalConfig, QuickConfig  # type: ignore[import-not-found]
from finetunecheck.eval.runner import EvalRunner  # type: ignore[import-not-found]
from finetunecheck.probes.custom import CustomProbe  # type: ignore[import-not-found]
from finetunecheck.probes.registry import ProbeRegistry  # type: ignore[import-not-found]

REFUSED = ("POOR", "HARMFUL", "INSUFFICIENT_EVIDENCE")
"""The verdicts for which its own `--exit-code` is not zero."""


def quick(base: str, tuned: str, shared: Any) -> Any:
    """Its own probes, without a network; what the base scored is not asked twice."""
    config = QuickConfig(
        base_model=base, finetuned_model=tuned, device="cpu", cache_baseline=False,
    )  # fmt: skip
    return EvalRunner(config, shared_base_scores=shared).run()


def with_probes(base: str, tuned: str, given: dict[str, Any]) -> Any:
    """Probes of ours, with its deep analysis."""
    for name, probe in given["probes"].items():
        samples = [{"input": prompt, "reference": answer} for prompt, answer in probe["rows"]]
        made = CustomProbe.from_samples(name, samples, judge_type=probe["judge"], category=name)
        ProbeRegistry.register(made)
    config = EvalConfig(
        base_model=base, finetuned_model=tuned, device="cpu", cache_baseline=False,
        inference_backend="transformers", deep_analysis=True,
        target_tasks=given["targets"],
        general_probes=[name for name in given["probes"] if name not in given["targets"]],
        **given["settings"],
    )  # fmt: skip
    return EvalRunner(config).run()


def told(results: Any) -> dict[str, Any]:
    """Return what it says, in its own words and numbers."""
    forgetting, deep = results.forgetting, results.deep_analysis
    errors = {part.error for part in deep.component_status.values() if part.error} if deep else ()
    shift = deep.perplexity if deep else None
    return {
        "verdict": results.verdict.value,
        "refused": results.verdict.value in REFUSED,
        "roi": results.roi_score,
        "coverage": results.roi_coverage,
        "summary": results.summary,
        "concerns": results.concerns,
        "recommendations": results.recommendations,
        "pattern": forgetting.pattern.value,
        "bwt": forgetting.backward_transfer,
        "sfi": forgetting.selective_forgetting_index,
        "sar": forgetting.safety_alignment_retention,
        "most_affected": forgetting.most_affected,
        "unmeasured": forgetting.missing_categories,
        "targets": results.target_improvements,
        "base": {name: score.mean_score for name, score in results.base_scores.items()},
        "tuned": {name: score.mean_score for name, score in results.ft_scores.items()},
        "deep": deep.status.value if deep else None,
        "deep_errors": sorted(errors),
        "perplexity": [shift.mean_ppl_base, shift.mean_ppl_ft] if shift else None,
    }


def words_in_source(pattern: str) -> int:
    """Count the lines of its own source that have a word; 0 shows that it has no such notion."""
    files = Path(finetunecheck.__file__).parent.rglob("*.py")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return sum(bool(re.search(pattern, line, re.IGNORECASE)) for line in lines)


def main() -> None:
    warnings.simplefilter("ignore")
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers: dict[str, dict[str, Any]] = {}
    shared = None
    for model in plan["models"]:
        answers[model["name"]] = found = {}
        for label, given in model["runs"].items():
            started = time.perf_counter()
            try:
                if label == "quick":
                    results = quick(plan["base"], model["tuned"], shared)
                    shared = results.base_scores
                else:
                    results = with_probes(plan["base"], model["tuned"], given)
                found[label] = told(results)
            except Exception as error:
                found[label] = {"error": f"{type(error).__name__}: {error}"}
            print(model["name"], label, f"{time.perf_counter() - started:.0f} s", flush=True)
    packages = ("finetunecheck", "transformers", "torch", "peft")
    answer = {
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "words": {name: words_in_source(pattern) for name, pattern in plan["words"].items()},
        "models": answers,
    }
    Path(sys.argv[2]).write_text(json.dumps(answer, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
