"""Base and base + LoRA on the same local tasks: the paired engine beside two calls of lm_eval.

    python bench/eval.py [--model DIR] [--batch 16] [--repeats 5] [--scale 1.0] [--only TASK…]
        [--out bench/results/eval.md]

needs the extra `bench` (pip install "welltempered[bench]"). One process, one thread, float32, equal
rows to a batch; the two sides take turns and the medians are shown. Imports and the loading of
weights are left out on both sides; reading the suite, making requests, answering and scoring are
in. lm_eval is given its rows in memory. Exits 1 if a score or a log-likelihood differs by more than
1e-4, or an answer differs at all.

Both are asked with a chat template that does not end in white space: lm_eval moves such white space
into every choice and scores it there (see bench/lm_eval_agreement.py).
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.append(str(Path(__file__).parent / "parts"))

from agreement.tasks import without_trailing_space
from pairs.asking import Answered, Ours, Theirs, Took, both
from pairs.tasks import SHAPES, Shape, write_suite

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Line:
    """One task as both sides did it."""

    shape: Shape
    items: int
    scores: tuple[float, float]
    """Ours, of base and tuned."""
    peer_scores: tuple[float, float]
    largest: float
    """Largest difference of a score or log-likelihood; answers that differ count as infinite."""
    cpu: tuple[float, float]
    """Median CPU seconds, ours and lm_eval's."""
    wall: tuple[float, float]
    """Median seconds by the clock."""

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return self.largest <= TOLERANCE


def line_of(
    shape: Shape, mine: Answered, yours: Answered, times: tuple[Sequence[Took], Sequence[Took]]
) -> Line:
    """Return the medians and the largest difference."""
    largest = max(abs(a - b) for a, b in zip(mine.scores, yours.scores, strict=True))
    for model, peer_model in zip(mine.values, yours.values, strict=True):
        for value, peer in zip(model, peer_model, strict=True):
            if isinstance(value, str):
                largest = max(largest, 0.0 if value == peer else float("inf"))
            else:
                gaps = (abs(a - b) for a, b in zip(value, peer, strict=True))
                largest = max(largest, *gaps)
    ours, theirs = times
    return Line(
        shape, len(mine.values[0]), mine.scores, yours.scores, largest,
        (median(t.cpu for t in ours), median(t.cpu for t in theirs)),
        (median(t.wall for t in ours), median(t.wall for t in theirs)),
    )  # fmt: skip


def compare(
    model: Path, directory: Path, *, shapes: Sequence[Shape], batch: int, repeats: int, scale: float
) -> list[Line]:
    """Return every task's line.

    Args:
        model: the base.
        directory: an empty one, for tasks, a copy of the base and an adapter.
        shapes: which tasks.
        batch: rows in one pass, on both sides.
        repeats: turns of each side.
        scale: of the number of items.
    """
    import torch

    torch.set_num_threads(1)
    base = without_trailing_space(model, directory)
    adapter = make_adapter(base, directory / "adapter")
    suite = write_suite(directory, scale)
    ours, theirs = (side(base, adapter, batch, "cpu") for side in (Ours, Theirs))
    found = []
    for shape, mine, yours, *times in both(ours, theirs, suite, shapes, repeats):
        found.append(line_of(shape, mine, yours, (times[0], times[1])))
        print(row_of(found[-1]), file=sys.stderr, flush=True)
    return found


def make_adapter(base: Path, path: Path) -> Path:
    """Write a LoRA adapter of random weights that changes answers, rank 8 on all linear layers."""
    import torch
    from peft import LoraConfig, get_peft_model

    from evalsuite.models.load import load_model

    torch.manual_seed(0)
    config = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(load_model(base), config)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    tuned.save_pretrained(path)
    return path


def row_of(line: Line) -> str:
    """Return a line of the Markdown table."""
    cpu, wall = line.cpu[0] / line.cpu[1], line.wall[0] / line.wall[1]
    aim = "" if line.shape.aim is None else f"{line.shape.aim:g}"
    scores = " → ".join(f"{score:.4g}" for score in line.scores)
    theirs = " → ".join(f"{score:.4g}" for score in line.peer_scores)
    return (
        f"| {line.shape.name} | {line.items} | {scores} | {theirs} | {line.largest:.1e} "
        f"| {line.cpu[0]:.2f} | {line.cpu[1]:.2f} | **{cpu:.2f}** | {aim} | {wall:.2f} |"
    )


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a Markdown table, and what the tasks are."""
    head = [
        "| task | items | ours, base → tuned | lm_eval | largest difference | CPU s, ours "
        "| CPU s, lm_eval | CPU ratio | aim | wall ratio |",
        "|---|--:|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    told = [f"- `{line.shape.name}`: {line.shape.told}." for line in lines]
    return "\n".join([*head, *map(row_of, lines), "", *told])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="A model directory; default: the built-in one.")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="Of the number of items.")
    parser.add_argument("--only", nargs="+", default=[shape.name for shape in SHAPES])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "eval.md")
    given = parser.parse_args()
    from importlib.metadata import version

    from evalsuite.builtin import model_path

    shapes = [shape for shape in SHAPES if shape.name in given.only]
    with tempfile.TemporaryDirectory() as directory:
        lines = compare(
            given.model or model_path(), Path(directory), shapes=shapes, batch=given.batch,
            repeats=given.repeats, scale=given.scale,
        )  # fmt: skip
    name = "the built-in model" if given.model is None else given.model.name
    versions = ", ".join(
        f"{package} {version(package)}" for package in ("lm_eval", "transformers", "peft", "torch")
    )
    text = (
        f"# The paired engine beside lm_eval\n\n{name} and a LoRA adapter on it, float32, CPU, one "
        f"thread, {given.batch} rows to a batch, medians of {given.repeats} turns; {versions}.\n\n"
        f"    {shlex.join(['python', 'bench/eval.py', *sys.argv[1:]])}\n\n{table(lines)}\n"
    )
    print(text)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text)
    bad = [line for line in lines if not line.agrees]
    print(f"{len(lines) - len(bad)} of {len(lines)} tasks agree within {TOLERANCE}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
