"""False equations of numbers in worked solutions.

Only what is arithmetic beyond doubt is judged: numbers, + - * / ^, brackets, currency and percent
signs, between boundaries that are no operator, letter or further number. Everything is exact
(`fractions`); what a rounded result may differ by is said in `close`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import ClassVar

import polars as pl

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.quality.configs import Arithmetic
from curate.steps.quality.rules.base import CODE, Quiet, found

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?"
_TERM = r"[-+]?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)%?"
_SIDE = r"[($€£\d.+\-][\d\s.,()$€£%+\-*/^]{0,200}"
EQUATION = re.compile(rf"({_SIDE}?)=(?!=)\s*({_SIDE})")
ANNOTATION = re.compile(r"<<([^<>=\n]{1,200})=([^<>=\n]{1,60})>>")
_MIGHT = r"[0-9)%]\s*\}?\s*=\s*[-$€£(\\]*\s*[0-9.]"
_LATEX = (
    (re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])"), "/"),
    (re.compile(r"\\[,;:! ]"), " "),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"\\[dt]?frac\{(-?[\d.]+)\}\{(-?[\d.]+)\}"), r"(\1/\2)"),
    (re.compile(r"[×·⋅∙]|(?<=[\d)] )x(?= [\d($.])|(?<=\d)x(?=\d)"), "*"),
    (re.compile(r"[÷]"), "/"),
    (re.compile(r"[−–](?=[ \d($.])"), "-"),
    (re.compile(r"\*\*(?=\s?[\d(])"), "^"),
)
_BEFORE = re.compile(r"[\w)\]}+*/^×÷%<>≤≥!=|√°'′:~≈\\_.,-]\s*$")
_AFTER = re.compile(
    r"\s*(?:[-+*/^×÷:!(\[{\\√_<>|°²³]|r\s*\.?\d|remainder|rem\b|mod|\(mod|with a remainder|[a-zA-Z](?![a-zA-Z])"
    r"|\d|½|¼|¾|pi\b|sqrt|million|billion|thousand|hundred|dozen|k\b)"
)
_OTHER_NUMBERS = re.compile(
    r"(?i)\bmod(?:ulo|ular)?\b|\bbase[- _]?\d|\bbinary\b|\bhexadecimal\b|\boctal\b|\bpmod\b|≡|\\equiv"
    r"|\\bmod|clock arithmetic|\bfactorial|\bsuppose\b[^.\n]{0,30}=|mistake|\bincorrect|\bwrong\b"
)
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?%?|\.\d+%?|[-+*/^()]")


class ArithmeticRule(Quiet):
    """Looks in answers, outside code."""

    name: ClassVar[str] = "arithmetic"

    def __init__(self, config: Arithmetic) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with a false equation."""
        said = pl.col("said")
        some = block.filter(said.str.contains(_MIGHT)).select(ROW, said.str.replace_all(CODE, "\n"))
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
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    for line in text.split("\n"):
        for part in _equations(line):
            wrong = _judge(*part, tolerance)
            if wrong:
                return wrong
    return ""


def _equations(line: str) -> list[tuple[str, str]]:
    """Return the left and right sides of a line's equations of numbers."""
    out = []
    if line.count("=") > 200:
        return out
    parts = re.split(r"(?<![=<>!:~≈+*/^-])=(?![=>])", line)
    for left, right in zip(parts, parts[1:], strict=False):
        first, begin = _tail(left, whole=left is not parts[0])
        second, end = _head(right)
        if begin and end and re.search(r"[\d)%]\s*[-+*/^]\s*[($€£\d.]", first):
            out.append((first, second))
    return out


def _tail(side: str, *, whole: bool) -> tuple[str, bool]:
    """Return the arithmetic that a side ends with, and whether it surely begins there."""
    found_tail = re.search(r"[\d\s.,()$€£%+\-*/^]{1,200}$", side)
    if not found_tail:
        return "", False
    text = found_tail.group()
    before = side[: found_tail.start()]
    trimmed = text.lstrip(" ,.\t")
    cut_off = text[: len(text) - len(trimmed)]
    if trimmed[:1] in ("*", "/", "^", ")", "+", "%"):
        return "", False
    if (
        before
        and not cut_off.strip()
        and (trimmed[:1] == "-" or (_BEFORE.search(before) and not cut_off))
    ):
        return "", False
    if before and re.search(r"[+*/^=×÷<>≤≥≈√\\_-]\s*$", before):
        return "", False
    if re.search(r"\b[a-zA-Z]$", before) and not before.endswith((" a", " A", " I")):
        return "", False  # a variable
    # "in 2 3 * 4 = 12" or "Step 1. 3 * 4 = 12": the first number is no part of it
    pieces = re.split(r"(?<=\d)[.,;]?\s+(?=[\d($€£])|(?<=\d)\.\s+|,\s", trimmed)
    last = pieces[-1]
    if len(pieces) > 1 and re.search(r"\d\s+\d", trimmed) and "/" in last:
        return "", False  # a mixed number
    return last, last.count("(") == last.count(")")


def _head(side: str) -> tuple[str, bool]:
    """Return the number or arithmetic that a side begins with, and whether it surely ends there."""
    found_head = re.match(
        r"\s*(-?\s?[$€£]?\s?-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?%?)", side
    )
    if not found_head or not re.search(r"\d", found_head[1]):
        return "", False
    rest = side[found_head.end() :]
    if re.match(r",\d|\.\d", rest):
        return "", False
    if _AFTER.match(rest):
        more = re.match(r"[\d\s.,()$€£%+\-*/^]{1,200}", side)
        text = more.group().rstrip(" .,(+-*/^") if more else ""
        ends = more is not None and more.end() == len(side)
        return text, ends and text.count("(") == text.count(")")
    return found_head[1], True


def _judge(left: str, right: str, tolerance: float) -> str:
    """Return what is wrong with an equation, or nothing where it is right or not understood."""
    try:
        value, target = evaluate(left), evaluate(right)
    except (ValueError, ZeroDivisionError, OverflowError):
        return ""
    shown = right.strip()
    if any(close(value, other, shown, tolerance) for other in (target, *_readings(value, right))):
        return ""
    return f"{_tidy(left)} = {_tidy(right)}, but it is {_shown(value)}"


def _readings(value: Fraction, right: str) -> list[Fraction]:
    """Return other things a right side may mean: percent, and the first step of a chain."""
    out = []
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


def evaluate(text: str) -> Fraction:
    """Return the exact value of arithmetic.

    Raises:
        ValueError: it is not arithmetic, or too large to be any exercise.
        ZeroDivisionError: it divides by zero.

    >>> evaluate("$1,200 * (3 + 10%)")
    Fraction(3720, 1)
    """
    plain = re.sub(r"[$€£\s]", "", text)
    tokens = _TOKEN.findall(plain)
    if "".join(tokens) != plain or not tokens or len(tokens) > 200:
        raise ValueError("not arithmetic")
    return _Parser(tokens).whole()


class _Parser:
    """Recursive descent over + -, * /, unary minus, ^."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = [*tokens, ""]
        self.at = 0

    def whole(self) -> Fraction:
        value = self.sum()
        if self.tokens[self.at]:
            raise ValueError("not arithmetic")
        return value

    def next(self) -> str:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def sum(self) -> Fraction:
        value = self.product()
        while self.tokens[self.at] in ("+", "-"):
            sign = 1 if self.next() == "+" else -1
            value += sign * self.product()
        return value

    def product(self) -> Fraction:
        value = self.signed()
        while self.tokens[self.at] in ("*", "/"):
            value = value * self.signed() if self.next() == "*" else value / self.signed()
        return value

    def signed(self) -> Fraction:
        if self.tokens[self.at] == "-":
            self.at += 1
            return -self.signed()
        return self.power()

    def power(self) -> Fraction:
        base = self.atom()
        if self.tokens[self.at] != "^":
            return base
        self.at += 1
        exponent = self.signed()
        if exponent.denominator != 1 or abs(exponent) > 64 or abs(base) > 10**9:
            raise ValueError("too large")
        return base ** int(exponent)

    def atom(self) -> Fraction:
        token = self.next()
        if token == "(":
            value = self.sum()
            if self.next() != ")":
                raise ValueError("not arithmetic")
            return value
        if not token or not (token[0].isdigit() or token[0] == "."):
            raise ValueError("not arithmetic")
        return _number(token)


def _number(token: str) -> Fraction:
    digits = token.rstrip("%")
    if "," in digits and not re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        raise ValueError("not a number of thousands")
    if len(digits) > 40:
        raise ValueError("too large")
    value = Fraction(digits.replace(",", ""))
    return value / 100 if token.endswith("%") else value


def _tidy(side: str) -> str:
    return " ".join(side.split())[:80]


def _shown(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):.6g}"
