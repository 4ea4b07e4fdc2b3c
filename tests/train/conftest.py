"""A real, tiny, random Llama with a BPE tokenizer, and datasets to train it on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.models import ModelSection
from train.recipe import TrainSection
from workspace.jobs import run_job
from workspace.layout import Workspace
from workspace.recipe import Recipe, load_recipe

SECTIONS = {"model": ModelSection, "train": TrainSection}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message.content }}<|im_end|>{% endif %}{{ '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QUICK = {"batch_size": 8, "steps": 6, "learning_rate": 0.01, "rehearsal": "off"}
"""What most tests train with: each has a workspace of its own, and would rehearse again."""
WORDS = ["card", "refund", "order", "late", "broken", "happy", "angry", "login", "password", "plan"]


def chats(count: int, *, kind: str = "train", start: int = 0) -> list[dict[str, Any]]:
    """Rows whose lengths differ, with ids that say where they are from."""
    rows = []
    for number in range(start, start + count):
        words = [WORDS[(number * 7 + i * 3) % len(WORDS)] for i in range(1 + number % 6)]
        answer = " ".join(reversed(words))
        rows.append(
            {
                "id": f"{kind}-{number}",
                "messages": [
                    {"role": "user", "content": f"{kind}: " + " ".join(words)},
                    {"role": "assistant", "content": answer},
                ],
                "meta": {"source": f"{kind}-{number % 2}.jsonl", "row": number},
            }
        )
    return rows


def write_dataset(directory: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as `curate` publishes them."""
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), directory / "train.parquet")
    digest = hashlib.sha256((directory / "train.parquet").read_bytes()).hexdigest()
    (directory / "ledger.json").write_text(json.dumps({"schema_version": 1, "digest": digest}))
    return directory


def make_tiny_model(directory: Path, *, template: str = TEMPLATE) -> Path:
    """Write a random Llama of 2 layers with tied embeddings."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [" ".join(WORDS) + " user assistant system train: replay:\n"] * 3,
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=["<pad>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        chat_template=template,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(fast),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            eos_token_id=fast.eos_token_id,
            pad_token_id=fast.pad_token_id,
            bos_token_id=None,
        )
    )
    model.save_pretrained(directory)
    fast.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory; do not change it."""
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def tiny_llava(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA's directory; do not change it."""
    from tests.train.pictured import make_llava

    return make_llava(tmp_path_factory.mktemp("model") / "llava", tiny_model)


@pytest.fixture(scope="session")
def tiny_qwen(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2-VL's directory; do not change it."""
    from tests.train.pictured import make_qwen

    return make_qwen(tmp_path_factory.mktemp("model") / "qwen", tiny_model)


@dataclass
class Bench:
    """A workspace with a dataset, a replay dataset and a recipe."""

    root: Path
    model: Path

    chats = staticmethod(chats)

    def dataset(self, name: str, rows: Sequence[dict[str, Any]]) -> Path:
        """Make (or replace) a dataset of the workspace."""
        current = self.root / "datasets" / name / "current"
        text = json.dumps(list(rows), default=repr)  # images are bytes
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        path = write_dataset(current.parent / digest, rows)
        current.unlink(missing_ok=True)
        current.symlink_to(digest)
        return path

    def prepare(self, train: dict[str, Any] | None = None) -> Any:
        """Plan without training."""
        from train.inputs import find_inputs

        return find_inputs(self.recipe(train), self.workspace).prepare()

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    def recipe(self, train: dict[str, Any] | None = None, overrides: Sequence[str] = ()) -> Recipe:
        """Write `temper.yaml` and read it."""
        document = {
            "name": "toy",
            "model": {"path": str(self.model)},
            "train": {**QUICK, **(train or {})},
        }
        (self.root / "temper.yaml").write_text(json.dumps(document))
        return self.load(self.root / "temper.yaml", overrides)

    @staticmethod
    def load(path: Path, overrides: Sequence[str]) -> Recipe:
        return load_recipe(path, SECTIONS, overrides)

    def train(self, train: dict[str, Any] | None = None, **options: Any) -> Path:
        """Train in this process and return the run."""
        from train.run import run_train

        recipe = self.recipe(train)
        with run_job(self.workspace, "train", ["temper", "train"]) as job:
            return run_train(recipe, self.workspace, job, **options)

    def resume(self, run: Path, **options: Any) -> Path:
        """Resume in this process."""
        from train.resume import open_run, resume_train

        reporter = options.pop("reporter", None)
        opened = open_run(run, self.workspace, self.load, reporter, **options)
        argv = ["temper", "resume"]
        with run_job(self.workspace, "train", argv, job_id=opened.record["job"]) as job:
            return resume_train(opened, job, reporter)


@pytest.fixture(scope="session")
def make_bench() -> Callable[[Path, Path], Bench]:
    """Make a workspace with 37 rows to learn and 20 to replay, for another model."""
    return _bench


def _bench(root: Path, model: Path) -> Bench:
    made = Bench(root, model)
    made.dataset("toy", chats(37))
    made.dataset("general", chats(20, kind="replay"))
    return made


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Bench:
    """A workspace with 37 rows to learn and 20 to replay."""
    return _bench(tmp_path, tiny_model)


@pytest.fixture
def model_with(tmp_path: Path) -> Callable[[str], Path]:
    """Make a tiny model with another chat template."""
    return lambda template: make_tiny_model(tmp_path / "other-model", template=template)


@pytest.fixture
def losses() -> Callable[[Path], list[float]]:
    """Return a run's losses in step order, from the last attempt of each step."""

    def read(run: Path) -> list[float]:
        from train.record import read_record
        from workspace.events import last_attempts, read_events

        job = run.parent.parent / "jobs" / read_record(run)["job"]
        events, _ = read_events(job / "events.jsonl")
        return [event["loss"] for event in last_attempts(events)]

    return read


class Zygote:
    """A process with torch and trl loaded, which forks a fresh trainer for each request."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("zygote.py")
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def train(self, root: Path, *, each: bool = False) -> int:
        """Start `temper train` in a fork; return its process id."""
        return int(self._ask({"do": "train", "root": str(root), "each": each}))

    def resume(self, run: Path, *, each: bool = False) -> int:
        """Start `temper resume` in a fork; return its process id."""
        request = {"do": "resume", "root": str(run.parent.parent), "run": str(run)}
        return int(self._ask(request))

    def command(self, root: Path, *arguments: str) -> int:
        """Start `temper` in a directory, in a fork; return its process id."""
        return int(self._ask({"do": "command", "root": str(root), "arguments": arguments}))

    def wait(self, pid: int) -> int:
        """Return the exit code of a fork; minus the signal if one killed it."""
        return int(self._ask({"do": "wait", "pid": pid}))

    def modules(self) -> set[str]:
        """Return the top-level modules that training and evaluating have loaded."""
        return set(self._ask({"do": "modules"}))

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Forks of a process that has imported everything already."""
    made = Zygote()
    yield made
    made.close()


@pytest.fixture(scope="session")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A finished LoRA run with a trained token row (`tests.train.shipping.Yard`); read only."""
    from tests.train.shipping import Yard, train

    root = tmp_path_factory.mktemp("yard")
    adapter = {"kind": "lora", "r": 4, "trainable_tokens": ["<|im_end|>"]}
    return Yard(root, train(root, tiny_model, {"adapter": adapter}))


@pytest.fixture
def yard(trained: Any, tmp_path: Path) -> Any:
    """A copy of it, to be changed."""
    import shutil

    from tests.train.shipping import Yard

    root = tmp_path / "workspace"
    shutil.copytree(trained.root, root, symlinks=True)
    return Yard(root, root / "runs" / trained.run.name)
