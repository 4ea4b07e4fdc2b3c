"""False equations of numbers in worked solutions.

Only what is arithmetic beyond doubt is judged: numbers, + - * / ^, brackets, currency and percent
signs, between boundaries that are no operator, letter or further number. Everything is exact
(`fractions`); what a rounded result may differ by is said in `close`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

import polars as pl

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.quality.configs import Arithmetic
from curate.steps.quality.rules.base import CODE, Quiet, found
from curate.steps.quality.rules.calculating import evaluate

_RESULT = re.compile(
    r"\s*((?=[-$€£\s]*\.?\d)-?\s?[$€£]?\s?-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?%?)"
)
_OPERATION = re.compile(r"[\d)%]\s*[-+*/^]\s*-?[($€£\d.]")
_SLASHES = re.compile(r"/\s*\d+\s*/")
"""`50 / 1/2` is read in two ways."""
_MOST_EQUATIONS = 200
_LONGEST_SIDE = 200
_LOOKED_BACK = 40
_SIGNS = re.compile(rf"[\d\s.,()$€£%+\-*/^]{{1,{_LONGEST_SIDE}}}")
ANNOTATION = re.compile(r"<<([^<>=\n]{1,200})=([^<>=\n]{1,60})>>")
_MIGHT = r"[0-9)%]\s*\}?\s*=\s*[-$€£(\\]*\s*[0-9.]"
_LATEX = (
    (re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])"), "/"),
    (re.compile(r"\\[,;:! ()\[\]]|\\(?:left|right)(?=[()])"), " "),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"\\[dt]?frac\{(-?[\d.]+)\}\{(-?[\d.]+)\}"), r"(\1/\2)"),
    (re.compile(r"[×·⋅∙]|(?<=[\d)] )x(?= [\d($.])|(?<=\d)x(?=\d)"), "*"),
    (re.compile(r"[÷\u2044]"), "/"),
    (re.compile(r"[−–](?=[ \d($.])"), "-"),
    (re.compile(r"\*\*(?=\s?[\d(])"), "^"),
)
_GOES_ON = re.compile(
    r"[+*/^=×÷<>≤≥≈√\\_|°\]})!?-]\s*$|(?:^|[^a-zA-Z])[b-zB-HJ-Z]\s?$"
    r"|(?:log|ln|sin|cos|tan|sqrt|pi|mod|gcd|lcm|of|root)\s*$"
)
"""What comes before is part of the expression: an operator, a variable, a function."""
_AFTER = re.compile(
    r"\s*(?:[-+*/^×÷:!(\[{\\√_<>|°²³]|r\s*\.?\d|(?:with a )?remainder|rem\b|\(?mod"
    r"|[a-zA-Z](?![a-zA-Z])|\d|½|¼|¾|(?:pi|sqrt|million|billion|thousand|hundred|dozen|k)\b)"
)
_OWN_OPERATION = r"[a-z] ?\*\$? ?\$?[a-z] ?="
_OTHER_NUMBERS = re.compile(
    r"(?i)\bmod(?:ulo|ular)?\b|\bbase[- _]?\d|\b(?:binary|hexadecimal|octal|pmod)\b|≡|\\equiv"
    r"|\\bmod|clock arithmetic|factorial|digits? of|mistake|\bincorrect|\bwrong\b"
    r"|" + _OWN_OPERATION
)
"""Other kinds of numbers, operations of the exercise's own, and errors that are the topic."""
_SCALES = {1_000: "thousand", 1_000_000: "million", 1_000_000_000: "billion"}
_DIFFERENCE = re.compile(r"[$€£]?[\d,.]+\s*-\s*[$€£]?[\d,.]+")
"""The smaller less the larger is often written for how far apart they are."""


class ArithmeticRule(Quiet):
    """Looks in answers, outside code."""

    name: ClassVar[str] = "arithmetic"

    def __init__(self, config: Arithmetic) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with a false equation."""
        said = pl.col("said")
        own = pl.col("asked").str.contains(_OWN_OPERATION)
        some = block.filter(said.str.contains(_MIGHT) & ~own).select(
            ROW, said.str.replace_all(CODE, "\n")
        )
        rows, details = [], []
        for row, text in some.iter_rows():
            wrong = false_equation(text, self.config.tolerance)
            if wrong:
                rows.append(row)
                details.append(wrong)
        return found(rows, Reason.WRONG_ARITHMETIC, details)


def false_equation(text: str, tolerance: float = 0.01) -> str:
    """Return the first false equation and what is right, or nothing.

    >>> false_equation("He has 12 * 3 = 35 apples.")
    '12 * 3 = 35, but it is 36'
    >>> false_equation("<<12*3=36>>36 apples; 2x + 3 = 7")
    ''
    """
    if _OTHER_NUMBERS.search(text):
        return ""
    for annotation in ANNOTATION.finditer(text):
        wrong = _judge(annotation[1], annotation[2], tolerance)
        if wrong:
            return wrong
    text = ANNOTATION.sub("", text)
    scales = tuple(size for size, word in _SCALES.items() if word in text.lower())
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    parts = (part for line in text.split("\n") for part in _equations(line))
    for left, right in dict.fromkeys(parts):
        wrong = _judge(left, right, tolerance, scales)
        if wrong:
            return wrong
    return ""


def _equations(line: str) -> list[tuple[str, str]]:
    """Return the left and right sides of a line's equations of numbers."""
    out: list[tuple[str, str]] = []
    if line.count("=") > _MOST_EQUATIONS:
        return out
    parts = re.split(r"(?<![=<>!:~≈+*/^-])=(?![=>])", line)
    for left, right in pairwise(parts):
        first, second = _tail(left), _head(right)
        if first and second and _OPERATION.search(first):
            out.append((first, second))
    return out


def _tail(side: str) -> str:
    """Return the arithmetic that a side ends with; nothing where it may begin further left."""
    end = _SIGNS.match(side[: -_LONGEST_SIDE - 1 : -1])  # from the end: a search for $ is slow
    if not end:
        return ""
    text = end.group()[::-1]
    before = side[: len(side) - end.end()][-_LOOKED_BACK:]
    trimmed = re.sub(r"^[\s,]*(?:\.(?!\d)|\.\s)?\s*", "", text)
    if not before.strip():
        trimmed = re.sub(r"^- (?=\d)", "", trimmed)  # the mark of a list
    if trimmed[:1] in ("*", "/", "^", ")", "+", "%") or _GOES_ON.search(before):
        return ""
    spaced = text[: len(text) - len(trimmed)].strip(".,") != ""
    if before and (not spaced or trimmed[:1] in ("(", "-")) and before[-1] not in ":;\"'“([{":
        return ""
    pieces = re.split(r"(?<=\d)[.,;]\s+(?=[\d($€£.])|(?<=[\d)])\s+(?=[\d($€£.])", trimmed)
    if len(pieces) > 1 and (pieces[-1][:1] == "(" or "/" in pieces[-1]):
        return ""  # a product without its sign, or a mixed number
    last = pieces[-1]
    if re.fullmatch(r"\d{1,4}-\d{1,4}\s*", last) and before:
        return ""  # "weeks 1-2"
    return last if last.count("(") == last.count(")") and not _SLASHES.search(last) else ""


def _head(side: str) -> str:
    """Return the number or arithmetic that a side begins with; nothing where its end is unsure."""
    found_head = _RESULT.match(side)
    if not found_head:
        return ""
    rest = side[found_head.end() :]
    if re.match(r",\d|\.\d", rest):
        return ""
    if not _AFTER.match(rest):
        return found_head[1]
    more = _SIGNS.match(side)
    if more is None or more.end() != len(side):
        return ""
    text = more.group().rstrip(" .,(+-*/^")
    return text if text.count("(") == text.count(")") and not _SLASHES.search(text) else ""


def _judge(left: str, right: str, tolerance: float, scales: tuple[int, ...] = ()) -> str:
    """Return what is wrong with an equation, or nothing where it is right or not understood."""
    try:
        value, target = evaluate(left), evaluate(right)
    except (ValueError, ZeroDivisionError, OverflowError):
        return ""
    shown = right.strip()
    targets = [target, *_readings(right)]
    targets += [target / size for size in scales]
    if _DIFFERENCE.fullmatch(left.strip()):
        targets.append(-target)
    if any(close(value, other, shown, tolerance) for other in targets):
        return ""
    return f"{_tidy(left)} = {_tidy(right)}, but it is {_shown(value)}"


def _readings(right: str) -> list[Fraction]:
    """Return other things a right side may mean: percent, and the first step of a chain."""
    out: list[Fraction] = []
    first = re.match(r"\s*[$€£]?(\d[\d,]*(?:\.\d+)?)", right)
    if first and first.end() < len(right.rstrip()):
        out.append(evaluate(first[1]))
    plain = right.strip().rstrip("%")
    if re.fullmatch(r"[$€£]?-?[\d,.]+", plain):
        number = evaluate(plain)
        out += [number, number / 100, number * 100]
    return out


def close(value: Fraction, target: Fraction, shown: str, tolerance: float) -> bool:
    """Return whether a result is right, or rounded or cut at the last digit it shows.

    A whole result of a sum or product of whole numbers is exact or wrong.
    """
    if value == target:
        return True
    difference = abs(value - target)
    decimals = re.search(r"\.(\d+)", shown)
    if value.denominator == 1 and not decimals:
        return False
    unit = Fraction(1, 10 ** (len(decimals[1]) if decimals else 0))
    return difference < unit or difference <= abs(value) * Fraction(tolerance)


def _tidy(side: str) -> str:
    return " ".join(side.split())[:80]


def _shown(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):.6g}"
