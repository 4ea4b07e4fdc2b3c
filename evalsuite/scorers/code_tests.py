"""The gold of a code task: which tests a program must pass, and one that passes them."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exchange(_Strict):
    """What a program is given to read, and what it must print."""

    input: str
    output: str


class _Described(_Strict):
    tests: list[str] | list[Exchange] | str
    setup: str = ""
    solution: str | None = None


@dataclass(frozen=True)
class CodeTests:
    """What a program must do."""

    statements: tuple[str, ...] = ()
    """Python that raises where the program is wrong: `assert add(1, 2) == 3`."""
    exchanges: tuple[Exchange, ...] = ()
    """Or: what it reads and prints."""
    setup: str = ""
    """Python before each statement."""
    solution: str | None = None
    """A program known to be right."""

    @property
    def count(self) -> int:
        """How many tests there are."""
        return len(self.statements) + len(self.exchanges)


class NotTests(ValueError):
    """A gold answer that holds no tests."""


def read_tests(gold: str) -> CodeTests:
    """Read the tests of a gold answer.

    Args:
        gold: Python (one test), or JSON: a list of Python statements, a list of
            `{"input": …, "output": …}`, or an object with one of them as `tests`, and perhaps
            `setup` and `solution`.

    Raises:
        NotTests: anything else, or Python that does not parse.
    """
    described = _described(gold)
    tests = [described.tests] if isinstance(described.tests, str) else described.tests
    statements = tuple(one for one in tests if isinstance(one, str))
    exchanges = tuple(one for one in tests if isinstance(one, Exchange))
    if not tests or any(not one.strip() for one in statements):
        raise NotTests("no tests")
    for text in (described.setup, *statements):
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise NotTests(f"a test that is not Python ({error})") from None
    return CodeTests(statements, exchanges, described.setup, described.solution)


def _described(gold: str) -> _Described:
    try:
        document: Any = json.loads(gold)
    except (ValueError, RecursionError):
        return _Described(tests=gold)
    if isinstance(document, list):
        document = {"tests": document}
    if not isinstance(document, dict):
        return _Described(tests=gold)
    try:
        return TypeAdapter(_Described).validate_python(document)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotTests(f"tests of an unknown form ({place}: {first['msg']})") from None
