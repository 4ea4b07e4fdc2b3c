"""`report.html`: one file that opens anywhere, asks the network for nothing and trusts no text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace

import jinja2
from markupsafe import Markup, escape

from evalsuite import sentences
from evalsuite.overfitting.wording import drift_lines, nats, percent, told_words
from evalsuite.report.diff import word_diff
from evalsuite.report.document import ComparisonRecord, Results
from evalsuite.report.environment import HOUSE_STYLE, TEMPLATES, report_environment
from evalsuite.report.flips import Flips
from evalsuite.report.frontier import HEIGHT, frontier
from evalsuite.report.judgement_words import judge_sentence, win_sentence
from evalsuite.report.plot import forests
from evalsuite.report.sequence_words import sequence_sentences
from evalsuite.verdict import AbilityResult
from workspace.text import plain

FLIP_BYTES = 2_000_000
"""Room for answers in all comparisons together; the whole file stays below 3 MB."""


def render_html(results: Results, flips: Mapping[str, Flips]) -> str:
    """Return the page.

    Every printed value passes through `plain` and autoescape; a content security policy lets only
    our own script run and nothing load.

    Args:
        results: the whole document.
        flips: by `key` of the comparison.
    """
    environment = _environment()
    style = "\n".join(
        (TEMPLATES / name).read_text(encoding="utf-8") for name in (HOUSE_STYLE, "report.css")
    )
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    room = FLIP_BYTES // max(1, len(results.comparisons))
    return environment.get_template("report.html.j2").render(
        results=results,
        style=Markup(style),
        script=Markup(script),
        script_hash=_hash(script),
        flips={name: within(found, room) for name, found in flips.items()},
        forests={c.key: forests(c.verdict.abilities) for c in results.comparisons},
        abilities=_union(results),
        frontier=frontier(results.comparisons),
        frontier_height=HEIGHT,
        digests=_digests(results),
    )


def within(flips: Flips, room: int) -> Flips:
    """Return as many flips, in order, as fit into `room` bytes of HTML."""
    used, shown = 0, []
    for flip in flips.shown:
        texts = (flip.prompt, flip.gold, flip.base_output, flip.tuned_output, flip.item_id)
        # About 900 bytes of markup surround the texts of an item, 13 a word that differs.
        pieces = sum(map(len, word_diff(flip.base_output, flip.tuned_output)))
        used += 900 + 13 * pieces + sum(len(escape(plain(text)).encode()) for text in texts)
        if used > room:
            break
        shown.append(flip)
    return replace(flips, shown=tuple(shown))


def worst(comparison: ComparisonRecord) -> AbilityResult | None:
    """Return the ability to keep with the largest loss."""
    kept = [
        ability
        for ability in comparison.verdict.abilities
        if ability.purpose == "retention" and ability.difference is not None
    ]
    return min(kept, key=lambda ability: ability.difference or 0.0, default=None)


def _environment() -> jinja2.Environment:
    environment = report_environment(TEMPLATES)
    environment.filters.update(
        score=sentences.score,
        change=sentences.change,
        size=sentences.size,
        p_value=sentences.p_value,
        nats=nats,
        percent=percent,
        short=lambda value: str(value)[:12],
        worst=worst,
    )
    environment.globals.update(
        unit=sentences.unit,
        meaning=sentences.meaning,
        diff=word_diff,
        drift_lines=drift_lines,
        judge_sentence=judge_sentence,
        win_sentence=win_sentence,
        told_words=told_words,
        sequence_sentences=sequence_sentences,
    )
    return environment


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _union(results: Results) -> list[AbilityResult]:
    """Return one result per ability of any comparison, in order of first appearance."""
    seen: dict[str, AbilityResult] = {}
    for comparison in results.comparisons:
        for ability in comparison.verdict.abilities:
            if ability.name not in seen or seen[ability.name].base is None:
                seen[ability.name] = ability
    return list(seen.values())


def _digests(results: Results) -> list[tuple[str, str, str]]:
    """Return what, which and digest of everything that went in."""
    rows = []
    for model in results.models:
        rows.append((f"weights of {model.name}", model.path, model.digest))
        for what, digest in (
            ("adapter", model.adapter_digest),
            ("tokenizer", model.tokenizer_digest),
            ("chat template", model.template_digest),
        ):
            if digest:
                rows.append((f"{what} of {model.name}", f"{model.dtype} on {model.device}", digest))
    rows += [(f"suite {suite.name}", suite.path, suite.digest) for suite in results.suites]
    return rows
