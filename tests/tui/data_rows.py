"""A small real dataset: duplicates, near-duplicates and hostile rows, really curated."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from curate.curating import run_curate
from curate.recipe import CurateSection
from evalsuite.models import ModelSection
from tests.tui.conftest import screen_text
from train.recipe import TrainSection
from tui.app import TemperApp
from workspace.layout import Workspace
from workspace.recipe import load_recipe

HOSTILE = "\x1b]52;c;aGk=\x07\x1b[2J[red]x[/red] \u202eevil\u2069 \r\n\t漢字👩‍👩‍👧 שלום\x00"
_WORDS = [
    *("router", "battery", "printer", "invoice", "refund", "password", "screen", "parcel"),
    *("harbour", "mountain", "library", "concert", "garden", "bicycle", "kitchen", "museum"),
    *("account", "order", "window", "station", "ticket", "bridge"),
]
RECIPE = """\
# what a person wrote
name: tickets
model: {path: builtin}
curate:
  sources:
    - path: rows.jsonl
      columns: {label: team}
  max_quarantine: 20%
  steps:
    - exact_duplicates
    - near_duplicates: {threshold: 0.8}  # a threshold
    - filter: {length: {max_words: 60}}
  split: {validation: 4}
train:
  max_length: 256
  packing: bfd
"""


def rows() -> list[dict[str, object]]:
    """Return rows in their order: 40 of their own, 5 copies, 5 nearly copies, 2 hostile ones."""
    draw = random.Random(3)
    found = []
    for number in range(40):
        asked = " ".join(draw.choices(_WORDS, k=14))
        said = f"answer {number} " + " ".join(draw.choices(_WORDS, k=10))
        found.append(_row(asked, said, "ab"[number % 2]))
    for number in range(5):
        found.append(json.loads(json.dumps(found[number])))
    for number in range(5, 10):
        turns = found[number]["messages"]
        words = turns[0]["content"].split()
        words[3] = "please"
        found.append(_row(" ".join(words), turns[1]["content"], "a"))
    found.append(_row(HOSTILE, "an answer to that", "b"))
    found.append(_row("what is long", "word " * 90, "b"))
    return found


def _row(asked: str, said: str, team: str) -> dict[str, object]:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return {"messages": turns, "team": team}


def write_workspace(root: Path) -> Path:
    """Write rows and a recipe to `root`, and curate them; return the dataset's directory."""
    lines = [json.dumps(row) for row in rows()]
    (root / "rows.jsonl").write_text("\n".join([*lines, '{"messages": [']) + "\n")
    (root / "temper.yaml").write_text(RECIPE)
    sections = {"curate": CurateSection, "model": ModelSection, "train": TrainSection}
    made = run_curate(load_recipe(root / "temper.yaml", sections), Workspace(root)).path
    assert made is not None
    return made


async def until(pilot: Pilot[None], holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds, or fail with what the screen shows."""
    for _ in range(round(seconds / 0.05)):
        if holds():
            await pilot.pause()
            return
        await asyncio.sleep(0.05)
    app = pilot.app
    assert isinstance(app, TemperApp)
    raise AssertionError(f"it never came:\n{screen_text(app)}")


async def says(pilot: Pilot[None], text: str) -> str:
    """Wait until the screen shows a text; return the screen."""
    app = pilot.app
    assert isinstance(app, TemperApp)
    await until(pilot, lambda: text in screen_text(app))
    return screen_text(app)


def write_made(root: Path) -> Path:
    """Make rows by the rules of `temper curate augment`, and curate them with the others.

    They are noisy copies, so the step that drops near-duplicates is left out.
    """
    from curate.synth.augmenting import run_augment
    from curate.synth.recipe import AugmentSection

    sections = {"curate": CurateSection, "model": ModelSection, "train": TrainSection}
    sections["augment"] = AugmentSection
    recipe = root / "temper.yaml"
    text = recipe.read_text() + "augment:\n  generate: [noise]\n  target: {rows: 6}\n"
    recipe.write_text(text)
    made = run_augment(load_recipe(recipe, sections), Workspace(root)).path
    assert made is not None
    source = f"    - datasets/{made.parent.name}/current/train.parquet\n"
    text = text.replace("  max_quarantine", source + "  max_quarantine")
    recipe.write_text(text.replace("    - near_duplicates: {threshold: 0.8}  # a threshold\n", ""))
    curated = run_curate(load_recipe(recipe, sections), Workspace(root)).path
    assert curated is not None
    return curated
