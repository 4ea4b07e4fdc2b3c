"""A function of the user's own as a scorer: a file beside the suite, marked with `@scorer`."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import math
import numbers
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePath
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, field_validator

from evalsuite.scorers.placed import Placed
from evalsuite.scorers.score import Score
from workspace.errors import TemperError, UsageError
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

Function = TypeVar("Function", bound=Callable[..., Any])
_MARK = "__welltempered_scorer__"
_WAY_OUT = (
    "Write `from evalsuite.scorers import scorer` and `@scorer` above `def {name}(output, item):`."
)


def scorer(function: Function) -> Function:
    """Mark a function as a scorer, so that a suite can name it.

    It is called with the output as text and the `Item` (`item.gold`, `item.right_answers`,
    `item.question`, `item.id`) and returns a number from 0 (wrong) to 1 (right), a bool, or a
    `Score` with a word on why.

    >>> @scorer
    ... def is_short(output, item):
    ...     return len(output) < 10
    >>> is_short("yes", None)
    True
    """
    setattr(function, _MARK, True)
    return function


class PythonScorer(Placed):
    """What a function of yours says of an answer.

    It is your own code and runs as you, without a sandbox: it is read when the suite is, and run
    only when an answer is scored. Its file's digest is part of the suite's.
    """

    kind: Literal["python"] = "python"
    """A Python function of your own, in a file beside the suite (as a reward beside the recipe)."""
    file: str
    """A `.py` file in the suite's directory or below it; it is loaded by itself, so that it can
    import what is installed and no other file."""
    function: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Its name; above it stands `@scorer`."""
    needs_gold: bool = True
    """Whether it looks at the gold answer; `false`: items need none."""

    @field_validator("file")
    @classmethod
    def _lies_beside(cls, file: str) -> str:
        path = PurePath(file)
        if path.suffix != ".py" or path.is_absolute() or ".." in path.parts:
            raise ValueError("a .py file in the suite's directory or below, such as scorers.py")
        return file

    @property
    def compares(self) -> bool:
        """Whether the gold answer is looked at."""
        return self.needs_gold

    @property
    def _path(self) -> Path:
        return self._base_dir / self.file

    @property
    def _name(self) -> str:
        return f"{self.file}: {self.function}"

    @cached_property
    def _source(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise UsageError(
                "there is no such scorer file",
                where=str(self._path),
                cause=f"{error.strerror}.",
                cure="`file` is relative to the suite's own directory (of a reward: the recipe's).",
            ) from None

    @property
    def digest(self) -> str:
        """SHA-256 of the file.

        Raises:
            UsageError: there is no such file.
        """
        return hashlib.sha256(self._source).hexdigest()

    def demand(self) -> str:
        """Return what a person should know; the file is read and not run.

        Raises:
            UsageError: no such file, no Python, or no such function with `@scorer` above it.
        """
        try:
            tree = ast.parse(self._source, filename=self.file)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise UsageError(
                "this scorer file is not Python",
                where=f"{self._path}:{getattr(error, 'lineno', None) or 1}",
                cause=f"{plain(str(error), 200)}.",
            ) from None
        self._check_function(tree)
        return f"{self._name} is your own code and runs as you (digest {self.digest[:12]})"

    def _check_function(self, tree: ast.Module) -> None:
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        marked = [name for name, node in functions.items() if _is_marked(node)]
        if self.function in marked:
            return
        found = functions.get(self.function)
        why = (
            "It has no such function."
            if found is None
            else f"The function at line {found.lineno} is not marked with @scorer."
        )
        there = f"There is: {', '.join(marked)}." if marked else ""
        raise UsageError(
            f"there is no scorer `{self.function}` in this file",
            where=str(self._path),
            cause=why,
            cure=there or _WAY_OUT.format(name=self.function),
        )

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return "an empty gold answer" if self.needs_gold and not gold.strip() else None

    def score(self, output: str, item: Item) -> Score:
        """Call the function.

        Raises:
            UsageError: it raised something, or returned no number from 0 to 1; with its file,
                name, line and the item.
        """
        with _telling(self, f"item {item.id!r}"), contextlib.redirect_stdout(sys.stderr):
            found = self._function(output, item)
        return self._checked(found, item)

    def _checked(self, found: Any, item: Item) -> Score:
        score = found if isinstance(found, Score) else Score(found)
        value = score.value
        if isinstance(value, numbers.Real) and math.isfinite(value) and 0 <= value <= 1:
            return Score(float(value), plain(str(score.detail), 500))
        raise UsageError(
            "this scorer gave no number from 0 to 1",
            where=f"{self._path}:{self._line}: {self.function}, item {plain(item.id, 80)!r}",
            cause=f"It returned {plain(repr(found), 100)}.",
            cure="Return a number from 0 (wrong) to 1 (right), True, False, or a Score.",
        )

    @property
    def _line(self) -> int:
        """The line of the function."""
        body = ast.parse(self._source).body
        lines = [
            node.lineno
            for node in body
            if isinstance(node, ast.FunctionDef) and node.name == self.function
        ]
        return lines[-1] if lines else 1

    @cached_property
    def _function(self) -> Callable[[str, Item], Any]:
        if self._path.read_bytes() != self._source:
            raise UsageError(
                "this scorer file changed while the evaluation ran",
                where=str(self._path),
                cause="It is no longer the file whose digest is part of the suite's.",
                cure="Run the same command again: answers that are kept are not asked for again.",
            )
        function = getattr(self._loaded(), self.function, None)
        if not callable(function) or not getattr(function, _MARK, False):
            raise UsageError(
                f"`{self.function}` is no scorer once the file has run",
                where=str(self._path),
                cause="Something in the file replaced it, or @scorer is not evalsuite's.",
                cure=_WAY_OUT.format(name=self.function),
            )
        return function  # type: ignore[no-any-return]

    def _loaded(self) -> ModuleType:
        name = f"_welltempered_scorers_{self.digest[:16]}"
        spec = importlib.util.spec_from_loader(name, loader=None, origin=str(self._path))
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        module.__file__ = str(self._path)
        sys.modules[name] = module  # dataclasses and pickles look for it there
        with _telling(self, "while loading"), contextlib.redirect_stdout(sys.stderr):
            exec(compile(self._source, str(self._path), "exec"), module.__dict__)
        return module


def _is_marked(function: ast.FunctionDef) -> bool:
    """Whether `@scorer` or `@something.scorer` stands above a function."""
    for decorator in function.decorator_list:
        name = decorator.attr if isinstance(decorator, ast.Attribute) else None
        if name == "scorer" or (isinstance(decorator, ast.Name) and decorator.id == "scorer"):
            return True
    return False


@contextlib.contextmanager
def _telling(one: PythonScorer, what: str) -> Iterator[None]:
    """Turn whatever the user's code raises into an error that names it."""
    try:
        yield
    except TemperError:
        raise
    except (Exception, SystemExit) as error:  # `exit()` in a scorer must not end the evaluation
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == str(one._path)
        ]
        place = f":{lines[-1]}" if lines else ""
        raise UsageError(
            "this scorer failed",
            where=f"{one._path}{place}: {one.function}, {plain(what, 120)}",
            cause=f"{type(error).__name__}: {plain(str(error), 300)}.",
            cure="Mend the function; answers that are kept are not asked for again.",
        ) from error
