"""Keys of one's own: a file that gives actions other keys, checked before the app opens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.actions import HELPED, SCOPES, Action, of_scope
from workspace.errors import UsageError

_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"}
"""Keys for which a terminal sends the same."""
_KEPT = ("ctrl+c", "ctrl+q", "ctrl+z")
"""The ways out that no file may take away."""
_MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}


@dataclass(frozen=True)
class Keymap:
    """Keys by the name of the action, where they are not those of the registry."""

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, action: Action) -> tuple[str, ...]:
        """Return the keys of an action."""
        return self.keys.get(action.name, action.keys) if action in HELPED else action.keys

    def shown(self, action: Action) -> str:
        """Return the keys as the footer and the help print them."""
        if action not in HELPED or action.name not in self.keys:
            return action.shown
        from textual.keys import key_to_character

        return " ".join(key_to_character(key) or key for key in self.keys[action.name])

    def bindings(self) -> dict[str, str]:
        """Return it as Textual takes it."""
        return {name: ",".join(keys) for name, keys in self.keys.items()}


REGISTRY_KEYS = Keymap()
"""No key is another than in the registry."""


def keymap_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the file is looked for: `$XDG_CONFIG_HOME/temper/keys.yaml`."""
    given = environment.get("XDG_CONFIG_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".config"
    return base / "temper" / "keys.yaml"


def read_keymap(path: Path) -> Keymap:
    """Read a file of `ACTION: KEY` or `ACTION: [KEY, …]`; where there is none, nothing changes.

    Raises:
        UsageError: with file and line: the file is no such mapping, an action or key is not known,
            or a key would mean two things.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return REGISTRY_KEYS
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "the keymap cannot be read", where=str(path), cause=f"{error}.", cure="Mend or move it."
        ) from error
    found = _parsed(path, text)
    lines = {name: found.lc.key(name)[0] + 1 for name in found}
    keymap = Keymap(
        {
            str(name): _keys(value, f"{path}:{lines[name]}")
            for name, value in found.items()
            if _is_known(name, f"{path}:{lines[name]}")
        }
    )
    _refuse_two_meanings(keymap, path, lines)
    return keymap


def _parsed(path: Path, text: str) -> Any:
    """Return the mapping with the lines of its keys."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        found = YAML().load(text)
    except YAMLError as error:
        line, problem = 1, "it cannot be read"
        if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
            line, problem = error.problem_mark.line + 1, str(error.problem)
        elif isinstance(error, ReaderError):
            line = text.count("\n", 0, error.position) + 1
            problem = "it holds a control character"
        raise UsageError(
            "the keymap is no YAML",
            where=f"{path}:{line}",
            cause=f"{problem}.",
            cure="Write `ACTION: KEY` or `ACTION: [KEY, KEY]`, a line each.",
        ) from error
    if found is None:
        return CommentedMap()
    if not isinstance(found, CommentedMap):
        raise UsageError(
            "the keymap is no mapping",
            where=f"{path}:1",
            cure="Write `ACTION: KEY` or `ACTION: [KEY, KEY]`, a line each.",
        )
    return found


def _is_known(name: Any, where: str) -> bool:
    import difflib

    names = sorted({action.name for action in HELPED})
    if name in names:
        return True
    near = difflib.get_close_matches(str(name), names, 1)
    raise UsageError(
        f"no action is called {name!r}",
        where=where,
        cause=f"Actions are {', '.join(names)}.",
        cure=f"Did you mean `{near[0]}`?" if near else "Press ? in the app for what each does.",
    )


def _keys(value: Any, where: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise UsageError("an action without a key", where=where, cure="Give it one.")
    return tuple(_key(one, where) for one in listed)


def _key(value: Any, where: str) -> str:
    """Return a key as Textual calls it."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    *modifiers, base = text.split("+") if len(text) > 1 else [text]
    base = _named(base)
    if not base or not set(modifiers) <= _MODIFIERS:
        raise UsageError(
            f"no key is called {value!r}",
            where=where,
            cure="A key is a character, or a name such as f5, space, pagedown, ctrl+x, shift+tab.",
        )
    key = "+".join([*modifiers, base])
    key = _SAME.get(key, key)
    if key in _KEPT:
        raise UsageError(
            f"{key} cannot be given away",
            where=where,
            cause="It leaves or suspends the app, whatever happens.",
            cure="Choose another key.",
        )
    return key


def _named(base: str) -> str:
    """Return Textual's name of a key without modifiers; empty if there is no such key."""
    from textual.binding import Binding
    from textual.keys import Keys, key_to_character

    if base == ",":
        return "comma"
    if len(base) == 1 and base.isprintable():
        return next(iter(Binding.make_bindings([Binding(base, "")]))).key
    known = {key.value for key in Keys}
    return base if base in known or (len(base) > 1 and key_to_character(base)) else ""


def _refuse_two_meanings(keymap: Keymap, path: Path, lines: Mapping[Any, int]) -> None:
    for scope in SCOPES:
        seen: dict[str, Action] = {}
        actions = [*of_scope(scope), *(of_scope("app") if scope != "app" else ())]
        for action in actions:
            for key in keymap.of(action):
                other = seen.setdefault(key, action)
                changed = [one.name for one in (action, other) if one.name in keymap.keys]
                if other.action != action.action and changed:
                    raise UsageError(
                        f"the key {key} would mean two things",
                        where=f"{path}:{lines[changed[0]]}",
                        cause=f"`{other.name}` ({other.help}) and `{action.name}` ({action.help})",
                        cure="Give one of them another key.",
                    )
