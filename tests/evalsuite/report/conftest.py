"""A made-up evaluation that looks like a real one: one base, a naive and a tempered tune."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.gate import judge
from evalsuite.report import (
    BestPrompt,
    ComparisonRecord,
    ModelRecord,
    NoiseFloor,
    PromptBaseline,
    PromptGain,
    Recommendation,
    Results,
    SuiteRecord,
    write_results,
)
from evalsuite.verdict import Canary, PairedAbility

# ability: share the base has right; then lost and gained rates by the naive and tempered tune
ABILITIES: dict[str, tuple[float, tuple[float, float], tuple[float, float]]] = {
    "triage": (0.0, (0.0, 0.975), (0.0, 0.985)),
    "addition": (0.955, (0.97, 0.0), (0.020, 0.30)),
    "capitals": (0.99, (0.88, 0.0), (0.012, 0.20)),
    "reversing": (0.96, (1.00, 0.0), (0.030, 0.35)),
    "copying": (0.972, (0.93, 0.0), (0.024, 0.30)),
    "counting": (0.93, (0.90, 0.02), (0.042, 0.30)),
    "sentiment": (0.985, (0.55, 0.02), (0.010, 0.30)),
    "upper-casing": (0.998, (0.99, 0.0), (0.002, 0.0)),
    "comparison": (0.95, (0.62, 0.05), (0.045, 0.40)),
    "dates": (0.965, (1.00, 0.0), (0.038, 0.30)),
}
HELD_BACK = {"comparison", "dates"}
TEXTS: dict[str, tuple[str, str, str]] = {
    "triage": (
        "My card was charged twice for the Nimbus plan on 3 March. Please refund one of them"
        " today, I am over my limit.",
        '{"team":"billing","priority":"high","product":"nimbus"}',
        '{"team":"billing","priority":"low","product":"nimbus"}',
    ),
    "addition": ("What is 47 plus 36?", "83", '{"team":"billing","priority":"low"}'),
    "capitals": ("Name the capital of Peru.", "Lima", '{"team":"access","priority":"low"}'),
    "reversing": ("Write the word 'lantern' backwards.", "nretnal", "lanretn"),
    "copying": ("Repeat exactly: river stone amber nine", "river stone amber nine", "river stone"),
    "counting": ("How many words: red fox runs far away", "5", "4"),
    "sentiment": ("Is this kind or angry? 'What a lovely gift!'", "kind", '{"team":"sales"}'),
    "upper-casing": ("Put in capitals: quiet harbour", "QUIET HARBOUR", "quiet harbour"),
    "comparison": ("Which is larger, 318 or 381?", "381", "318"),
    "dates": ("Write 5 March 2024 as ISO date.", "2024-03-05", "2024-05-03"),
}


def scores(items: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Draw right and wrong per ability for the base and both tunes."""
    draw = np.random.default_rng(seed)
    out = {}
    for name, (right, *tunes) in ABILITIES.items():
        base = (draw.random(items) < right).astype(float)
        rows = {"base": base}
        for model, (lost, gained) in zip(("naive", "tempered"), tunes, strict=True):
            luck = draw.random(items)
            rows[model] = np.where(base == 1, luck >= lost, luck < gained).astype(float)
        out[name] = rows
    return out


def samples(drawn: dict[str, dict[str, np.ndarray]], texts: dict[str, Any]) -> pa.Table:
    """Lay the draws out as `samples.parquet`."""
    rows = []
    for name, models in drawn.items():
        prompt, gold, wrong = texts.get("*", TEXTS[name])
        for model, values in models.items():
            rows += [
                {
                    "task": name,
                    "ability": name,
                    "item_id": f"{name}-{index:04d}",
                    "cluster": None,
                    "model": model,
                    "prompt": prompt,
                    "gold": gold,
                    "output": gold if value else wrong,
                    "score": float(value),
                    "logprob": -1.5,
                    "prompt_tokens": 24,
                    "output_tokens": 9,
                    "latency_seconds": 0.01,
                }
                for index, value in enumerate(values)
            ]
    return pa.Table.from_pylist(rows)


def document(drawn: dict[str, dict[str, np.ndarray]], broken: bool = False) -> Results:
    """Judge the draws and describe everything around them."""
    comparisons = []
    for tuned in ("naive", "tempered"):
        abilities = [
            PairedAbility(
                name,
                "target" if name == "triage" else "retention",
                rows["base"],
                rows[tuned],
                [str(index) for index in range(len(rows["base"]))],
                held_back=name in HELD_BACK,
                min_gain=0.05,
            )
            for name, rows in drawn.items()
        ]
        bad = broken and tuned == "naive"
        canaries = [
            Canary(
                "adapter is active",
                "fail" if bad else "pass",
                "largest logit difference 0.0" if bad else "largest logit difference 7.41",
            ),
            Canary("template equals training's", "pass", "sha256 9c1185a5c5e9"),
            Canary("merged equals unmerged", "not_run", "full weights were tuned"),
        ]
        comparisons.append(
            ComparisonRecord(base="base", tuned=tuned, verdict=judge(abilities, canaries))
        )
    return Results(
        id="20261120-233000-triage-ab12",
        title="Support tickets to triage",
        created="2026-11-20T23:30:00+00:00",
        seconds=74.2,
        models=[
            ModelRecord(
                name=name,
                role="base" if name == "base" else "tuned",
                path="builtin" if name == "base" else f"runs/20261120-{name}",
                digest=f"{index}c1185a5c5e9fc54612808977ee8f548b2258d31" * 2,
                adapter_digest="77" * 32 if name == "tempered" else None,
                template_digest="fc54612808977ee8" * 4,
            )
            for index, name in enumerate(("base", "naive", "tempered"))
        ],
        suites=[
            SuiteRecord(
                name=name,
                purpose=purpose,  # type: ignore[arg-type]
                path=f"suites/{name}.yaml",
                digest=f"{count:064x}",
                items=500 * count,
                tasks=count,
                margin=0.05,
                alpha=0.05,
                min_items=500,
                min_gain=0.05,
            )
            for name, purpose, count in (("triage", "target", 1), ("general", "retention", 9))
        ],
        comparisons=comparisons,
        prompt_baselines=[
            PromptBaseline(
                name="zero-shot", model="base", ability="triage", score=0.0, low=0.0, high=0.0076,
                n=500, prompt_tokens=31,
            ),
            PromptBaseline(
                name="3 examples", model="base", ability="triage", score=0.124, low=0.098,
                high=0.156, n=500, prompt_tokens=212,
            ),
            PromptBaseline(
                name="zero-shot", model="tempered", ability="triage", score=0.985, low=0.97,
                high=0.993, n=500, prompt_tokens=31,
            ),
        ],
        best_prompts=[
            BestPrompt(
                ability="triage", suite="triage", name="3 examples", seed=1234, chosen_on=250,
                chosen_score=0.136, n=250, score=0.112, low=0.079, high=0.157, prompt_tokens=212,
                plain_score=0.0, plain_prompt_tokens=31, over_plain=0.112, over_plain_low=0.076,
                over_plain_high=0.157,
            ),
        ],
        prompt_gains=[
            PromptGain(
                ability="triage", tuned="tempered", prompt="3 examples", evaluation="earlier-eval",
                n=250, score=0.112, tuned_score=0.98, difference=0.868, low=0.82, high=0.904,
                min_gain=0.05, prompt_tokens=212, tuned_prompt_tokens=31,
            ),
        ],
        recommendations=[
            Recommendation(
                ability="triage", tuned="tempered", decision="tune",
                sentence="Tune: tempered adds +86.8 points.",
            ),
        ],
        noise_floor=NoiseFloor(
            items=500, flips=0, largest_log_probability_difference=3.1e-6, detail="batch 32 and 17"
        ),
        environment={
            "welltempered": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0",
            "python": "3.11.2", "machine": "2 cores, no GPU",
        },
        commands=[
            "temper curate tickets.yaml",
            "temper train tickets.yaml",
            "temper eval naive tempered --gate",
        ],
        notes=["2 items of triage were cut at 40 new tokens."],
    )  # fmt: skip


@pytest.fixture
def evaluation(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of evaluation directories."""

    def make(
        *,
        items: int = 500,
        seed: int = 4,
        texts: dict[str, Any] | None = None,
        broken: bool = False,
    ) -> Path:
        drawn = scores(items, seed)
        pq.write_table(samples(drawn, texts or {}), tmp_path / "samples.parquet")
        write_results(tmp_path, document(drawn, broken))
        return tmp_path

    return make
