"""Makes the built-in model from nothing.

    python -m evalsuite.builtin.build_model OUT [--share 0.1] [--seed 0]

Writes the model directory OUT: weights, tokenizer, chat template, scores and card. One core, 30 to
60 minutes; a fifth faster when the allocator keeps its memory:
`MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000`.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch

from evalsuite.builtin.abilities import ABILITIES, Split, draw_distinct
from evalsuite.builtin.card import write_card
from evalsuite.builtin.fitting import Schedule, fit
from evalsuite.builtin.initial import place_heads
from evalsuite.builtin.pretraining import BROAD, HARD, Mixture
from evalsuite.builtin.scoring import answer
from evalsuite.builtin.tokens import VOCABULARY, train_tokenizer, wrap_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CONTEXT = 1024
STAGES: tuple[tuple[Schedule, Mixture], ...] = (
    (Schedule(steps=500, first=1.0, last=1.0), BROAD),
    (Schedule(steps=2000, first=1.0, last=0.01), HARD),
)
"""A plateau on everything, then a long fall on what is hard; each with a fresh optimizer."""


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> Any:
    """An untrained Llama of 2.4 million parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=5,
        num_attention_heads=6,
        num_key_value_heads=3,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    place_heads(model, torch.Generator().manual_seed(seed))
    return model


def save_model(model: Any, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Weights in half precision on disk, `float32` in the configuration, so they load as that."""
    from copy import deepcopy

    from transformers import GenerationConfig

    half = deepcopy(model).to(torch.float16)
    make: Any = GenerationConfig  # untyped in transformers
    half.generation_config = make(
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
        max_new_tokens=64,
    )
    half.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(out)
    config = half.config
    config.dtype = torch.float32
    config.save_pretrained(out)


def quick_scores(model: Any, tokenizer: PreTrainedTokenizerFast, count: int) -> dict[str, float]:
    """Share of right answers per ability on a few retention items."""
    model.eval()
    scores = {}
    for ability in ABILITIES:
        items = list(draw_distinct(ability, Random(1), Split.RETENTION, count))
        answers = answer(model, tokenizer, [item.prompt for item in items], max_new_tokens=24)
        right = sum(a == item.answer for a, item in zip(answers, items, strict=True))
        scores[ability.name] = right / count
    model.train()
    return scores


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Makes the built-in model.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the steps, for a quick look")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--look", type=int, default=250, help="steps between quick scores")
    chosen = parser.parse_args(arguments)

    torch.set_num_threads(1)
    raw = train_tokenizer(chosen.seed)
    tokenizer = wrap_tokenizer(raw)
    model = new_model(tokenizer, chosen.seed)
    start = time.monotonic()

    def look(step: int, loss: float) -> None:
        if step % 20 == 0:
            seconds = time.monotonic() - start
            print(f"step {step} loss {loss:.4f} {seconds:.0f} s", file=sys.stderr, flush=True)
        if step % chosen.look == 0:
            print(quick_scores(model, tokenizer, 60), file=sys.stderr, flush=True)

    for number, (schedule, mixture) in enumerate(STAGES):
        steps = max(1, round(schedule.steps * chosen.share))
        seed = chosen.seed + number
        fit(model, raw, replace(schedule, steps=steps), mixture, seed=seed, on_step=look)
        save_model(model, tokenizer, chosen.out)
    write_card(chosen.out)


if __name__ == "__main__":
    main()
