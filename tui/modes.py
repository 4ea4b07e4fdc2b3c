"""The screens side by side, each with a key of its own; imported when they are first shown."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tui.glyphs import Glyphs
    from tui.screens.live import LiveScreen


class Mode(NamedTuple):
    """One screen that a key leads to from everywhere."""

    name: str
    key: str
    help: str
    screen: str
    """`module:class`; made as `Class(glyphs, workspace_root)`."""

    def make(self, glyphs: Glyphs, root: Path) -> LiveScreen:
        """Import the screen and make it."""
        module, _, name = self.screen.partition(":")
        found: LiveScreen = getattr(import_module(module), name)(glyphs, root)
        return found


MODES: tuple[Mode, ...] = (
    Mode("home", "1", "The workspace at a glance.", "tui.screens.home:HomeScreen"),
    Mode("data", "2", "Datasets, their rows, what became of each.", "tui.screens.data:DataScreen"),
    Mode("train", "3", "A recipe: estimate, prove, start.", "tui.screens.train:TrainScreen"),
    Mode("eval", "4", "Evaluations: verdicts, answers, trends.", "tui.screens.evals:EvalsScreen"),
    Mode("chat", "5", "Two models side by side.", "tui.screens.chat:ChatScreen"),
    Mode("compare", "6", "What differs between two.", "tui.screens.compare:CompareScreen"),
    Mode("doctor", "7", "What this machine can do.", "tui.screens.doctor:DoctorScreen"),
)
