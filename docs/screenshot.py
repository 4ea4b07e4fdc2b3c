"""Draw every screen of the app as SVG, for the README and the documentation.

    python -P docs/screenshot.py               # of a workspace that is made for it, in minutes
    python -P docs/screenshot.py demo          # of what `temper demo demo` made
    python -P docs/screenshot.py demo --only home --out docs/images

A picture is what the app shows of the directories given, nothing else. `make screenshots` draws
them all into `docs/images`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import tui  # noqa: F401  # before this directory is searched: it has pages in `tui/`

sys.path.append(str(Path(__file__).parent))

from screenshots.sample import write_workspace
from screenshots.shots import SHOTS, Shot
from screenshots.steps import NeverShown, rest, take

from tui.app import TemperApp

IMAGES = Path(__file__).with_name("images")
_BAR = re.compile(r'<text class="(\S+)" x="(\S+)" y="(\S+)"[^>]*>(█+)(?:&#160;)*</text>')
_RISE, _WIDTH, _HEIGHT = 18.5, 12.2, 24.4
"""From the line that letters stand on to the top of their cell, and the size of a cell."""


async def draw(workspace: Path, shot: Shot) -> str:
    """Return the SVG of the app on `workspace` after the steps of a shot."""
    app = TemperApp(workspace)
    async with app.run_test(size=shot.size) as pilot:
        await rest(pilot)
        await take(pilot, shot.steps)
        return solid(app.export_screenshot(title="temper"))


def solid(svg: str) -> str:
    """Return a picture with bars without gaps, as terminals draw them.

    A browser spaces the letters of a font that is narrower than the cells of the picture.
    """
    return _BAR.sub(
        lambda found: (
            f'<rect class="{found[1]}" x="{found[2]}" y="{float(found[3]) - _RISE:g}" '
            f'width="{len(found[4]) * _WIDTH:g}" height="{_HEIGHT}" shape-rendering="crispEdges"/>'
        ),
        svg,
    )


def main() -> None:
    """Read the command line, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path, nargs="?", help="a workspace with runs in it")
    names = [shot.name for shot in SHOTS]
    parser.add_argument("--only", choices=names, nargs="+", default=names, help="draw these alone")
    parser.add_argument("--out", type=Path, default=IMAGES, help="directory of the SVGs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        workspace = options.workspace or Path(directory) / "project"
        _live_in(workspace.resolve().parent, Path(directory) / "state")
        if options.workspace is None:
            write_workspace(workspace)
        wanted = [shot for shot in SHOTS if shot.name in options.only]
        failed = [shot for shot in wanted if not _draw_one(workspace.resolve(), shot, options.out)]
    sys.exit(1 if failed else 0)


def _draw_one(workspace: Path, shot: Shot, out: Path) -> bool:
    """Draw a picture; return whether it was drawn, or there is nothing to draw."""
    path = out / f"{shot.name}.svg"
    if not shot.fits(workspace):
        print(f"{path}: left as it is, {workspace.name} has nothing to show there")
        return True
    duels = workspace / "duels"
    before = {*duels.iterdir()} if duels.is_dir() else set()
    try:
        path.write_text(asyncio.run(draw(workspace, shot)), encoding="utf-8")
    except NeverShown as error:
        print(f"{path}: {error}", flush=True)
        return False
    finally:
        for duel in {*duels.iterdir()} - before if duels.is_dir() else ():
            shutil.rmtree(duel)  # it was begun for the picture
    print(path, flush=True)
    return True


def _live_in(home: Path, state: Path) -> None:
    """Show paths from `~`, look like the same terminal everywhere, and forget nobody's keys."""
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    places = {f"XDG_{name}_HOME": str(state / name) for name in ("STATE", "CACHE", "CONFIG")}
    os.environ.update({"HOME": str(home), **terminal, **places})
    for name in ("NO_COLOR", "LC_ALL", "TMUX", "STY", "SSH_CONNECTION", "SSH_TTY"):
        os.environ.pop(name, None)


if __name__ == "__main__":
    main()
