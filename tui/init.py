"""`temper init`: a new workspace with a commented recipe and a target suite."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from workspace.errors import UsageError
from workspace.files import read_json, write_text
from workspace.layout import RECIPE, Workspace, checked_name
from workspace.yaml import scalar


@dataclass(frozen=True)
class Kind:
    """What the answers of a task look like, which decides how they are scored."""

    scorer: str
    max_new_tokens: int
    about: str


TASKS = {
    "chat": Kind("{kind: normalised}", 128, "short free answers, compared without case and spaces"),
    "classify": Kind("{kind: exact}", 32, "one label as the whole answer"),
    "json": Kind("{kind: json}", 128, "JSON objects, compared key by key"),
    "maths": Kind("{kind: numeric}", 256, "worked solutions whose last number counts"),
}

_RECIPE = """\
# {name}: from raw rows to a model you can trust.
#
#   temper check                  what can be known before anything runs
{general}#   temper curate                 raw rows → datasets/{name}
#   temper plan                   rows, tokens and steps before a weight is loaded
#   temper train                  datasets/{name} → runs/…
#   {gate:<29} what it gained and forgot; exit code 0 only if it may ship
#
# `temper schema` lists every key. Any value can be changed for one command:
#   temper train --set train.learning_rate=1e-4
name: {name_value}

model:
  path: {model}{model_comment}

curate:
  sources:
{sources}
  steps:                          # in this order; each drop is in dropped.parquet with its reason
    - empty_answers: {{}}
{contradictions}    - exact_duplicates: {{}}
    - near_duplicates: {{threshold: 0.8}}
    - decontaminate: {{suites: ["{retention}"]}}
  split: {{validation: 0.05, test: 0.15, seed: 0}}   # near-duplicates never straddle the splits
  max_quarantine: 5%              # more unusable rows than this stop the command (exit code 6)

{train}
evaluate:
  suites:
    - target                      # suites/target.yaml: what it should learn
    - {retention:<27} # {abilities}
"""

_TRAIN = """\
train:
  method: sft                     # the loss is on the assistant's turns only, and proved to be
  adapter: {kind: lora, r: 16}    # `{kind: full}` trains every weight: learns and forgets more
  epochs: 2
  batch_size: 32
  # Without replay a model forgets. Curate some general rows (chats of many kinds) to a dataset
  # of their own, then:
  # tempering:
  #   replay: {dataset: general, share: 0.3}
"""

_TRAIN_BUILTIN = """\
train:
  method: sft                     # the loss is on the assistant's turns only, and proved to be
  adapter: {kind: full}           # every weight of a model this small; else {kind: lora, r: 16}
  learning_rate: 2e-4             # gentle: 1e-3 learns the rows faster and forgets the rest
  epochs: 8
  batch_size: 32
  tempering:
    replay:                       # rows of what it should not forget, in every batch
      dataset: general            # made by: temper curate general.yaml
      share: 0.6
"""

_GENERAL = """\
# Rows of what the built-in model can do, replayed in training so that it is not forgotten.
name: general

model:
  path: builtin

curate:
  sources:
    - path: replay/general.jsonl
  steps:
    - exact_duplicates: {{}}
    - decontaminate: {{suites: ["builtin:retention"]}}
"""

_SUITE = """\
# What the tuned model should do better than the base: the rows kept apart as the test split.
# Margin and item counts are fixed here, before any model is trained.
schema_version: 1
name: target
purpose: target
margin: 0.05
alpha: 0.05
min_items: 100                    # fewer cannot decide anything; 500 see a gain of 5 points
min_gain: 0.05                    # the smallest gain that counts
tasks:
  - name: {name_value}
    ability: {name_value}
    kind: generation
    data: {data}
    scorer: {scorer:<25} # {about}
    max_new_tokens: {max_new_tokens}
    few_shot: {{data: {examples}, count: 5}}   # for: temper eval --prompts
"""


def make_workspace(
    directory: Path, *, task: str, data: list[Path], model: str, name: str | None = None
) -> list[Path]:
    """Write a recipe, a target suite and what they need; return the files written.

    Args:
        directory: made if needed.
        task: one of `TASKS`.
        data: raw files; without any, `raw/` is where they are looked for.
        model: a model directory, a hub name or `builtin`.
        name: the recipe's name; default the directory's.

    Raises:
        UsageError: a recipe is there already, an unknown task, or a data file that is missing.
    """
    if task not in TASKS:
        raise UsageError(
            f"there is no task {task!r}", cure=f"One of: {', '.join(TASKS)}.", where="--task"
        )
    if (directory / RECIPE).exists():
        raise UsageError("there is a recipe already", where=str(directory / RECIPE))
    for file in data:
        if not file.exists():
            raise UsageError("there is no such file", where=str(file), cure="Check the path.")
    name = checked_name(name or _named_after(directory), what="recipe")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    texts = {
        RECIPE: _recipe(directory, name, task, data, model),
        "suites/target.yaml": _suite(name, task),
    }
    if model == "builtin":
        from evalsuite.builtin import write_general

        texts["general.yaml"] = _GENERAL.format()
        # Apart from raw/, which is read as the rows to learn.
        (directory / "replay").mkdir(exist_ok=True)
        write_general(directory / "replay" / "general.jsonl")
    for file_name, text in texts.items():
        write_text(directory / file_name, text)
    written = [*texts, "replay/general.jsonl"] if model == "builtin" else [*texts]
    return [directory / file_name for file_name in written]


_METHODS = {
    "preference": "dpo",
    "unpaired_preference": "kto",
    "answer": "rft",
}
"""What learns from rows of a type; all others are for `sft`."""

_OF_DATASET = """\
# {name}: a model from datasets/{dataset}, which is {what}.
#
#   temper check {file}
#   temper plan {file}
#   temper train {file} --detach
#   temper eval {name} --gate       what it gained and forgot
#
# `temper schema` lists every key.
name: {name_value}

model:
  path: {model}

train:
  method: {method}
  dataset: {dataset_value}
  adapter: {adapter}
  epochs: 2
  batch_size: 32

evaluate:
  suites:
    - {retention}
"""


def make_recipe(workspace: Workspace, *, dataset: str, model: str, name: str | None = None) -> Path:
    """Write a recipe that trains on a dataset of a workspace; return it.

    Args:
        workspace: where it is.
        dataset: its name.
        model: a model directory, a hub name or `builtin`.
        name: of the recipe and its file; default the dataset's.

    Raises:
        UsageError: there is no such dataset, or such a file already.
    """
    kind = str(read_json(workspace.dataset(dataset) / "ledger.json", kind="ledger").get("type"))
    name = checked_name(name or dataset, what="recipe")
    path = workspace.root / f"{name}.yaml"
    if path.exists():
        raise UsageError("there is a recipe already", where=str(path), cure="Give another --name.")
    is_builtin = model == "builtin"
    is_directory = Path(model).expanduser().is_dir()
    shown = os.path.relpath(Path(model).expanduser(), workspace.root) if is_directory else model
    text = _OF_DATASET.format(
        name=name,
        name_value=scalar(name),
        file=path.name,
        dataset=dataset,
        dataset_value=scalar(dataset),
        what=f"of type {kind}",
        model=scalar(shown),
        method=_METHODS.get(kind, "sft"),
        adapter="{kind: full}" if is_builtin else "{kind: lora, r: 16}",
        retention="builtin:retention" if is_builtin else "builtin:general",
    )
    write_text(path, text)
    return path


def _named_after(directory: Path) -> str:
    """Return the directory's name in the letters a name may have."""
    letters = re.sub(r"[^a-z0-9._-]+", "-", directory.resolve().name.lower())
    return letters.strip(".-_") or "recipe"


def _recipe(directory: Path, name: str, task: str, data: list[Path], model: str) -> str:
    local = Path(model).expanduser()
    is_directory = local.is_dir()
    builtin = model == "builtin"
    paths = [os.path.relpath(file, directory) for file in data] or ["raw/*.jsonl"]
    return _RECIPE.format(
        name=name,
        name_value=scalar(name),
        gate=f"temper eval {name} --gate",
        contradictions="    - contradictions: {}           # one question, two short answers\n"
        if task in ("classify", "json")
        else "",
        model=scalar(os.path.relpath(local, directory) if is_directory else model),
        model_comment="                   # the small model that ships with welltempered"
        if builtin
        else "",
        sources="\n".join(f"    - path: {scalar(path)}" for path in paths),
        general="#   temper curate general.yaml    rows to replay → datasets/general\n"
        if builtin
        else "",
        train=_TRAIN_BUILTIN if builtin else _TRAIN,
        retention="builtin:retention" if builtin else "builtin:general",
        abilities="ten abilities it should keep"
        if builtin
        else "nine abilities it should keep; docs/suites.md",
    )


def _suite(name: str, task: str) -> str:
    kind = TASKS[task]
    return _SUITE.format(
        name_value=scalar(name),
        data=scalar(f"../datasets/{name}/current/test.parquet"),
        examples=scalar(f"../datasets/{name}/current/validation.parquet"),
        scorer=kind.scorer,
        about=kind.about,
        max_new_tokens=kind.max_new_tokens,
    )
