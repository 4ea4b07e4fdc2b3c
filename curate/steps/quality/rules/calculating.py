"""The exact value of arithmetic as it stands in a text."""

from __future__ import annotations

import re
from fractions import Fraction

_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?%?|\.\d+%?|[-+*/^()]")


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
