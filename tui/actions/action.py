"""What an action is."""

from __future__ import annotations

from typing import Literal, NamedTuple

Scope = Literal[
    "app", "home", "run", "data", "train", "eval", "chat", "duel", "compare", "doctor", "help",
    "rows", "dropped", "row", "funnel", "trying", "pairs", "balance", "made",
    "train-yaml", "proofs",
    "overlay", "batch", "log", "probes",
    "evaluation", "answers", "trends", "measure", "measuring", "whole",
    "palette", "ask", "choose", "confirm", "notice", "edit-text",
]  # fmt: skip
"""Where an action works: everywhere, or on one screen."""


class Action(NamedTuple):
    """Something a key does. The same key means the same everywhere."""

    action: str
    """What Textual calls: a method `action_<name>` of the screen or the app."""
    keys: tuple[str, ...]
    shown: str
    """The keys as the footer and the help print them, in ASCII."""
    title: str
    """One or two words for the footer."""
    help: str
    """One sentence for the help."""
    scopes: tuple[Scope, ...]
    in_footer: bool = False

    @property
    def name(self) -> str:
        """What a keymap file calls it: its title, as `page-down`."""
        return "-".join(self.title.lower().split())
