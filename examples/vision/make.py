"""Draw raw/images/*.png, and write raw/looks.jsonl and raw/pairs.jsonl about them.

Each image has one shape in one colour on a pale ground. `looks` say what it is; `pairs` prefer that
to the same shape in another colour. The words of a question never tell the answer.

python make.py [IMAGES]
"""

import json
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200)}
SHAPES = ("circle", "square")
SIDE = 64


def drawn(colour: str, shape: str, chance: random.Random) -> Image.Image:
    """Return an image of a shape somewhere, in a shade of a colour."""
    ground = tuple(chance.randint(215, 255) for _ in range(3))
    shade = tuple(min(255, max(0, one + chance.randint(-30, 30))) for one in COLOURS[colour])
    image = Image.new("RGB", (SIDE, SIDE), ground)
    size = chance.randint(36, 52)
    left, top = chance.randint(0, SIDE - size), chance.randint(0, SIDE - size)
    pen = ImageDraw.Draw(image)
    draw = pen.ellipse if shape == "circle" else pen.rectangle
    draw((left, top, left + size, top + size), fill=shade)
    return image


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


chance = random.Random(7)
folder = Path("raw/images")
folder.mkdir(parents=True, exist_ok=True)
looks, pairs = [], []
for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 400):
    colour, shape = chance.choice(list(COLOURS)), chance.choice(SHAPES)
    name = f"images/{number:04}.png"
    drawn(colour, shape, chance).save(Path("raw") / name)
    asked = {"image": name, "prompt": chance.choice(["What is this?", "What do you see?"])}
    other = chance.choice([one for one in COLOURS if one != colour])
    looks.append({**asked, "completion": f"A {colour} {shape}."})
    pairs.append({**asked, "chosen": f"A {colour} {shape}.", "rejected": f"A {other} {shape}."})
write(Path("raw/looks.jsonl"), looks)
write(Path("raw/pairs.jsonl"), pairs)
