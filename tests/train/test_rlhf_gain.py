"""The recipe of three stages in examples/methods teaches what its reward model prefers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalsuite.models import ChatTokenizer
from train.stages import read_account

EXAMPLES = Path(__file__).parents[2] / "examples" / "methods"


def answers(model: Any, tokenizer: ChatTokenizer, prompts: Sequence[Any]) -> list[str]:
    """What a model writes, greedily."""
    import torch

    out = []
    for prompt in prompts:
        ids = torch.tensor([tokenizer.encode_prompt(prompt)])
        with torch.no_grad():
            made = model.generate(ids, max_new_tokens=40, do_sample=False)
        out.append(tokenizer.decode(made[0, ids.shape[1] :].tolist()).strip())
    return out


@pytest.mark.slow
def test_the_policy_writes_what_is_preferred_where_its_first_stage_does_not(
    tmp_path: Path,
) -> None:
    """Right answers that end in a full stop, on held-out prompts."""
    from evalsuite.models.load import load_model

    root = tmp_path / "methods"
    shutil.copytree(EXAMPLES, root)
    subprocess.run([sys.executable, "make.py"], cwd=root, check=True)
    for command in ("curate rlhf-choices.yaml", "curate rlhf.yaml", "train rlhf.yaml"):
        call = [sys.executable, "-m", "tui", *command.split()]
        subprocess.run(call, cwd=root, check=True, capture_output=True)
    (file,) = root.glob("jobs/*/stages.json")
    run = root / "runs" / str(read_account(file.parent).entries[-1].run)

    rows = pq.read_table(root / "datasets/rlhf/current/test.parquet").to_pylist()
    wanted = [row["messages"][-1]["content"].removesuffix(".") + "." for row in rows]
    tokenizer = ChatTokenizer.from_dir(run / "model")

    def share(model: Path) -> float:
        made = answers(load_model(model), tokenizer, [row["messages"][:-1] for row in rows])
        return sum(one == other for one, other in zip(made, wanted, strict=True)) / len(rows)

    before, after = share(run / "start"), share(run / "model")
    assert len(rows) >= 90 and after >= before + 0.4, (before, after)
