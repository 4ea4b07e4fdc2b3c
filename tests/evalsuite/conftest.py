"""A random two-layer Llama with a byte tokenizer, for the engine's tests: real paths, quickly."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|im_end|>"
    "{% endgeneration %}{% else %}{{ message.content }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny_model(path: Path, *, seed: int = 0, template: str = TEMPLATE) -> Path:
    """Write a model directory with random weights and return it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<pad>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<|im_end|>"
    )
    fast.chat_template = template
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        tie_word_embeddings=True, pad_token_id=0, bos_token_id=None, eos_token_id=2,
        initializer_range=0.3,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    fast.save_pretrained(path)
    return path


def make_adapter(
    base: Path, path: Path, *, seed: int = 1, active: bool = True, tokens: bool = False
) -> Path:
    """Write a LoRA adapter and return its directory.

    Args:
        base: the model it is for.
        path: where to write.
        seed: of its random weights.
        active: False leaves it without effect.
        tokens: train two token embeddings too, as tied embeddings need for new tokens.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM",
        trainable_token_indices={"embed_tokens": [10, 11]} if tokens else None,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers an old way
        tuned = get_peft_model(model, config)
    for name, weight in tuned.named_parameters():
        if active and ("lora_B" in name or "token_adapter" in name):
            torch.nn.init.normal_(weight, std=0.3)
    tuned.save_pretrained(path)
    return path


SUITE = """\
schema_version: 1
name: {name}
purpose: {purpose}
margin: 0.5
min_items: 10
tasks:
  - name: {name}-write
    kind: generation
    data: items.jsonl
    prompt: "{name} {{{{ question }}}}"
    gold: "{{{{ answer }}}}"
    scorer: contains
    max_new_tokens: 6
    few_shot: {{data: examples.jsonl, count: 2}}
  - name: {name}-choose
    kind: choice
    data: items.jsonl
    prompt: "{name} {{{{ question }}}}"
    choices: "{{{{ options }}}}"
    gold: "{{{{ options[0] }}}}"
  - name: {name}-read
    kind: perplexity
    data: items.jsonl
    text: "{name} {{{{ question }}}}"
"""


def write_suites(directory: Path, count: int = 24) -> list[Path]:
    """Write a target and a retention suite, one task of each kind, and return their paths."""
    rng = random.Random(0)
    directory.mkdir(parents=True, exist_ok=True)
    for name, size in (("items", count), ("examples", 4)):
        rows = [
            {
                "id": f"{name}-{number}",
                "question": "".join(rng.choices("abcdefgh 12", k=rng.randint(4, 20))),
                "answer": rng.choice("abcdefgh"),
                "options": ["xy", "z", f"w{number}"],
            }
            for number in range(size)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (directory / f"{name}.jsonl").write_text(lines)
    paths = []
    for name, purpose in (("gain", "target"), ("keep", "retention")):
        path = directory / f"{name}.yaml"
        path.write_text(SUITE.format(name=name, purpose=purpose))
        paths.append(path)
    return paths


def write_run(directory: Path, base: Path, adapter: Path) -> Path:
    """Write what a training run leaves behind."""
    from evalsuite.models import ChatTokenizer
    from evalsuite.models.source import directory_source

    tokenizer = ChatTokenizer.from_dir(base)
    shutil.copytree(adapter, directory / "model")
    record = {
        "schema_version": 1,
        "id": directory.name,
        "name": "mine",
        "adapter": "lora",
        "base": directory_source(base, name="tiny").as_record(),
        "model": "model",
        "tokenizer_digest": tokenizer.digest,
        "template_digest": tokenizer.template_digest,
        "eos_ids": sorted(tokenizer.eos_ids),
    }
    (directory / "run.json").write_text(json.dumps(record))
    return directory


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model's directory."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def tiny_adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter on `tiny_model` that changes its answers."""
    return make_adapter(tiny_model, tmp_path_factory.mktemp("tiny") / "adapter")


@pytest.fixture(scope="session")
def model_maker() -> Callable[..., Path]:
    """`make_tiny_model`, for tests that need another."""
    return make_tiny_model


@pytest.fixture(scope="session")
def adapter_maker() -> Callable[..., Path]:
    """`make_adapter`, for tests that need another."""
    return make_adapter


@pytest.fixture(scope="session")
def suite_writer() -> Callable[..., list[Path]]:
    """`write_suites`."""
    return write_suites


@pytest.fixture(scope="session")
def run_writer() -> Callable[..., Path]:
    """`write_run`."""
    return write_run
