"""From a survey to findings: every aspect judged, the rows that depart named."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.conventions.aspects import ASPECTS
from curate.conventions.findings import Example, Finding
from curate.conventions.judge import LEAST_ROWS, OF_A_SOURCE, Coded, Sources, judged
from curate.conventions.lengths import length_findings
from curate.conventions.objects import FORMS, OBJECT, SPACING, TYPES, Objects, Path
from curate.conventions.survey import Survey, joined
from curate.conventions.values import value_findings
from curate.frame import ROW
from workspace.text import plain

Rows = NDArray[np.int64]
EXAMPLES = 5
_KEY, _EXCERPT = 40, 160
_MOST_PHRASES = 12
_MANY = 0.1
_TOLD_MIXED = frozenset({"json", "final_marker", "ending", "short_ending", "markdown", "language"})
"""Aspects of which it is worth telling that there is no one convention."""


def findings_of(survey: Survey, share: float) -> list[Finding]:
    """Return what is to be said, form before style, and the surest departures first.

    Args:
        survey: of all rows.
        share: least share of rows that makes a convention.
    """
    sources = Sources(list(survey.source_names), joined(survey.sources, np.int32))
    place = survey.row_numbers()
    out: list[Finding] = []
    for one in (*_texts(survey), *_objects(survey)):
        out += judged(one, sources, share, rows=place)
    out += value_findings(survey, sources, share)
    out += length_findings(joined(survey.lengths, np.int32), sources, place)
    out = [one for one in out if one.level != "mixed" or _worth_telling(one, survey.count)]
    rank = {"source": 0, "departing": 1, "mixed": 2}
    return sorted(out, key=lambda one: (not one.form, rank[one.level], -one.share, one.aspect))


def _worth_telling(mixed: Finding, rows: int) -> bool:
    known = mixed.aspect.split()[0] in _TOLD_MIXED or mixed.aspect.endswith(" spelling")
    return known and mixed.applies >= _MANY * rows


def _texts(survey: Survey) -> list[Coded]:
    """Return the aspects of answers as text."""
    out = []
    for aspect in ASPECTS:
        names = list(aspect.values)
        strict = frozenset(names.index(name) for name in aspect.strict)
        codes = joined(survey.codes.get(aspect.name, []), np.int8)
        out.append(Coded(aspect.name, list(aspect.values.values()), codes, strict))
    said = ["have no system prompt", "have a system prompt"]
    out.append(Coded("system_prompt", said, joined(survey.systems, np.int8)))
    if survey.language and survey.language_names:
        said = [f"are in {name}" for name in survey.language_names]
        out.append(Coded("language", said, joined(survey.languages, np.int16)))
    out.append(_phrases(survey))
    return out


def _phrases(survey: Survey) -> Coded:
    """Return which of the phrases that most rows of a source begin with each row begins with."""
    sources = joined(survey.sources, np.int32)
    sizes = np.bincount(sources, minlength=1)
    chosen: dict[tuple[int, int], str] = {}
    for (words, phrase, digest), _ in survey.phrase_counts.most_common(200):
        mine = np.bincount(
            sources[joined(survey.phrases[words], np.uint64) == digest], minlength=sizes.size
        )
        enough = (mine >= OF_A_SOURCE * sizes) & (sizes >= LEAST_ROWS)
        if enough.any() and len(chosen) < _MOST_PHRASES:
            chosen[words, digest] = phrase
    longest = {
        key: phrase
        for key, phrase in chosen.items()
        if not any(other.startswith(f"{phrase} ") for other in chosen.values())
    }
    codes = np.full(survey.count, len(longest), np.int16)
    for number, (words, digest) in enumerate(longest):
        codes[joined(survey.phrases[words], np.uint64) == np.uint64(digest)] = number
    first = joined(survey.phrases[2], np.uint64) if survey.phrases else np.empty(0, np.uint64)
    codes[(first == 0) & (codes == len(longest))] = -1
    if not longest:
        codes[:] = -1
    said = [f"begin with `{plain(phrase, _KEY)}`" for phrase in longest.values()]
    strict = frozenset(range(len(longest)))
    return Coded("first_words", [*said, "begin otherwise"], codes, strict)


def _objects(survey: Survey) -> list[Coded]:
    """Return the aspects of answers as JSON."""
    objects = survey.objects
    forms = joined(objects.forms, np.int8)
    if not objects.count or (not (forms == OBJECT).any() and not len(objects.rows)):
        return []
    out = [Coded("json", FORMS, forms, frozenset({0, 1, 2}))]
    rows = np.frombuffer(objects.rows, np.int64) if objects.rows else np.empty(0, np.int64)
    if rows.size < LEAST_ROWS:
        return out
    spacing = np.frombuffer(objects.spacing, np.int8)
    out.append(Coded("json_spacing", SPACING, _spread(rows, spacing, survey.count)))
    order = _spread(rows, objects.usual_order(), survey.count)
    said = ["have their keys in the usual order", "have their keys in another order"]
    out.append(Coded("key_order", said, order, frozenset({0})))
    out += _keys(objects, rows, survey.count)
    return out


def _keys(objects: Objects, rows: Rows, count: int) -> list[Coded]:
    out = []
    for path, held in objects.paths.items():
        name = plain(path, _KEY)
        having = np.frombuffer(held.rows, np.int64)
        parent = _parent(objects, path, rows)
        present = np.full(count, -1, np.int8)
        present[parent] = 1
        present[having] = 0
        rare = len(objects.paths) > 40 and having.size < 0.5 * parent.size
        if not rare:  # objects with keys of free choice have no convention for each
            said = [f"have the key `{name}`", f"lack the key `{name}`"]
            out.append(Coded(f"key {name}", said, present, frozenset({0, 1})))
        types = np.frombuffer(held.types, np.int8)
        said = [f"have {kind} as `{name}`" for kind in TYPES]
        strict = frozenset(range(len(TYPES)))
        out.append(Coded(f"type {name}", said, _spread(having, types, count), strict))
    return out


def _parent(objects: Objects, path: str, rows: Rows) -> Rows:
    """Return the rows in which a key could be: those that have the object it lies in."""
    above, dot, _ = path.rpartition(".")
    held: Path | None = objects.paths.get(above) if dot else None
    if held is None:
        return rows
    types = np.frombuffer(held.types, np.int8)
    return np.asarray(np.frombuffer(held.rows, np.int64)[types == TYPES.index("an object")])


def _spread(rows: Rows, codes: NDArray[np.integer], count: int) -> NDArray[np.int8]:
    out = np.full(count, -1, np.int8)
    out[rows] = codes
    return out


def shown(findings: list[Finding], frame: pl.LazyFrame, said: pl.Expr) -> list[Finding]:
    """Return the findings with examples: id, place, what the row does, how its answer reads.

    Args:
        findings: from `findings_of`.
        frame: the rows, with `_row`, `id`, `source`, `row`.
        said: the answer of a row.
    """
    wanted = sorted({int(row) for one in findings for row in one.rows[:EXAMPLES]})
    if not wanted:
        return findings
    here = pl.DataFrame({ROW: wanted}).lazy()
    held = frame.join(here, on=ROW, how="semi").select(ROW, "id", "source", "row", said.alias("a"))
    known = {row: rest for row, *rest in held.collect().iter_rows()}
    return [
        one.with_examples(
            tuple(
                _example(known[int(row)], what)
                for row, what in zip(one.rows[:EXAMPLES], one.instead, strict=False)
            )
        )
        for one in findings
    ]


def _example(held: list[object], what: str) -> Example:
    identifier, source, row, answer = held
    place = f"{source or ''}:{row}" if row is not None else str(source or "")
    return Example(str(identifier), place, what, plain(str(answer or ""), _EXCERPT))
