"""Prompts of the user's, read from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalsuite.prompting.section import PromptSection, Shown, UserPrompt
from evalsuite.tasks.item import Message
from evalsuite.tasks.templates import Template, Unrenderable
from workspace.errors import DataError, UsageError

ZERO_SHOT, FEW_SHOT, RETRIEVED = "zero-shot", "few-shot", "retrieved"
"""The ways of asking that need no prompt of the user's."""
_QUESTION = frozenset({"question"})


@dataclass(frozen=True)
class OwnPrompt:
    """A prompt of the user's, ready to be put around a question."""

    name: str
    """What it is called in reports."""
    text: str
    """The file's text, without white space around it."""
    asks: bool
    """Whether it is written in place of the question; else it is the system turn."""
    examples: Shown

    def around(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Return a chat with this prompt: its system turn, or its words for each question."""
        if not self.asks:
            rest = messages[1:] if messages[:1] and messages[0].role == "system" else messages
            return (Message("system", self.text), *rest)
        template = Template(self.text)
        return tuple(
            replace(turn, content=template.text({"question": turn.content}))
            if turn.role == "user"
            else turn
            for turn in messages
        )


def read_prompts(section: PromptSection, base_dir: Path) -> tuple[OwnPrompt, ...]:
    """Read the files that `evaluate.prompts.user` names.

    Args:
        section: as in the recipe.
        base_dir: what relative paths are relative to.

    Raises:
        UsageError: two prompts of one name, or one that has the name of another way of asking.
        DataError: a file that is not there, empty, not UTF-8 or not a template of `question` alone.
    """
    found = [
        _read(UserPrompt(file=one) if isinstance(one, str) else one, base_dir)
        for one in section.user
    ]
    names = [ZERO_SHOT, FEW_SHOT, RETRIEVED, *(prompt.name for prompt in found)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"two ways of asking are called {twice[0]!r}",
            where="evaluate.prompts.user",
            cure="Give one of them a name: `{file: …, name: …}`.",
        )
    return tuple(found)


def _read(asked: UserPrompt, base_dir: Path) -> OwnPrompt:
    path = base_dir / asked.file
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = "It is not UTF-8." if isinstance(error, UnicodeDecodeError) else f"{error.strerror}."
        raise DataError(
            "this prompt cannot be read",
            where=str(path),
            cause=why,
            cure="Paths under `evaluate: prompts: user:` are relative to the recipe.",
        ) from None
    if not text:
        raise DataError("this prompt is empty", where=str(path), cure="Write it, or leave it out.")
    try:
        names = Template(text).names
    except Unrenderable as error:
        raise _not_a_template(path, f"It is {error}.") from None
    if names - _QUESTION:
        raise _not_a_template(path, f"It names {', '.join(sorted(names - _QUESTION))}.")
    if names:
        _try(path, text)
    else:
        text = Template(text).text({})
    return OwnPrompt(asked.name or path.stem.lower(), text, bool(names), asked.examples)


def _try(path: Path, text: str) -> None:
    """Find what fails before any model is loaded."""
    try:
        Template(text).text({"question": "?"})
    except Unrenderable as error:
        raise _not_a_template(path, f"It fails: {error}.") from None


def _not_a_template(path: Path, cause: str) -> DataError:
    return DataError(
        "this prompt is not a template of the question alone",
        where=str(path),
        cause=cause,
        cure="Write `{{ question }}` where the item's question belongs, or no braces at all; "
        "`{% raw %}{{{% endraw %}` writes two braces.",
    )
