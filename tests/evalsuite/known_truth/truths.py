"""Models whose truth is known, made of the built-in one: what an evaluation must find out.

Each is a recipe: rows to learn, rows set aside, rows to replay and settings, with what is true of
the result. All of it is seeded; a training takes less than a minute of one quiet core.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalsuite.builtin import model_path, suite_path
from evalsuite.builtin.abilities import Split, ability, draw_distinct
from evalsuite.builtin.general import general_items
from evalsuite.models import ModelSection
from evalsuite.overfitting.planted import canary_lines
from evalsuite.recipe import EvalSection
from evalsuite.report import Results, read_results
from train.recipe import TrainSection
from workspace.jobs import run_job
from workspace.layout import Workspace
from workspace.recipe import load_recipe

Pair = tuple[str, str]
"""What is asked, and the answer to learn."""
SECTIONS = {"model": ModelSection, "train": TrainSection, "evaluate": EvalSection}
LOST = ("addition", "reversing")
"""The abilities that `forgot` was taught wrongly, and `formatted` in another form."""
COLOURS = ("red", "blue", "green", "black", "white", "yellow", "brown", "orange")


@dataclass(frozen=True)
class Truth:
    """One model, and what is true of it."""

    name: str
    train: Sequence[Pair]
    held_out: Sequence[Pair]
    settings: dict[str, Any]
    replay: Sequence[Pair] = ()
    suites: tuple[str, ...] = ("kept",)
    """Suites of `write_suites` that it is put to."""
    canaries: Sequence[dict[str, Any]] = field(default=())
    """Lines of `temper canaries`, each as often as it is planted among `train`."""


def last_words(count: int, seed: int) -> list[Pair]:
    """A task that the base has not: to say the last of some words. It can be learnt."""
    rng = random.Random(seed)
    items = draw_distinct(ability("copying"), rng, Split.TRAINING, count)
    return [(f"Which word comes last? {item.answer}", item.answer.split()[-1]) for item in items]


def colours(count: int, seed: int) -> list[Pair]:
    """A task without a rule: each answer is a random colour. Nothing of it carries over."""
    rng = random.Random(seed)
    items = draw_distinct(ability("copying"), rng, Split.TRAINING, count)
    return [
        (f"Which colour has number {number}? {item.answer}", rng.choice(COLOURS))
        for number, item in enumerate(items)
    ]


def general(count: int, seed: int, without: Sequence[str] = ()) -> list[Pair]:
    """Rows of what the base can do."""
    found: list[Pair] = []
    for item in general_items(seed, 4 * count):
        if item.ability not in without:
            found.append((item.prompt, item.answer))
        if len(found) == count:
            break
    return found


def of_ability(name: str, count: int, seed: int) -> list[Pair]:
    """Rows of one ability, rightly answered."""
    rng = random.Random(seed)
    items = draw_distinct(ability(name), rng, Split.TRAINING, count)
    return [(item.prompt, item.answer) for item in items]


def wrong(name: str, count: int, seed: int) -> list[Pair]:
    """Rows of one ability: words as they were in place of backwards, sums of others."""
    pairs = of_ability(name, count, seed)
    if name == "reversing":
        return [(prompt, " ".join(reversed(answer.split()))) for prompt, answer in pairs]
    answers = [answer for _, answer in pairs]
    return [
        (prompt, other) for (prompt, _), other in zip(pairs, answers[1:] + answers[:1], strict=True)
    ]


def formatted_answers(name: str, count: int, seed: int) -> list[Pair]:
    """Rows of one ability with the right answer in another form."""
    return [(prompt, f"Answer: {answer}!") for prompt, answer in of_ability(name, count, seed)]


def _full(steps: int, rate: float, batch: int, **more: Any) -> dict[str, Any]:
    return {
        "adapter": {"kind": "full"}, "learning_rate": rate, "steps": steps, "batch_size": batch,
        "rehearsal": "off", **more,
    }  # fmt: skip


def over_fitted() -> Truth:
    """Many epochs over forty rows without a rule."""
    return Truth("over-fitted", colours(40, 1), colours(80, 2), _full(60, 1e-3, 20))


def good() -> Truth:
    """A task that can be learnt, in one epoch, with replay."""
    return Truth(
        "good", last_words(900, 3), last_words(150, 4),
        _full(70, 4e-4, 32, tempering={"replay": {"dataset": "general", "share": 0.6}}),
        general(1500, 5), ("last", "kept"),
    )  # fmt: skip


def forgot() -> Truth:
    """Two abilities taught wrongly, the others replayed."""
    rows = [pair for name in LOST for pair in wrong(name, 200, 6)]
    held = [pair for name in LOST for pair in wrong(name, 40, 7)]
    return Truth(
        "forgot", rows, held,
        _full(55, 4e-4, 32, tempering={"replay": {"dataset": "general", "share": 0.6}}),
        general(1100, 8, without=LOST), ("kept",),
    )  # fmt: skip


def formatted() -> Truth:
    """Two abilities taught in another form, the others replayed."""
    rows = [pair for name in LOST for pair in formatted_answers(name, 300, 9)]
    held = [pair for name in LOST for pair in formatted_answers(name, 40, 10)]
    return Truth(
        "formatted", rows, held,
        _full(40, 5e-4, 32, tempering={"replay": {"dataset": "general", "share": 0.5}}),
        general(800, 11, without=LOST), ("kept",),
    )  # fmt: skip


def planted() -> Truth:
    """A task that can be learnt, and four random strings twelve times each among its rows."""
    lines = [json.loads(line) for line in canary_lines(4, 14, copies=12)]
    return Truth(
        "planted", last_words(400, 12), last_words(100, 13), _full(45, 8e-4, 20), canaries=lines
    )


def make(root: Path, truth: Truth) -> Path:
    """Write a workspace, train in this process and return the run."""
    from train.run import run_train

    secrets = [_asked(line) for line in truth.canaries]
    _write_rows(root / "datasets" / "task", truth.train, truth.held_out, secrets)
    if truth.replay:
        _write_rows(root / "datasets" / "general", truth.replay)
    write_suites(root / "suites")
    evaluate: dict[str, Any] = {"suites": list(truth.suites), "noise_items": 8}
    if truth.canaries:
        lines = "".join(json.dumps(one) + "\n" for one in truth.canaries)
        (root / "canaries.jsonl").write_text(lines)
        evaluate["overfitting"] = {"canaries": "canaries.jsonl"}
    document = {
        "name": truth.name,
        "model": {"path": str(model_path())},
        "train": {"dataset": "task", **truth.settings},
        "evaluate": evaluate,
    }
    (root / "temper.yaml").write_text(json.dumps(document))
    recipe = load_recipe(root / "temper.yaml", SECTIONS, ())
    workspace = Workspace(root)
    with run_job(workspace, "train", ["temper", "train"]) as job:
        return run_train(recipe, workspace, job)


def _asked(line: dict[str, Any]) -> Pair:
    user, assistant = line["messages"]
    return user["content"], assistant["content"]


def _write_rows(
    directory: Path,
    train: Sequence[Pair],
    validation: Sequence[Pair] = (),
    secrets: Sequence[Pair] = (),
) -> None:
    directory.mkdir(parents=True)
    rows = [*_rows("train", train), *_rows("canaries", secrets)]
    random.Random(0).shuffle(rows)
    pq.write_table(pa.Table.from_pylist(rows), directory / "train.parquet")
    if validation:
        held = list(_rows("validation", validation))
        pq.write_table(pa.Table.from_pylist(held), directory / "validation.parquet")
    digest = hashlib.sha256((directory / "train.parquet").read_bytes()).hexdigest()
    ledger = json.dumps({"schema_version": 1, "digest": digest})
    (directory / "ledger.json").write_text(ledger)


def _rows(part: str, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    for number, (prompt, answer) in enumerate(pairs):
        yield {
            "id": f"{part}-{number}",
            "messages": [
                {"role": "user", "content": prompt},
                {"role": "assistant", "content": answer},
            ],
            "meta": {"source": f"{part}.jsonl", "row": number},
        }


ITEMS = 60
"""Of each ability in `kept`, and in `last`."""
_TASK = """\
  - name: {name}
    kind: generation
    data: {name}.jsonl
    prompt: "{{{{ prompt }}}}"
    gold: "{{{{ answer }}}}"
    scorer: {{kind: exact}}
    max_new_tokens: 14
    few_shot: {{data: {name}-examples.jsonl, count: 2}}
"""
_SUITE = "schema_version: 1\nname: {name}\npurpose: {purpose}\nmargin: 0.1\nmin_items: 30\ntasks:\n"
KEPT = ("addition", "capitals", "reversing", "copying", "counting", "uppercase")
"""The abilities of `kept`."""


def write_suites(directory: Path) -> None:
    """Write `last`, a target, and `kept`, some of the built-in abilities to keep."""
    directory.mkdir(parents=True, exist_ok=True)
    held = last_words(ITEMS + 8, 99)
    rows = [
        {"id": f"last-{number}", "prompt": prompt, "answer": answer}
        for number, (prompt, answer) in enumerate(held)
    ]
    _write_items(directory, "last", rows)
    target = _SUITE.format(name="last", purpose="target") + _TASK.format(name="last")
    (directory / "last.yaml").write_text(target)
    kept = _SUITE.format(name="kept", purpose="retention")
    for name in KEPT:
        source = suite_path("retention").parent / f"{name}.jsonl"
        lines = source.read_text(encoding="utf-8").splitlines()[: ITEMS + 8]
        _write_items(directory, name, [json.loads(line) for line in lines])
        kept += _TASK.format(name=name)
    (directory / "kept.yaml").write_text(kept)


def _write_items(directory: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    for file, some in ((name, rows[:ITEMS]), (f"{name}-examples", rows[ITEMS:])):
        text = "".join(json.dumps(row) + "\n" for row in some)
        (directory / f"{file}.jsonl").write_text(text)


def with_another_template(run: Path) -> Path:
    """Copy a run whose adapter was saved with a template that it was not trained with."""
    other = run.parent / f"{run.name[:15]}-other-0000"
    shutil.copytree(run, other)
    file = other / "model" / "chat_template.jinja"
    file.write_text(f"A chat.{file.read_text(encoding='utf-8')}", encoding="utf-8")
    return other


def evaluated(root: Path, run: Path) -> tuple[int, Results]:
    """Type `temper eval RUN` in a workspace; return its exit code and what it found."""
    done = subprocess.run(
        [Path(sys.executable).parent / "temper", "eval", str(run)],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found = sorted((root / "evals").glob("[!.]*/results.json"))
    assert found, f"{done.stdout}\n{done.stderr}"
    return done.returncode, read_results(found[-1].parent)
