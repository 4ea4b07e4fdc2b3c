"""What the tests of methods that learn from preferences share."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from train.reporter import Silent
from workspace.jobs import run_job

GOLDEN = Path(__file__).with_name("golden_losses.json")
WORDS = ["card", "refund", "order", "late", "broken", "happy", "angry", "login", "password", "plan"]


def pair(number: int, **changes: Any) -> dict[str, Any]:
    """A prompt of three words; the better answer is an angry one."""
    words = [WORDS[number % 10], WORDS[number // 10 % 10], WORDS[(number * 7 + 3) % 10]]
    return {
        "id": f"pair-{number}",
        "prompt": [{"role": "user", "content": " ".join(words)}],
        "chosen": [{"role": "assistant", "content": f"angry {words[0]}"}],
        "rejected": [{"role": "assistant", "content": f"happy {words[0]}"}],
        "meta": {"source": "pairs.jsonl", "row": number},
        **changes,
    }


def golden(name: str) -> list[float]:
    """The losses of a trajectory that was checked and kept."""
    found: list[float] = json.loads(GOLDEN.read_text())[name]
    return found


def build(bench: Any, train: dict[str, Any]) -> Any:
    """Return trl's trainer for a recipe, not yet run."""
    from transformers import AutoTokenizer

    from evalsuite.models.load import load_model, load_with_reward_head
    from train.checkpoints import CheckpointStore
    from train.methods import METHODS
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer

    prepared = bench.prepare(train)
    is_reward = METHODS[prepared.plan.method["kind"]].makes == "reward"
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(prepared, store, job, 0, "cpu", "float32", lambda report: None)
        tokenizer = AutoTokenizer.from_pretrained(bench.model)
        base = load_with_reward_head(bench.model, seed=0) if is_reward else load_model(bench.model)
        return build_trainer(base, tokenizer, request)


def disturb(model: Any) -> None:
    """Move all trained weights, so that adapters, which begin at zero, count."""
    import torch

    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))


def likelihoods(model: Any, one: Any) -> Any:
    """Log-probabilities of the tokens of a sequence that carry loss; shape (tokens,)."""
    import torch

    ids = torch.tensor(one.input_ids[None].astype("int64"))
    with torch.no_grad():
        logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    picked = logs[torch.arange(len(logs)), ids[0, 1:]]
    return picked[torch.tensor(one.loss_mask[1:])]


def first_loss(trainer: Any) -> float:
    """The loss of the first micro-batch, of one for the step."""
    from train.run import _quiet_libraries

    batch = next(iter(trainer.get_train_dataloader()))
    trainer.current_gradient_accumulation_steps = 1
    with _quiet_libraries():
        return float(trainer.training_step(trainer.model, batch))


def metrics(bench: Any) -> list[dict[str, Any]]:
    """What the newest job told of each step."""
    newest = max(bench.workspace.jobs.glob("*/events.jsonl"))
    events = [json.loads(line) for line in newest.read_text().splitlines()]
    return [event for event in events if event["kind"] == "metrics"]


class StopAfter(Silent):
    """Asks the job to stop after a step, as a signal would."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, report: Any) -> None:
        if report.step == self.at:
            signal.raise_signal(signal.SIGTERM)


def resumes_bit_for_bit(bench: Any, losses: Any, train: dict[str, Any]) -> bool:
    """Train straight, then stopped and resumed; return whether losses and weights are equal."""
    import shutil

    import pytest

    from workspace.errors import Stopped

    straight = bench.train(train)
    wanted = losses(straight)
    shutil.move(straight, bench.root / "straight")
    with pytest.raises(Stopped):
        bench.train(train, reporter=StopAfter(3))
    (run,) = bench.workspace.runs.iterdir()
    assert bench.resume(run) == run
    names = [path.name for path in (run / "model").glob("*.safetensors")]
    assert names and not [path for path in (run / "model").iterdir() if path.is_dir()]
    return losses(run) == wanted and all(
        (run / "model" / name).read_bytes()
        == (bench.root / "straight" / "model" / name).read_bytes()
        for name in names
    )
