from typing import Any

import torch
from transformers import AutoTokenizer

from evalsuite.builtin import model_path
from evalsuite.builtin.build_model import new_model

WORDS = "moon king apple river stone table queen"


def test_placed_heads_look_back_one_token_and_find_words_again() -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(model_path())
    model = new_model(tokenizer, seed=0)
    model.set_attn_implementation("eager")
    ids = torch.tensor([tokenizer(f"Repeat: {WORDS} {WORDS}")["input_ids"]])
    with torch.inference_mode():
        first, second = model(ids, output_attentions=True).attentions[:2]
    for group in (0, 2):
        assert first[0, group].diagonal(-1).mean() > 0.5
    # The backwards head of the last word looks at that word: here or where it stood before.
    last, earlier = ids.shape[1] - 1, ids.shape[1] - 1 - len(WORDS.split())
    backwards = second[0, 4, last]
    assert backwards[last] + backwards[earlier] > 0.5
