"""Edge cases by rule: what real inputs are or hold that training prompts never are or hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl
from scipy import stats

from curate.steps.balancing.cells import SCRIPTS
from evalsuite.stats.multiplicity import holm

EXAMPLES = 3
_RARER, _ALPHA = 0.1, 0.05

RULES: Mapping[str, pl.Expr] = {
    "empty": pl.col("text").str.strip_chars() == "",
    "one word": pl.col("text").str.count_matches(r"\S+") == 1,
    "several lines": pl.col("text").str.strip_chars().str.contains("\n"),
    "URL": pl.col("text").str.contains(r"https?://|www\."),
    "e-mail address": pl.col("text").str.contains(r"[\w.+-]+@[\w-]+\.\w"),
    "HTML or XML": pl.col("text").str.contains(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>"),
    "HTML entity": pl.col("text").str.contains(r"&(?:#\d+|#x[0-9a-f]+|[a-z]{2,8});"),
    "code block": pl.col("text").str.contains(r"(?m)^\s{0,3}(?:```|~~~)"),
    "code": pl.col("text").str.contains(
        r"(?m)^\s*(?:def \w+\(|class \w+|import \w+|#include|SELECT .+ FROM|"
        r"function \w*\(|\w+\(.*\);$)"
    ),
    "JSON": pl.col("text").str.contains(r"\{\s*\"[^\"\n]+\"\s*:"),
    # Between dollars something only formulae have: `$5 and $7` are prices.
    "LaTeX": pl.col("text").str.contains(
        r"\\(?:frac|sqrt|begin|sum|int|cdot|text)\b|\$[^$\n]*[\\^_=][^$\n]*\$|\$[a-zA-Z]\$"
    ),
    "Markdown": pl.col("text").str.contains(r"(?m)^#{1,6} \p{L}|\*\*\S|^\|.*\|\s*$"),
    "list": pl.col("text").str.count_matches(r"(?m)^\s*(?:[-*•]|\d{1,2}[.)]) \S") >= 2,
    "digits": pl.col("text").str.contains(r"\p{N}"),
    "emoji": pl.col("text").str.contains(r"[\x{1F300}-\x{1FAFF}\x{2600}-\x{27BF}]"),
    "all capitals": pl.col("text").str.contains(r"\p{Lu}{2}")
    & ~pl.col("text").str.contains(r"\p{Ll}"),
    "no capital": pl.col("text").str.contains(r"\p{Ll}") & ~pl.col("text").str.contains(r"\p{Lu}"),
    "question mark": pl.col("text").str.contains(r"[?？؟]"),
    "mojibake": pl.col("text").str.contains(r"Ã[\x{80}-\x{BF}©¼¶¤]|â€|Â[\x{A0}-\x{BF}]"),
    "replacement character": pl.col("text").str.contains("\ufffd"),
    "control or invisible character": pl.col("text").str.contains(
        r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{FEFF}]"
    ),
    "combining mark": pl.col("text").str.contains(r"\p{Latin}[\x{300}-\x{36F}]"),
    "full-width letter": pl.col("text").str.contains(r"[\x{FF01}-\x{FF5E}]"),
    **{f"{name} script": pl.col("text").str.contains(pattern) for name, pattern in SCRIPTS.items()},
}
"""Name → whether a text is so, from the column `text`."""


@dataclass(frozen=True)
class EdgeCase:
    """Something about inputs, counted on both sides."""

    name: str
    real: int
    training: int
    unseen: bool
    """No training prompt is so; otherwise they are so ten times more rarely than real inputs, and
    not by chance."""
    p: float
    """One-sided p of Fisher's exact test, Holm's correction over the rules."""
    examples: tuple[str, ...]
    detail: str = ""


@dataclass
class RuleCounts:
    """How many texts each rule is true of; blocks are added one after the other."""

    rows: int = 0
    hits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))
    shortest: int | None = None
    longest: int = 0
    """Characters, white space around not counted."""
    turns: int = 0
    """Most turns of a user."""

    def add(self, texts: pl.Series, turns: pl.Series) -> None:
        """Count one more block."""
        frame = texts.alias("text").to_frame()
        length = pl.col("text").str.strip_chars().str.len_chars()
        found = frame.select(
            *(rule.sum().alias(name) for name, rule in RULES.items()),
            length.filter(length > 0).min().alias("_shortest"),
            length.max().alias("_longest"),
        ).row(0, named=True)
        for name in RULES:
            self.hits[name] += int(found[name] or 0)
        self.rows += len(texts)
        short = found["_shortest"]
        if short is not None:
            self.shortest = short if self.shortest is None else min(short, self.shortest)
        self.longest = max(self.longest, int(found["_longest"] or 0))
        self.turns = max(self.turns, int(turns.max() or 0))  # type: ignore[arg-type]


def edge_cases(texts: pl.Series, turns: pl.Series, training: RuleCounts) -> list[EdgeCase]:
    """Return what real inputs are that training prompts are not, the most frequent first.

    Args:
        texts: real inputs.
        turns: user turns of each.
        training: counts over all training prompts.
    """
    frame = pl.DataFrame({"text": texts, "turns": turns})
    length = pl.col("text").str.strip_chars().str.len_chars()
    ranges: dict[str, tuple[pl.Expr, str]] = {
        "longer than any": (length > training.longest, f"longest in training {training.longest:,}"),
        "shorter than any": (
            (length > 0) & (length < (training.shortest or 0)),
            f"shortest in training {training.shortest or 0:,}",
        ),
        "more turns than any": (
            pl.col("turns") > training.turns,
            f"most turns in training {training.turns:,}",
        ),
    }
    rules = {**RULES, **{name: rule for name, (rule, _) in ranges.items()}}
    held = frame.select(**rules)
    counts = {name: int(held[name].sum() or 0) for name in rules}
    present = [name for name, count in counts.items() if count]
    chance = [
        float(
            stats.hypergeom.cdf(
                training.hits.get(name, 0),
                training.rows + len(texts),
                training.rows,
                training.hits.get(name, 0) + counts[name],
            )
        )
        for name in present
    ]
    corrected = holm(chance).tolist() if present else []
    out = []
    for name, p in zip(present, corrected, strict=True):
        seen = training.hits.get(name, 0)
        rarer = seen / max(training.rows, 1) <= _RARER * counts[name] / len(texts)
        if seen and not (rarer and p < _ALPHA):
            continue
        which = held[name].fill_null(False).arg_true().head(EXAMPLES).to_list()
        detail = ranges[name][1] + " characters" if name in ranges else ""
        if name == "more turns than any":
            detail = ranges[name][1]
        examples = tuple(texts[place] for place in which)
        out.append(EdgeCase(name, counts[name], seen, not seen, p, examples, detail))
    return sorted(out, key=lambda one: (-one.real, one.name))


def unseen_languages(
    real: dict[str, int], training: dict[str, int], least: int = 2
) -> dict[str, int]:
    """Return language → real inputs of languages in which no training prompt is."""
    return {
        name: count
        for name, count in sorted(real.items(), key=lambda item: (-item[1], item[0]))
        if count >= least and name not in training
    }
