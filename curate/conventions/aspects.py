"""What can be conventional about an answer as text: each aspect with the values it can have.

Every aspect is one polars expression over `said`, the answer, so that a block of rows is coded
without a Python object per row. Null means that the aspect does not apply to the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


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

_FENCED = r"(?s)^(?:```|~~~).*(?:```|~~~)$"
_PROGRAM = (
    r"(?m)\A(?:def|class|import|from|function|const|let|var|public|private|package|using|#include|"
    r"#!|SELECT|CREATE|INSERT|<\?php|<!DOCTYPE|<html)\b|^(?:def|class) \w+[(:]|^\s+return\b"
)
_FENCE = r"(?m)^ {0,3}(?:```|~~~)"
_HEADING, _BOLD = r"(?m)^#{1,6} \p{L}", r"\*\*[^\s*][^*\n]*\*\*|__[^\s_][^_\n]*__"
_BULLET, _TABLE = r"(?m)^\s{0,8}[-*•+] \S", r"(?m)^\|.*\|\s*$"
_IN_WORDS = (
    r"(?i)^\W*(?:(?:so|thus|hence|therefore),? )?(?:the )?(?:final |correct )?answer(?: is\b|\s*:)"
)
_SENTENCE_WORDS = 4


def _either(**patterns: str) -> pl.Expr:
    """Return the one name whose pattern is found in the prose; `both` if several are."""
    prose = pl.col("prose")
    hits = {name: prose.str.contains(pattern) for name, pattern in patterns.items()}
    count = pl.sum_horizontal(*(hit.cast(pl.Int8) for hit in hits.values()))
    code = pl.when(count > 1).then(pl.lit("both"))
    for name, hit in hits.items():
        code = code.when(hit).then(pl.lit(name))  # type: ignore[assignment]
    return code.otherwise(None)


_WORDS = pl.col("words")


def _ending() -> pl.Expr:
    text = pl.col("prose")
    return (
        pl.when(_WORDS < _SENTENCE_WORDS)
        .then(None)
        .when(text.str.contains(r"[.!?…。！？।؟][\s\"'”’»)\]*_]*$"))
        .then(pl.lit("stop"))
        .when(text.str.contains(r"[\p{L}\p{N}]$"))
        .then(pl.lit("none"))
    )


def _short_ending() -> pl.Expr:
    text = pl.col("prose")
    return (
        pl.when(_WORDS >= _SENTENCE_WORDS)
        .then(None)
        .when(text.str.contains(r"\p{L}\.$"))
        .then(pl.lit("stop"))
        .when(text.str.contains(r"\p{L}$"))
        .then(pl.lit("none"))
    )


def _marker() -> pl.Expr:
    """Return how the final answer is marked, on the last line but for `\\boxed`."""
    last = pl.col("last")
    return (
        pl.when(last.str.contains(r"^#{3,4}\s*\S"))
        .then(pl.lit("hashes"))
        .when(pl.col("prose").str.contains(r"\\boxed\s*\{"))
        .then(pl.lit("boxed"))
        .when(last.str.contains(r"(?i)<answer>|</answer>$"))
        .then(pl.lit("tag"))
        .when(last.str.contains(_IN_WORDS))
        .then(pl.lit("words"))
        .when(pl.col("prose").is_not_null())
        .then(pl.lit("none"))
    )


def _fence() -> pl.Expr:
    text = pl.col("trimmed")
    return (
        pl.when(text.str.contains(_FENCED))
        .then(pl.lit("whole"))
        .when(text.str.contains(_FENCE))
        .then(pl.lit("some"))
        .when(text != "")
        .then(pl.lit("none"))
    )


def _markdown() -> pl.Expr:
    text = pl.col("prose")
    marked = text.str.contains(_HEADING) | text.str.contains(_BOLD) | text.str.contains(_TABLE)
    marked |= text.str.count_matches(_BULLET) >= 2
    return (
        pl.when(_WORDS >= _SENTENCE_WORDS)
        .then(pl.when(marked).then(pl.lit("markdown")).otherwise(pl.lit("plain")))
        .otherwise(None)
    )


def _around() -> pl.Expr:
    text = pl.col("said")
    before, after = text.str.contains(r"^\s"), text.str.contains(r"\s$")
    return (
        pl.when(pl.col("trimmed") == "")
        .then(None)
        .when(before & after)
        .then(pl.lit("both"))
        .when(before)
        .then(pl.lit("before"))
        .when(after)
        .then(pl.lit("after"))
        .otherwise(pl.lit("clean"))
    )


_OPENERS = (
    r"(?i)^(?:sure|certainly|of course|absolutely|great question|i'd be happy to|i would be happy "
    r"to|happy to help|here (?:is|are)|here's|as requested|thank you for|thanks for (?:asking|"
    r"your))\b"
)
_CLOSERS = (
    r"(?i)(?:let me know if|i hope this helps|hope (?:this|that) helps|feel free to (?:ask|reach|"
    r"contact)|is there anything else|happy to help further)[^\n]*$"
)


def _yes_no(pattern: str, column: str = "prose", least_words: int = 1) -> pl.Expr:
    found = pl.col(column).str.contains(pattern)
    return (
        pl.when(pl.col("words") >= least_words)
        .then(pl.when(found).then(pl.lit("yes")).otherwise(pl.lit("no")))
        .otherwise(None)
    )


def _first_letter() -> pl.Expr:
    text = pl.col("prose")
    return (
        pl.when(text.str.contains(r"^\p{Lu}"))
        .then(pl.lit("upper"))
        .when(text.str.contains(r"^\p{Ll}"))
        .then(pl.lit("lower"))
    )


def _breaks() -> pl.Expr:
    text = pl.col("said")
    return (
        pl.when(text.str.contains("\r\n"))
        .then(pl.lit("crlf"))
        .when(text.str.contains("\r"))
        .then(pl.lit("cr"))
        .when(text.str.contains("\n"))
        .then(pl.lit("lf"))
    )


def _wrapped() -> pl.Expr:
    text = pl.col("prose")
    return (
        pl.when(text.str.contains("(?s)^[\"“'].*[\"”']$"))
        .then(pl.lit("quoted"))
        .when(text != "")
        .then(pl.lit("bare"))
    )


_UNITS = r"(?:km|kg|cm|mm|ml|mg|GB|MB|KB|kWh|kW|Hz|mph|km/h)\b"
_MONTHS = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
_BOTH = {"both": "write both ways"}

ASPECTS: tuple[Aspect, ...] = (
    Aspect(
        "code_fence",
        {"whole": "stand in a code fence", "some": "hold a code block", "none": "hold no fence"},
        frozenset({"whole", "some"}),
        _fence(),
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
        _marker(),
    ),
    Aspect(
        "thinking",
        {"yes": "think between `<think>` tags", "no": "have no `<think>` part"},
        frozenset({"yes"}),
        _yes_no(r"(?i)^<think(?:ing)?>"),
    ),
    Aspect(
        "short_ending",
        {"stop": "are short and end with a full stop", "none": "are short and end without one"},
        frozenset({"stop", "none"}),
        _short_ending(),
    ),
    Aspect(
        "ending",
        {"stop": "end with a full stop, ! or ?", "none": "end with a letter or digit"},
        code=_ending(),
    ),
    Aspect("markdown", {"markdown": "use Markdown", "plain": "are plain text"}, code=_markdown()),
    Aspect(
        "opening",
        {"yes": "open with a courtesy (Sure, Certainly, Here is …)", "no": "come to the point"},
        code=_yes_no(_OPENERS, least_words=_SENTENCE_WORDS),
    ),
    Aspect(
        "closing",
        {"yes": "close with an offer (Let me know if …)", "no": "close without an offer"},
        code=_yes_no(_CLOSERS, "last", least_words=_SENTENCE_WORDS),
    ),
    Aspect(
        "first_letter",
        {"upper": "begin with a capital", "lower": "begin with a small letter"},
        code=_first_letter(),
    ),
    Aspect(
        "white_space",
        {
            "clean": "have no white space around them",
            "before": "begin with white space",
            "after": "end with white space",
            "both": "have white space on both sides",
        },
        code=_around(),
    ),
    Aspect(
        "line_breaks",
        {"lf": r"break lines with \n", "crlf": r"break lines with \r\n", "cr": r"hold a bare \r"},
        code=_breaks(),
    ),
    Aspect(
        "wrapping",
        {"quoted": "stand in quotation marks", "bare": "stand without quotation marks"},
        code=_wrapped(),
    ),
    Aspect(
        "quotation_marks",
        {"curly": "write “ ” ’", "straight": "write \" and '", **_BOTH},
        code=_either(curly="[“”’]", straight=r"\"|\p{L}'\p{L}"),
    ),
    Aspect(
        "bullets",
        {"dash": "list with -", "star": "list with *", "dot": "list with •", **_BOTH},
        code=_either(dash=r"(?m)^\s{0,8}- \S", star=r"(?m)^\s{0,8}\* \S", dot=r"(?m)^\s{0,8}• ?\S"),
    ),
    Aspect(
        "numbering",
        {"dot": "number lines 1.", "bracket": "number lines 1)", **_BOTH},
        code=_either(dot=r"(?m)^\s{0,8}\d{1,2}\. \S", bracket=r"(?m)^\s{0,8}\(?\d{1,2}\) \S"),
    ),
    Aspect(
        "thousands",
        {"comma": "write 12,000", "plain": "write 12000", **_BOTH},
        code=_either(
            comma=r"\b[1-9]\d{0,2}(?:,\d{3})+\b",
            plain=r"(?:^|[\s$€£(=])[1-9]\d{4,8}(?:[\s.,;:)?!]|$)",
        ),
    ),
    Aspect(
        "decimals",
        {"point": "write 3.5", "comma": "write 3,5", **_BOTH},
        code=_either(
            point=r"(?:^|[\s$€£])\d+\.\d+\b",
            comma=r"(?:^|[\s€£$])\d+,\d{1,2}(?:\s?[%€£$]|\s\p{L}|[.;]|$)",
        ),
    ),
    Aspect(
        "percent",
        {"sign": "write 5%", "spaced": "write 5 %", "word": "write 5 percent", **_BOTH},
        code=_either(sign=r"\d%", spaced=r"\d\s%", word=r"(?i)\d\s*(?:percent|per cent)\b"),
    ),
    Aspect(
        "currency",
        {"sign": "write $5", "after": "write 5$ or 5 €", "word": "write 5 dollars", **_BOTH},
        code=_either(
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
        code=_either(
            iso=r"\b(?:19|20)\d\d-[01]\d-[0-3]\d\b",
            slashes=r"\b[0-3]?\d/[0-3]?\d/(?:19|20)\d\d\b",
            dots=r"\b[0-3]?\d\.[01]?\d\.(?:19|20)\d\d\b",
            words=rf"\b{_MONTHS} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d"
            rf"|\b\d{{1,2}} {_MONTHS} (?:19|20)\d\d",
        ),
    ),
    Aspect(
        "units",
        {"spaced": "write 5 km", "joined": "write 5km", **_BOTH},
        code=_either(spaced=rf"\d\s{_UNITS}", joined=rf"\d{_UNITS}"),
    ),
)


def prepared(block: pl.DataFrame) -> pl.DataFrame:
    """Return a block that has `said` and `is_object` with the other columns of `COLUMNS`."""
    said = block.with_columns(pl.col("said").str.strip_chars().alias("trimmed"))
    prose = ~pl.col("is_object") & ~pl.col("trimmed").str.contains(_FENCED)
    prose &= (pl.col("trimmed") != "") & ~pl.col("trimmed").str.contains(_PROGRAM)
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
