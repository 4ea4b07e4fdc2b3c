"""Labels and values of JSON keys: other spellings, slips of the pen, values hardly ever seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from curate.conventions.findings import Finding
from curate.conventions.judge import Coded, Sources, judged
from curate.conventions.objects import Path
from curate.conventions.survey import Survey
from curate.conventions.vocabulary import Oddity, is_vocabulary, oddities, usual_spellings
from workspace.text import plain

Rows = NDArray[np.int64]
_VALUE, _KEY = 60, 40
_JSON = 0.1


def value_findings(survey: Survey, sources: Sources, share: float) -> list[Finding]:
    """Return the findings on every closed set of values: answers, labels, keys of JSON answers."""
    out = []
    place = survey.row_numbers()
    for name, path in _vocabularies(survey):
        if path.values is None or not path.names:
            continue
        rows = np.frombuffer(path.rows, np.int64)
        numbers = np.frombuffer(path.values, np.int32)
        held = numbers >= 0
        rows, numbers = rows[held], numbers[held]
        values = list(path.names)
        sizes = np.bincount(numbers, minlength=len(values)).tolist()
        counts = {value: size for value, size in zip(values, sizes, strict=True) if size}
        # Of rows with no text (long answers, numbers) too many mean that this is no vocabulary.
        if not is_vocabulary(counts) or rows.size < 0.9 * len(path.rows):
            continue
        out += judged(
            _spellings(name, rows, numbers, values, counts, survey.count),
            sources,
            share,
            rows=place,
        )
        found = oddities(counts)
        for kind in ("slip", "rare"):
            mine = [one for one in found if one.kind == kind]
            if mine:
                out.append(_told(name, kind, mine, rows, numbers, values, place))
    return out


def _vocabularies(survey: Survey) -> Iterator[tuple[str, Path]]:
    if len(survey.objects.rows) < _JSON * survey.count:  # the values inside are the labels
        yield "answer", survey.answers
    yield "label", survey.labels
    for path, held in survey.objects.paths.items():
        yield f"value {plain(path, _KEY)}", held


def _spellings(
    name: str,
    rows: Rows,
    numbers: NDArray[np.int32],
    values: list[str],
    counts: dict[str, int],
    total: int,
) -> Coded:
    """Return for each row whether its value is spelt as usual; each other spelling by itself."""
    usual_of = usual_spellings(counts)
    usual = {*usual_of.values()}
    others = [value for value in counts if value not in usual]
    code = {value: number for number, value in enumerate(others, 1)}
    table = np.zeros(len(values), np.int16)
    for number, value in enumerate(values):
        table[number] = code.get(value, 0)
    codes = np.full(total, -1, np.int16)
    codes[rows] = table[numbers]
    said = [f"{_what(name)} {_quoted(one)} where others {_quoted(usual_of[one])}" for one in others]
    first = f"{_what(name)} the usual spelling"
    return Coded(f"{name} spelling", [first, *said], codes, frozenset({0}))


def _told(
    name: str,
    kind: str,
    found: list[Oddity],
    rows: Rows,
    numbers: NDArray[np.int32],
    values: list[str],
    place: Rows,
) -> Finding:
    number = {value: at for at, value in enumerate(values)}
    said = {number[one.value]: _said(name, one) for one in found}
    odd = np.isin(numbers, list(said))
    gone = rows[odd]
    what = "a known value" if kind == "slip" else "a value that is common"
    return Finding(
        f"{name} {kind}",
        "departing",
        kind == "slip",
        f"{_what(name)} {what}",
        int((~odd).sum()),
        int(rows.size),
        tuple((said[number[one.value]], one.rows) for one in found),
        rows=place[gone],
        instead=tuple(said[at] for at in numbers[odd].tolist()),
    )


def _said(name: str, one: Oddity) -> str:
    like = f", nearly {_quoted(one.usual)} ({one.usual_rows:,} rows)" if one.usual else ""
    return f"{_what(name)} {_quoted(one.value)}{like}"


def _what(name: str) -> str:
    if name == "answer":
        return "answer"
    if name == "label":
        return "are labelled"
    return f"have as `{name.removeprefix('value ')}`"


def _quoted(value: str) -> str:
    return f'"{plain(value, _VALUE)}"'
