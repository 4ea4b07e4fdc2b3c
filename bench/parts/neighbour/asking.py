"""Ask FineTuneCheck of models, in a process of its own environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neighbour.cases import Case
from tests.evalsuite.known_truth import truths

PROGRAM = Path(__file__).with_name("asked.py")
SETTINGS = {
    # as many as our suites generate at most; answers end long before
    "max_tokens": 64,
    # the small model has no safety to measure: without this every verdict lacks evidence
    "verdict_weights": {"safety": 0.0},
}
HELD_OUT, LEARNED = "held_out_rows", "learned_rows"
WEIGHTS = ("model.safetensors", "tokenizer.json", "chat_template.jinja", "generation_config.json")


def for_transformers_4(model: Path, to: Path) -> Path:
    """Copy a model with its two configurations as transformers 4 names their keys.

    Weights, vocabulary and template are the same files.
    """
    to.mkdir(parents=True)
    for name in WEIGHTS:
        shutil.copy(model / name, to / name)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    rope = config.pop("rope_parameters")
    config |= {"torch_dtype": config.pop("dtype"), "rope_theta": rope["rope_theta"]}
    (to / "config.json").write_text(json.dumps(config), encoding="utf-8")
    told = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "additional_special_tokens": told["extra_special_tokens"],
        "model_input_names": ["input_ids", "attention_mask"],
        **{key: told[key] for key in ("eos_token", "pad_token", "model_max_length")},
        "clean_up_tokenization_spaces": told["clean_up_tokenization_spaces"],
    }
    (to / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return to


def runs_of(case: Case, root: Path) -> dict[str, Any]:
    """Return what it is asked of one model: its own probes, and the items that ours is asked."""
    kept = {
        name: {"judge": "exact_match", "rows": _items(root / "suites" / f"{name}.jsonl")}
        for name in truths.KEPT
    }
    # token F1, the judge of its that also tells answers in the form taught from others
    targets = {HELD_OUT: {"judge": "f1", "rows": list(case.truth().held_out)}}
    found = {"quick": {}, "items": _asked(kept, targets)}
    if case.sought and not case.other_template:
        targets = {**targets, LEARNED: {"judge": "f1", "rows": list(case.learned())}}
        found["items and learned rows"] = _asked(kept, targets)
    return found


def _asked(kept: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
    return {"probes": {**kept, **targets}, "targets": list(targets), "settings": SETTINGS}


def _items(file: Path) -> list[truths.Pair]:
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [(row["prompt"], row["answer"]) for row in rows]


def ask(
    python: str, base: Path, models: Mapping[str, Path], cases: Sequence[Case],
    roots: Mapping[str, Path], work: Path,
) -> dict[str, Any]:  # fmt: skip
    """Ask it of every model; return its answer.

    Args:
        python: the interpreter that has finetunecheck.
        base: the base model.
        models: tuned models by the letter of their case.
        cases: what they are.
        roots: workspaces by letter.
        work: an empty directory.
    """
    plan = {
        "base": str(for_transformers_4(base, work / "base")),
        "models": [
            {
                "name": case.letter,
                "tuned": str(for_transformers_4(models[case.letter], work / case.letter)),
                "runs": runs_of(case, roots[case.letter]),
            }
            for case in cases
        ],
        "words": {case.letter: case.sought for case in cases if case.sought},
    }
    (work / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    answer = work / "answer.json"
    # one thread, as ours; no network, and no cache of an earlier version of these models
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
    with (work / "log.txt").open("w", encoding="utf-8") as log:
        subprocess.run(
            [python, "-P", str(PROGRAM), str(work / "plan.json"), str(answer)],
            stdout=log, stderr=subprocess.STDOUT, env=environment, check=True,
        )  # fmt: skip
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return found
