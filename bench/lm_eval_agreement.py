"""Do our scores agree with lm_eval 0.4.13? One model, three local tasks, float32, one process.

    python bench/lm_eval_agreement.py [--model DIR] [--out FILE]

needs the extra `bench` (pip install "welltempered[bench]"). Prints a table, writes it to
bench/results/lm_eval_agreement.md, and exits 1 if any difference is above 1e-4.

What to mind: lm_eval moves white space at the end of the prompt into the continuation. A chat
template that ends in a newline then has that newline scored with every choice. So the choices are
compared twice: under a copy of the template without white space at its end, where both score the
same tokens, and under the model's own template, where ours plus the newline must equal lm_eval's.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")

sys.path.append(str(Path(__file__).parent / "parts"))

from agreement.asking import ask_ours, ask_theirs, newline_scored_too
from agreement.tasks import PEER_TASKS, without_trailing_space, write_tasks

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Line:
    """One figure of both."""

    task: str
    figure: str
    ours: float
    theirs: float
    largest: float
    """Largest absolute difference over the items, or of the figure itself."""
    items: int


@dataclass(frozen=True)
class Sides:
    """Both sides' answers to one task."""

    label: str
    items: Sequence[Any]
    answers: Sequence[Any]
    samples: Sequence[Any]
    results: Mapping[str, Any]
    """lm_eval's figures."""
    theirs: Sequence[Any]
    """lm_eval's samples."""

    def figures(self, values: Mapping[str, float]) -> Iterator[Line]:
        """Compare task means."""
        for name, value in values.items():
            their = float(self.results[f"{name},none"])
            yield Line(self.label, name, value, their, abs(value - their), len(self.items))

    def likelihoods(self, ours: Sequence[float], theirs: Sequence[float]) -> Line:
        """Compare log-likelihoods one by one."""
        largest = max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
        means = math.fsum(ours) / len(ours), math.fsum(theirs) / len(theirs)
        return Line(self.label, "log-likelihood", *means, largest, len(ours))


def compare(model_dir: Path, data: Path) -> list[Line]:
    """Return every figure of both on every task.

    Args:
        model_dir: the model.
        data: an empty directory for tasks.
    """
    import torch

    from evalsuite.models.load import load_model

    torch.set_num_threads(1)
    suite = write_tasks(data)
    bare_dir = without_trailing_space(model_dir, data)
    model = load_model(model_dir).requires_grad_(False)
    # lm_eval says max_length; a max_new_tokens in the generation config would overrule it.
    model.generation_config.max_new_tokens = None
    lines: list[Line] = []
    for directory, kind in ((bare_dir, "bare template"), (model_dir, "own template")):
        ours, theirs = ask_ours(directory, suite, model), ask_theirs(directory, data, model)
        sides = {task: Sides(f"{task}, {kind}", *ours[task], *theirs[task]) for task in PEER_TASKS}
        if directory == model_dir:
            lines += compare_choices(
                replace(sides["choose"], label="choose, own template, newline scored too"),
                newline_scored_too(model_dir, sides["choose"].items, model),
            )
            lines += compare_texts(replace(sides["read"], label="read"))
        else:
            chosen = sides["choose"]
            lines += compare_choices(chosen, [list(a.logprobs) for a in chosen.answers])
        lines += compare_answers(sides["write"])
    return lines


def compare_choices(sides: Sides, scores: Sequence[Sequence[float]]) -> Iterator[Line]:
    """Compare log-likelihoods of choices, acc and acc_norm."""
    from evalsuite.stats.choice import pick

    theirs = [float(pair[0]) for sample in sides.theirs for pair in sample["filtered_resps"]]
    yield sides.likelihoods([score for row in scores for score in row], theirs)
    picks = [pick(row, item.choices) for row, item in zip(scores, sides.items, strict=True)]
    right = [item.gold_index for item in sides.items]
    for name in ("acc", "acc_norm"):
        hits = sum(getattr(p, name) == gold for p, gold in zip(picks, right, strict=True))
        yield from sides.figures({name: hits / len(right)})


def compare_texts(sides: Sides) -> Iterator[Line]:
    """Compare rolling log-likelihoods and the perplexities made of them."""
    from evalsuite.stats.perplexity import count_words, perplexity

    ours = [answer.logprob for answer in sides.answers]
    yield sides.likelihoods(ours, [_rolling(sample) for sample in sides.theirs])
    found = perplexity(
        ours,
        [count_words(item.text) for item in sides.items],
        [len(item.text.encode()) for item in sides.items],
        [answer.tokens for answer in sides.answers],
    )
    yield from sides.figures(
        {
            "word_perplexity": found.word,
            "byte_perplexity": found.byte,
            "bits_per_byte": found.bits_per_byte,
        }
    )


def compare_answers(sides: Sides) -> Iterator[Line]:
    """Compare greedy answers text by text, and their exact match."""
    differing = sum(
        one.output.strip() != sample["filtered_resps"][0].strip()
        for one, sample in zip(sides.samples, sides.theirs, strict=True)
    )
    count = len(sides.items)
    yield Line(sides.label, "answers that differ", differing, 0, float(differing), count)
    mean = math.fsum(sample.score for sample in sides.samples) / count
    yield from sides.figures({"exact_match": mean})


def _rolling(sample: Mapping[str, Any]) -> float:
    response = sample["filtered_resps"][0]
    return float(response[0] if isinstance(response, list | tuple) else response)


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a Markdown table."""
    rows = [
        "| task | figure | ours | lm_eval | largest difference (of perplexities: relative) | n |",
        "|---|---|--:|--:|--:|--:|",
    ]
    rows += [
        f"| {line.task} | {line.figure} | {line.ours:.8g} | {line.theirs:.8g} "
        f"| {difference(line):.1e} | {line.items} |"
        for line in lines
    ]
    return "\n".join(rows)


def difference(line: Line) -> float:
    """Return what is held against the tolerance: of perplexities, the part of their size."""
    return line.largest / (max(1.0, abs(line.ours)) if "perplexity" in line.figure else 1.0)


def agrees(line: Line) -> bool:
    """Whether a line is within the tolerance."""
    return difference(line) <= TOLERANCE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="A model directory; default: the built-in one.")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "lm_eval_agreement.md"
    )
    arguments = parser.parse_args()
    from importlib.metadata import version

    from evalsuite.builtin import model_path

    model_dir = arguments.model or model_path()
    with tempfile.TemporaryDirectory() as directory:
        lines = compare(model_dir, Path(directory))
    name = "the built-in model" if arguments.model is None else model_dir.name
    packages = ("lm_eval", "transformers", "torch")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    text = (
        f"# Agreement with lm_eval\n\n{name}, float32, CPU; {versions}.\n\n"
        f"    python bench/lm_eval_agreement.py\n\n{table(lines)}\n"
    )
    print(text)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text)
    bad = [line for line in lines if not agrees(line)]
    print(f"{len(lines) - len(bad)} of {len(lines)} figures agree within {TOLERANCE}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
