"""How often the gate is right: simulated evaluations at the shipped sizes and margins.

    nice python -P bench/stats.py                 # bench/results/stats.md; half an hour
    python -P bench/stats.py --draws 200 --out -  # fewer, to the terminal

`-P` keeps this directory off the import path. Each draw is an evaluation of eight abilities of the
shipped retention suite, by the gate itself (`evalsuite.gate.decide`). Every item is lost, gained or
stays, at given rates; where items share clusters of four, a share of them has the fate of the
cluster, so that the flips of two of them correlate by 0.1 (a design effect of 1.3). "Looks" are
those of `evaluate: sizing: {}`: more items for the undecided alone.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evalsuite.builtin import suite_path
from evalsuite.gate import conclude, decide
from evalsuite.sizing.plan import schedules
from evalsuite.sizing.section import SizingSection
from evalsuite.stats.paired import PairedCounts, mcnemar
from evalsuite.stats.paired_interval import tango_z
from evalsuite.tasks import load_suite
from evalsuite.verdict import AbilityResult, PairedAbility

Changes = NDArray[np.int64]
ABILITIES = 8
CLUSTER, CORRELATION = 4, 0.1
RESULTS = Path(__file__).with_name("results") / "stats.md"


@dataclass(frozen=True)
class Plan:
    """When how many items are judged, at which levels, on which terms."""

    sizes: tuple[int, ...]
    levels: tuple[float, ...]
    margin: float = 0.05
    alpha: float = 0.05


@dataclass(frozen=True)
class Flipped:
    """Counts that need not be whole."""

    n: float
    base_only: float
    tuned_only: float


@dataclass(frozen=True)
class Truth:
    """What really happens to an item."""

    lost: float
    gained: float
    clustered: bool = False


def shipped(looks: bool) -> Plan:
    """Return the sizes, levels and margin of the shipped retention suite."""
    suite = load_suite(suite_path("retention"))
    # of an ability without clusters: those end where a cluster ends
    found = schedules([suite], SizingSection())["addition"]
    if looks:
        return Plan(found.sizes, found.levels, suite.spec.margin, suite.spec.alpha)
    return Plan(found.sizes[-1:], (suite.spec.alpha,), suite.spec.margin, suite.spec.alpha)


def drawn(draw: np.random.Generator, name: str, truth: Truth, n: int, plan: Plan) -> PairedAbility:
    """Draw the paired scores of one ability."""
    rates = [truth.lost, truth.gained, 1 - truth.lost - truth.gained]
    fate = draw.choice(3, size=n, p=rates)
    clusters = None
    if truth.clustered:
        common = np.repeat(draw.choice(3, size=-(-n // CLUSTER), p=rates), CLUSTER)[:n]
        fate = np.where(draw.random(n) < math.sqrt(CORRELATION), common, fate)
        clusters = [str(place // CLUSTER) for place in range(n)]
    base, tuned = (fate != 1).astype(float), (fate != 0).astype(float)
    return PairedAbility(
        name, "retention", base, tuned, range(n), clusters,  # type: ignore[arg-type]
        margin=plan.margin, alpha=plan.alpha, min_items=plan.sizes[0],
    )  # fmt: skip


def cut(pair: PairedAbility, plan: Plan, look: int) -> PairedAbility:
    """Return the part of an ability that is seen at a look."""
    n, level = plan.sizes[look - 1], plan.levels[look - 1]
    return replace(
        pair,
        base=np.asarray(pair.base)[:n],
        tuned=np.asarray(pair.tuned)[:n],
        item_ids=pair.item_ids[:n],
        clusters=None if pair.clusters is None else pair.clusters[:n],
        look=look,
        pass_alpha=level,
        fail_alpha=level,
    )


def evaluated(pairs: Sequence[PairedAbility], plan: Plan) -> list[AbilityResult]:
    """Judge until each ability is decided or its items are used up."""
    at = dict.fromkeys((pair.name for pair in pairs), 1)
    results: dict[str, AbilityResult] = {}
    for look in range(1, len(plan.sizes) + 1):
        still = {name for name in at if name not in results or undecided(results[name])}
        if not still:
            break
        at |= dict.fromkeys(still, look)
        for result in decide([cut(pair, plan, at[pair.name]) for pair in pairs]):
            if result.name in still:
                results[result.name] = result
    return list(results.values())


def undecided(result: AbilityResult) -> bool:
    """Whether more items are asked for it."""
    return result.verdict == "inconclusive"


@dataclass(frozen=True)
class Rates:
    """Of so many draws: what was decided, and how many items each ability took."""

    draws: int
    passed: float
    failed: float
    items: float

    def error(self, rate: float) -> float:
        """Return the standard error of a rate."""
        return math.sqrt(max(rate * (1 - rate), 1 / self.draws) / self.draws)


def simulate(plan: Plan, truths: Sequence[Truth], draws: int, seed: int = 20) -> Rates:
    """Evaluate models whose abilities have these truths."""
    draw = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    items = 0
    for _ in range(draws):
        pairs = [
            drawn(draw, f"a{place}", truth, plan.sizes[-1], plan)
            for place, truth in enumerate(truths)
        ]
        results = evaluated(pairs, plan)
        items += sum(result.n for result in results)
        found[conclude(results).status] += 1
    return Rates(draws, found["pass"] / draws, found["fail"] / draws, items / draws / len(truths))


def bound_alone(plan: Plan, flips: float, draws: int, seed: int = 20) -> float:
    """Return how often Tango's bound, look by look, rules out a loss that is exactly the margin.

    The gate's own rule for one ability without clusters, by its statistic alone: quick enough for
    draws in which a size is seen to a thousandth.
    """
    draw = np.random.default_rng(seed)
    rates = [(flips + plan.margin) / 2, (flips - plan.margin) / 2, 1 - flips]
    steps = np.diff([0, *plan.sizes])
    counts = np.cumsum([draw.multinomial(step, rates, size=draws) for step in steps], axis=0)
    needed = [-float(special.ndtri(level)) for level in plan.levels]
    passed = 0
    for looks in counts.transpose(1, 0, 2).tolist():
        passed += any(
            tango_z(PairedCounts(same, lost, gained, 0), -plan.margin) > z
            for (lost, gained, same), z in zip(looks, needed, strict=True)
        )
    return passed / draws


def bound_in_clusters(plan: Plan, flips: float, draws: int, seed: int = 20) -> float:
    """Return how often the bounds for items in clusters, look by look, rule out such a loss."""
    draw, passed = np.random.default_rng(seed), 0
    for begin in range(0, draws, 500):
        changes = _changes(draw, plan, flips, min(500, draws - begin))
        decided = np.zeros(len(changes), dtype=bool)
        for n, level in zip(plan.sizes, plan.levels, strict=True):
            decided |= _ruled_out(changes[:, :n], plan.margin, level)
        passed += int(decided.sum())
    return passed / draws


def _changes(draw: np.random.Generator, plan: Plan, flips: float, draws: int) -> Changes:
    """Draw tuned minus base of every item, shape (draws, items), as `drawn` does."""
    n = plan.sizes[-1]
    rates = [(flips + plan.margin) / 2, (flips - plan.margin) / 2, 1 - flips]
    own = draw.choice(np.array([-1, 1, 0]), size=(draws, n), p=rates)
    clusters = draw.choice(np.array([-1, 1, 0]), size=(draws, -(-n // CLUSTER)), p=rates)
    common = np.repeat(clusters, CLUSTER, axis=1)[:, :n]
    return np.where(draw.random((draws, n)) < math.sqrt(CORRELATION), common, own)


def _ruled_out(changes: Changes, margin: float, level: float) -> NDArray[np.bool_]:
    """Return for each draw whether both bounds lie above the margin."""
    n = changes.shape[1]
    starts = np.arange(0, n, CLUSTER)
    mean = changes.mean(axis=1)
    sums = np.add.reduceat(changes - mean[:, None], starts, axis=1)
    error = np.sqrt((sums**2).sum(axis=1) * starts.size / (starts.size - 1)) / n
    plain = changes.std(axis=1) / math.sqrt(n)
    needed = -float(special.stdtrit(starts.size - 1, level))
    effect = np.maximum(1.0, (error / plain) ** 2)
    flips = zip((changes < 0).sum(axis=1), (changes > 0).sum(axis=1), effect, strict=True)
    scores = np.array(
        [tango_z(Flipped(n / by, lost / by, gained / by), -margin) for lost, gained, by in flips]
    )
    return np.asarray((scores > needed) & ((mean + margin) / error > needed))


def power(draws: int, seed: int = 20) -> dict[str, float]:
    """Return how often tests see 3 points lost at 7.5 % flips on 400 items (two-sided, 5 %)."""
    draw = np.random.default_rng(seed)
    counts = draw.multinomial(400, [0.6475, 0.0525, 0.0225, 0.2775], size=draws)
    seen = {"unpaired z": 0, "McNemar exact": 0, "McNemar mid-p": 0}
    for row in counts:
        table = PairedCounts(*map(int, row))
        z = abs(table.difference) / table.unpaired_standard_error
        seen["unpaired z"] += 2 * float(special.ndtr(-z)) < 0.05
        test = mcnemar(table)
        seen["McNemar exact"] += test.exact < 0.05
        seen["McNemar mid-p"] += test.mid_p < 0.05
    return {name: number / draws for name, number in seen.items()}


def honest(flips: float, *, clustered: bool = False) -> list[Truth]:
    """Return eight abilities that did not change, with this share of items flipping."""
    return [Truth(flips / 2, flips / 2, clustered)] * ABILITIES


def guilty(flips: float, margin: float, *, clustered: bool = False) -> list[Truth]:
    """Return one ability at exactly the margin: alone, which the other seven can only help."""
    return [Truth((flips + margin) / 2, (flips - margin) / 2, clustered)]


def lines(draws: int) -> Iterator[str]:
    """Yield the report, a table row as soon as it is known."""
    yield "# How often the gate is right\n"
    yield "```\npython -P bench/stats.py\n```\n"
    suite = shipped(looks=True)
    yield (
        f"Eight abilities of {suite.sizes[-1]:,} items, margin {suite.margin:g}, alpha "
        f"{suite.alpha:g}, as shipped; looks at {', '.join(f'{n:,}' for n in suite.sizes)} "
        f"items at levels {', '.join(f'{level:.4f}' for level in suite.levels)}. ± is the standard "
        "error of the simulation.\n"
    )
    yield "## Nothing changed: P(pass) is to be at least 0.9, P(fail) at most 0.05\n"
    yield "| items flipping | clusters | looks | P(pass) | P(fail) | items asked | draws |"
    yield "|--:|---|--:|--:|--:|--:|--:|"
    for flips, clustered, looks in _cases():
        plan = shipped(looks)
        few = max(50, draws // 5) if clustered else draws
        found = simulate(plan, honest(flips, clustered=clustered), few)
        yield (
            f"| {flips:.0%} | {_of(clustered)} | {len(plan.sizes)} | {_rate(found, found.passed)} "
            f"| {_rate(found, found.failed)} | {found.items:,.0f} | {few:,} |"
        )
    yield "\n## One ability lost exactly the margin: P(pass) is to be at most 0.05\n"
    yield "| items flipping | clusters | looks | P(pass) | P(fail) | items asked | draws |"
    yield "|--:|---|--:|--:|--:|--:|--:|"
    for flips, clustered, looks in _cases():
        plan = shipped(looks)
        few = max(50, draws // 5) if clustered else draws * 5
        found = simulate(plan, guilty(max(flips, 0.06), plan.margin, clustered=clustered), few)
        yield (
            f"| {max(flips, 0.06):.0%} | {_of(clustered)} | {len(plan.sizes)} "
            f"| {_rate(found, found.passed)} | {_rate(found, found.failed)} "
            f"| {found.items:,.0f} | {few:,} |"
        )
    yield from _bound_alone(draws * 100)
    yield "\n## Five hundred items: why a thousand are shipped\n"
    yield "| items flipping | P(pass) | draws |"
    yield "|--:|--:|--:|"
    small = replace(shipped(looks=False), sizes=(500,))
    for flips in (0.05, 0.10):
        found = simulate(small, honest(flips), draws)
        yield f"| {flips:.0%} | {_rate(found, found.passed)} | {draws:,} |"
    yield "\n## Seeing 3 points lost at 7.5 % flips on 400 items\n"
    yield "| test | power |"
    yield "|---|--:|"
    for name, share in power(draws * 10).items():
        yield f"| {name} | {share:.1%} |"


def _bound_alone(draws: int) -> Iterator[str]:
    yield "\n## The same, by the bound alone\n"
    yield "| items flipping | clusters | looks | P(the loss is ruled out) | draws |"
    yield "|--:|---|--:|--:|--:|"
    for looks in (False, True):
        plan = shipped(looks)
        for flips in (0.06, 0.10, 0.20):
            found = bound_alone(plan, flips, draws)
            yield _bound_row(flips, plan, found, draws, clustered=False)
            few = draws // 4
            found = bound_in_clusters(plan, flips, few)
            yield _bound_row(flips, plan, found, few, clustered=True)


def _bound_row(flips: float, plan: Plan, found: float, draws: int, *, clustered: bool) -> str:
    error = math.sqrt(max(found * (1 - found), 1 / draws) / draws)
    return (
        f"| {flips:.0%} | {_of(clustered)} | {len(plan.sizes)} | {found:.4f} ± {error:.4f} "
        f"| {draws:,} |"
    )


def _cases() -> Iterator[tuple[float, bool, bool]]:
    for clustered in (False, True):
        for looks in (False, True):
            for flips in (0.05, 0.10):
                yield flips, clustered, looks


def _of(clustered: bool) -> str:
    return f"of {CLUSTER}" if clustered else "none"


def _rate(found: Rates, rate: float) -> str:
    return f"{rate:.3f} ± {found.error(rate):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--out", default=str(RESULTS))
    given = parser.parse_args()
    began, told = time.monotonic(), []
    for line in lines(given.draws):
        told.append(line)
        print(line, flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if given.out != "-":
        Path(given.out).write_text("\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
