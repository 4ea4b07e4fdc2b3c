"""EVALSIG 0.1.2 and our statistics on the same paired scores: equal where the method is the same.

    python -m venv NEIGHBOUR && NEIGHBOUR/bin/pip install evalsig==0.1.2
    python -P bench/eval_neighbours.py NEIGHBOUR/bin/python      # bench/results/eval_neighbours.md

It has an environment of its own and is asked in a process of its own; `-P` keeps this directory off
the import path. Closed formulas must agree to 1e-9, resampling to four standard errors of both.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.stats.clustered import clustered_mean
from evalsuite.stats.continuous import paired_bootstrap, paired_mean, sign_flip_p
from evalsuite.stats.multiplicity import benjamini_hochberg, holm
from evalsuite.stats.paired import PairedCounts, mcnemar
from evalsuite.stats.paired_interval import wald_interval
from evalsuite.stats.power import minimum_detectable_effect, required_items

RESULTS = Path(__file__).with_name("results") / "eval_neighbours.md"
P_VALUES = [0.001, 0.008, 0.039, 0.041, 0.27]
THEIRS = """
import json, sys
import numpy as np
from evalsig import inference as i

given, out = json.load(sys.stdin), []
for scores in given["scores"]:
    a, b = (np.array(side, dtype=float) for side in scores)
    t, permuted = i.paired_t_test(a, b), i.paired_permutation_test(a, b)
    row = {
        "t p": t.p_value, "t low": t.ci[0], "t high": t.ci[1], "permutation p": permuted.p_value,
        "bootstrap low": permuted.ci[0], "bootstrap high": permuted.ci[1],
        "Cohen's d_z": i.cohens_d_paired(a, b).value,
        "MDE": i.mde(t.sd_diff, a.size).mde, "items for 0.03": i.required_n(0.03, t.sd_diff),
    }
    if set(a) | set(b) <= {0.0, 1.0}:
        exact = i.mcnemar_test(a, b, exact_threshold=10**9)
        chi2 = i.mcnemar_test(a, b, exact_threshold=0)
        loss = i.mcnemar_test(a, b, alternative="less", exact_threshold=10**9)
        row |= {
            "McNemar exact p": exact.p_value, "McNemar chi2 p": chi2.p_value,
            "McNemar loss p": loss.p_value, "Wald low": exact.ci[0], "Wald high": exact.ci[1],
        }
    out.append(row)
p = np.array(given["p"])
out.append({
    "Holm": i.holm(p).p_adjusted.tolist(), "BH": i.benjamini_hochberg(p).p_adjusted.tolist(),
})
print(json.dumps(out))
"""


@dataclass(frozen=True)
class Line:
    """One figure of both."""

    scores: str
    figure: str
    ours: float
    theirs: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether they are the same."""
        return math.isclose(self.ours, self.theirs, rel_tol=1e-9, abs_tol=self.tolerance)


def scores() -> dict[str, tuple[list[float], list[float]]]:
    """Return paired scores of a few kinds."""
    draw = np.random.default_rng(7)
    fate = draw.choice(3, size=400, p=[0.0525, 0.0225, 0.925])
    right = draw.random(400) < 0.7
    base = np.where(fate == 0, True, np.where(fate == 1, False, right)).astype(float)
    tuned = np.where(fate == 0, False, np.where(fate == 1, True, right)).astype(float)
    graded = draw.uniform(0.3, 0.9, 200)
    changed = graded - np.abs(draw.normal(0.01, 0.05, 200)) + draw.normal(0, 0.03, 200)
    # halves and eighths, so that sums are exact and no method stumbles over a last binary digit
    steps = draw.integers(0, 9, 60) / 8
    moved = np.clip(steps + draw.integers(-2, 2, 60) / 8, 0, 1)
    pairs = {
        "right or wrong": (base, tuned),
        "graded": (graded, changed),
        "eighths": (steps, moved),
    }
    return {name: (a.tolist(), b.tolist()) for name, (a, b) in pairs.items()}


def compare(python: str) -> list[Line]:
    """Ask both and return every figure."""
    given = scores()
    answer = subprocess.run(
        [python, "-c", THEIRS], input=json.dumps({"scores": list(given.values()), "p": P_VALUES}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *rows, many = json.loads(answer.stdout)
    lines: list[Line] = []
    for (name, sides), theirs in zip(given.items(), rows, strict=True):
        for figure, (value, tolerance) in ours(*sides).items():
            lines.append(Line(name, figure, value, float(theirs[figure]), tolerance))
    for figure, mine in (("Holm", holm(P_VALUES)), ("BH", benjamini_hochberg(P_VALUES))):
        for place, (one, two) in enumerate(zip(mine.tolist(), many[figure], strict=True)):
            lines.append(Line("five p-values", f"{figure} {place + 1}", one, two, 1e-9))
    return lines


def ours(a: list[float], b: list[float]) -> dict[str, tuple[float, float]]:
    """Return our figures with the tolerance of each."""
    d = np.array(b) - np.array(a)
    mean, interval = paired_mean(d), clustered_mean(d).interval()
    p, spread = sign_flip_p(d), float(d.std(ddof=1))
    boot = paired_bootstrap(d)
    # two samples of 10,000: of a p-value, and of a quantile at 2.5 % (density of a normal there)
    of_p = 4 * math.sqrt(2 * max(p * (1 - p), 1e-4) / 10_000)
    # and one step more where means lie on a lattice
    step = float(np.abs(d[d != 0]).min()) / d.size
    of_quantile = 4 * math.sqrt(2 * 0.025 * 0.975 / 10_000) / 0.0584 * boot.standard_error + step
    found = {
        "t p": (mean.t_p, 1e-9),
        "t low": (interval.low, 1e-9),
        "t high": (interval.high, 1e-9),
        "permutation p": (p, of_p),
        "bootstrap low": (boot.interval.low, of_quantile),
        "bootstrap high": (boot.interval.high, of_quantile),
        "Cohen's d_z": (mean.effect_size, 1e-9),
        "MDE": (minimum_detectable_effect(spread**2, d.size), 1e-9),
        "items for 0.03": (math.ceil(required_items(spread**2, 0.03)), 0.0),
    }
    if {*a, *b} <= {0.0, 1.0}:
        counts = PairedCounts.from_scores(a, b)
        test, wald = mcnemar(counts), wald_interval(counts)
        found |= {
            "McNemar exact p": (test.exact, 1e-9),
            "McNemar chi2 p": (test.chi2_corrected_p, 1e-9),
            "McNemar loss p": (test.regression, 1e-9),
            "Wald low": (wald.low, 1e-9),
            "Wald high": (wald.high, 1e-9),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="the interpreter that has evalsig")
    parser.add_argument("--out", default=str(RESULTS))
    given: Any = parser.parse_args()
    lines = compare(given.python)
    apart = [line for line in lines if not line.agrees]
    told = [
        "# EVALSIG 0.1.2 and ours on the same paired scores\n",
        "```\npython -P bench/eval_neighbours.py NEIGHBOUR/bin/python\n```\n",
        f"{len(lines) - len(apart)} of {len(lines)} figures agree.\n",
        "| scores | figure | ours | EVALSIG | tolerance | |",
        "|---|---|--:|--:|--:|---|",
        *(
            f"| {one.scores} | {one.figure} | {one.ours:.10g} | {one.theirs:.10g} "
            f"| {one.tolerance:.1g} | {'equal' if one.agrees else '**differs**'} |"
            for one in lines
        ),
    ]
    print("\n".join(told))
    if given.out != "-":
        Path(given.out).write_text("\n".join(told) + "\n", encoding="utf-8")
    sys.exit(bool(apart))


if __name__ == "__main__":
    main()
