"""Draw every screen of the app as SVG, for the README and the documentation.

    python -P docs/screenshot.py               # of a workspace that is written for it
    python -P docs/screenshot.py demo          # of what `temper demo demo` made
    python -P docs/screenshot.py demo --only home --out docs/images --size 132x30

A picture is what the app shows of the directories given, nothing else. `make screenshots` draws
them all into `docs/images`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "bench" / "parts"))

from screen.sample import write_workspace

from tui.app import TemperApp
from tui.modes import MODES

IMAGES = Path(__file__).with_name("images")


def screens() -> Mapping[str, Sequence[str]]:
    """Return the keys that lead to each screen, by the name of its picture."""
    modes = {mode.name: [mode.key] for mode in MODES}
    return {**modes, "run": ["enter"], "help": ["question_mark"], "palette": ["ctrl+p"]}


async def draw(workspace: Path, size: tuple[int, int], keys: Sequence[str]) -> str:
    """Return the SVG of the app on `workspace` after pressing `keys`."""
    app = TemperApp(workspace)
    async with app.run_test(size=size) as pilot:
        while app.poller.looks < 2 or app.snapshot.pending:
            await pilot.pause(0.05)
        await pilot.press(*keys)
        await app.workers.wait_for_complete()
        looks = app.poller.looks
        while app.poller.looks < looks + 2:  # a screen that was opened shows its log a look later
            app.poller.look_now()
            await pilot.pause(0.05)
        return app.export_screenshot(title="temper")


def main() -> None:
    """Read the command line, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path, nargs="?", help="a workspace with runs in it")
    parser.add_argument("--only", choices=[*screens()], help="draw this screen alone")
    parser.add_argument("--out", type=Path, default=IMAGES, help="directory of the SVGs")
    parser.add_argument("--size", default="132x30", help="columns x lines")
    options = parser.parse_args()
    columns, lines = map(int, options.size.split("x"))
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        workspace = options.workspace or Path(directory) / "project"
        if options.workspace is None:
            os.environ["HOME"] = directory  # so that the path shown is ~/project
            write_workspace(workspace)
        for name, keys in screens().items():
            if options.only in (None, name):
                svg = asyncio.run(draw(workspace.resolve(), (columns, lines), keys))
                (options.out / f"{name}.svg").write_text(svg, encoding="utf-8")
                print(options.out / f"{name}.svg")


if __name__ == "__main__":
    main()
