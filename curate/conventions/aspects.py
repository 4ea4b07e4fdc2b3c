"""What can be conventional about an answer as text: each aspect with the values it can have.

Every aspect is one polars expression over `said`, the answer, so that a block of rows is coded
without a Python object per row. Null means that the aspect does not apply to the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from curate.conventions.ways import (
    CLOSERS,
    FENCED,
    MONTHS,
    OPENERS,
    PROGRAM,
    SENTENCE_WORDS,
    UNITS,
    around,
    breaks,
    either,
    ending,
    fence,
    first_letter,
    markdown,
    marker,
    short_ending,
    wrapped,
    yes_no,
)


@dataclass(frozen=True)
class Aspect:
    """One thing that answers do in one way or another."""

    name: str
    values: Mapping[str, str]
    """Value → what a row with it does, as the rest of a sentence that begins with the rows."""
    strict: frozenset[str] = frozenset()
    """Values that a parser relies on: a departure from one of these is one of form."""
    code: pl.Expr | None = None
    """The value of a row, from the columns of `COLUMNS`; None: it is found by other means."""


COLUMNS = ("said", "trimmed", "prose", "last", "words")
"""`said`: the answer; `trimmed`: without white space around it; `prose`: `trimmed` where it is
neither JSON nor a program, else null; `last`: its last line; `words`: how many it has."""

_BOTH = {"both": "write both ways"}

ASPECTS: tuple[Aspect, ...] = (
    Aspect(
        "code_fence",
        {"whole": "stand in a code fence", "some": "hold a code block", "none": "hold no fence"},
        frozenset({"whole", "some"}),
        fence(),
    ),
    Aspect(
        "final_marker",
        {
            "hashes": "end with `#### ANSWER`",
            "boxed": r"mark the answer with `\boxed{}`",
            "tag": "mark the answer with `<answer>`",
            "words": "end with `answer is` or `Answer:`",
            "none": "mark no final answer",
        },
        frozenset({"hashes", "boxed", "tag", "words"}),
        marker(),
    ),
    Aspect(
        "thinking",
        {"yes": "think between `<think>` tags", "no": "have no `<think>` part"},
        frozenset({"yes"}),
        yes_no(r"(?i)^<think(?:ing)?>"),
    ),
    Aspect(
        "short_ending",
        {"stop": "are short and end with a full stop", "none": "are short and end without one"},
        frozenset({"stop", "none"}),
        short_ending(),
    ),
    Aspect(
        "ending",
        {"stop": "end with a full stop, ! or ?", "none": "end with a letter or digit"},
        code=ending(),
    ),
    Aspect("markdown", {"markdown": "use Markdown", "plain": "are plain text"}, code=markdown()),
    Aspect(
        "opening",
        {"yes": "open with a courtesy (Sure, Certainly, Here is …)", "no": "come to the point"},
        code=yes_no(OPENERS, least_words=SENTENCE_WORDS),
    ),
    Aspect(
        "closing",
        {"yes": "close with an offer (Let me know if …)", "no": "close without an offer"},
        code=yes_no(CLOSERS, "last", least_words=SENTENCE_WORDS),
    ),
    Aspect(
        "first_letter",
        {"upper": "begin with a capital", "lower": "begin with a small letter"},
        code=first_letter(),
    ),
    Aspect(
        "white_space",
        {
            "clean": "have no white space around them",
            "before": "begin with white space",
            "after": "end with white space",
            "both": "have white space on both sides",
        },
        code=around(),
    ),
    Aspect(
        "line_breaks",
        {"lf": r"break lines with \n", "crlf": r"break lines with \r\n", "cr": r"hold a bare \r"},
        code=breaks(),
    ),
    Aspect(
        "wrapping",
        {"quoted": "stand in quotation marks", "bare": "stand without quotation marks"},
        code=wrapped(),
    ),
    Aspect(
        "quotation_marks",
        {"curly": "write “ ” ’", "straight": "write \" and '", **_BOTH},
        code=either(curly="[“”’]", straight=r"\"|\p{L}'\p{L}"),
    ),
    Aspect(
        "bullets",
        {"dash": "list with -", "star": "list with *", "dot": "list with •", **_BOTH},
        code=either(dash=r"(?m)^\s{0,8}- \S", star=r"(?m)^\s{0,8}\* \S", dot=r"(?m)^\s{0,8}• ?\S"),
    ),
    Aspect(
        "numbering",
        {"dot": "number lines 1.", "bracket": "number lines 1)", **_BOTH},
        code=either(dot=r"(?m)^\s{0,8}\d{1,2}\. \S", bracket=r"(?m)^\s{0,8}\(?\d{1,2}\) \S"),
    ),
    Aspect(
        "thousands",
        {"comma": "write 12,000", "plain": "write 12000", **_BOTH},
        code=either(
            comma=r"\b[1-9]\d{0,2}(?:,\d{3})+\b",
            plain=r"(?:^|[\s$€£(=])[1-9]\d{4,8}(?:[\s.,;:)?!]|$)",
        ),
    ),
    Aspect(
        "decimals",
        {"point": "write 3.5", "comma": "write 3,5", **_BOTH},
        code=either(
            point=r"(?:^|[\s$€£])\d+\.\d+\b",
            comma=r"(?:^|[\s€£$])\d+,\d{1,2}(?:\s?[%€£$]|\s\p{L}|[.;]|$)",
        ),
    ),
    Aspect(
        "percent",
        {"sign": "write 5%", "spaced": "write 5 %", "word": "write 5 percent", **_BOTH},
        code=either(sign=r"\d%", spaced=r"\d\s%", word=r"(?i)\d\s*(?:percent|per cent)\b"),
    ),
    Aspect(
        "currency",
        {"sign": "write $5", "after": "write 5$ or 5 €", "word": "write 5 dollars", **_BOTH},
        code=either(
            sign=r"[$€£¥]\s?\d",
            after=r"\d\s?(?:[€£¥]|\$(?:[\s.,;]|$))",
            word=r"(?i)\d\s(?:dollars?|euros?|pounds?|USD|EUR|GBP)\b",
        ),
    ),
    Aspect(
        "dates",
        {
            "iso": "write 2024-12-31",
            "slashes": "write 12/31/2024",
            "dots": "write 31.12.2024",
            "words": "write months in words",
            **_BOTH,
        },
        code=either(
            iso=r"\b(?:19|20)\d\d-[01]\d-[0-3]\d\b",
            slashes=r"\b[0-3]?\d/[0-3]?\d/(?:19|20)\d\d\b",
            dots=r"\b[0-3]?\d\.[01]?\d\.(?:19|20)\d\d\b",
            words=rf"\b{MONTHS} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d"
            rf"|\b\d{{1,2}} {MONTHS} (?:19|20)\d\d",
        ),
    ),
    Aspect(
        "units",
        {"spaced": "write 5 km", "joined": "write 5km", **_BOTH},
        code=either(spaced=rf"\d\s{UNITS}", joined=rf"\d{UNITS}"),
    ),
)


def prepared(block: pl.DataFrame) -> pl.DataFrame:
    """Return a block that has `said` and `is_object` with the other columns of `COLUMNS`."""
    said = block.with_columns(pl.col("said").str.strip_chars().alias("trimmed"))
    prose = ~pl.col("is_object") & ~pl.col("trimmed").str.contains(FENCED)
    prose &= (pl.col("trimmed") != "") & ~pl.col("trimmed").str.contains(PROGRAM)
    return said.with_columns(
        pl.when(prose).then("trimmed").alias("prose"),
        pl.when(prose).then(pl.col("trimmed").str.extract(r"([^\n\r]*)\z")).alias("last"),
        pl.when(prose).then(pl.col("trimmed").str.count_matches(r"\S+")).alias("words"),
    )


def coded(block: pl.DataFrame) -> dict[str, pl.Series]:
    """Return aspect → code of each row of a prepared block: place in `values`, -1 for none."""
    columns = []
    for aspect in ASPECTS:
        if aspect.code is not None:
            numbers = {name: number for number, name in enumerate(aspect.values)}
            code = aspect.code.replace_strict(numbers, default=-1, return_dtype=pl.Int8)
            columns.append(code.fill_null(-1).alias(aspect.name))
    return block.select(columns).to_dict()


__all__ = ["ASPECTS", "COLUMNS", "Aspect", "coded", "prepared"]
