"""Draw the first screen of a workspace as SVG, for the README.

    python docs/screenshot.py demo docs/images/home.svg

The picture is what the app shows of the directories given, nothing else: make it from a workspace
that `temper demo` made.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from tui.app import TemperApp


async def draw(workspace: Path, size: tuple[int, int], keys: list[str]) -> str:
    """Return the SVG of the app on `workspace` after pressing `keys`."""
    app = TemperApp(workspace)
    async with app.run_test(size=size) as pilot:
        while app.poller.looks < 2 or app.snapshot.pending:
            await pilot.pause(0.05)
        for key in keys:
            await pilot.press(key)
        looks = app.poller.looks
        while app.poller.looks < looks + 2:  # a screen that was opened shows its log a look later
            app.poller.look_now()
            await pilot.pause(0.05)
        return app.export_screenshot(title="temper")


def main() -> None:
    """Read the command line, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path, help="a workspace with runs in it")
    parser.add_argument("output", type=Path, help="the SVG to write")
    parser.add_argument("--size", default="132x30", help="columns x lines")
    parser.add_argument("--press", nargs="*", default=[], metavar="KEY", help="keys to press first")
    options = parser.parse_args()
    columns, lines = map(int, options.size.split("x"))
    svg = asyncio.run(draw(options.workspace, (columns, lines), options.press))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
