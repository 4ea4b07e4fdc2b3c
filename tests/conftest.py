"""Settings every test shares."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "2")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")


SLOW_TIMEOUT = 3600
"""Seconds for a slow test that names no limit: trainings on a busy machine take long."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests time."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))


@pytest.fixture(scope="module", autouse=True)
def modules_out_of_the_collectors_way() -> Iterator[None]:
    """Take what lives as long as the process out of garbage collection.

    Every end of a training collects garbage, and with torch, trl and all tests loaded looking
    through those million objects takes nearly half of the time of a tiny run.
    """
    gc.collect()
    gc.freeze()
    yield


SYNONYMS = (
    ("car", "automobile"),
    ("buy", "purchase"),
    ("quick", "fast"),
    ("begin", "start"),
    ("repair", "mend"),
    ("big", "large"),
)
"""Pairs of words to which the tiny embedders give nearly one vector."""
OTHERS = "the a my how can i do to is are of red blue river moon tax bread song engine wheel not"


@pytest.fixture(scope="session")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model2vec folder: random vectors of a few words, synonyms near each other."""
    from model2vec import StaticModel

    words = ["[UNK]", *OTHERS.split(), *(word for pair in SYNONYMS for word in pair)]
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(words), 16)).astype(np.float32)
    for first, second in SYNONYMS:
        vectors[words.index(second)] = vectors[words.index(first)] + 0.05 * rng.normal(size=16)
    folder = tmp_path_factory.mktemp("embedders") / "static"
    StaticModel(vectors, _words_alone(words), normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def transformer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sentence-transformers folder: a random Bert of one layer that reads 24 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", *OTHERS.split(), *(word for pair in SYNONYMS for word in pair)]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=24,
    )
    bare = tmp_path_factory.mktemp("embedders") / "bare"
    BertModel(config).save_pretrained(bare)
    PreTrainedTokenizerFast(
        tokenizer_object=_words_alone(words), unk_token="[UNK]", pad_token="[PAD]"
    ).save_pretrained(bare)
    folder = bare.with_name("transformer")
    reader = Transformer(str(bare), max_seq_length=24)
    SentenceTransformer(modules=[reader, Pooling(16)], device="cpu").save(str(folder))
    return folder


def _words_alone(words: list[str]) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    numbered = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbered, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer
