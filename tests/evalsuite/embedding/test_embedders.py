"""Embedders: what a folder gives, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.embedding import Embedder, open_embedder, unit_length
from evalsuite.embedding.lexical import Lexical
from evalsuite.similarity.tokens import tokenise
from workspace.errors import ModelError


def learnt(*texts: str) -> Lexical:
    return Lexical.learn(tokenise(pl.Series(texts, dtype=pl.String)))


@pytest.fixture(scope="session", params=["static", "transformer", "lexical"])
def embedder(
    request: pytest.FixtureRequest, static_folder: Path, transformer_folder: Path
) -> Embedder:
    if request.param == "lexical":
        return learnt("the red car", "a blue river", "the moon")
    folder = static_folder if request.param == "static" else transformer_folder
    return open_embedder(folder.name, folder.parent)


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(
        st.one_of(st.text(max_size=40), st.sampled_from(["the red car", " \n"])), max_size=6
    )
)
def test_vectors_have_unit_length_or_are_zero(embedder: Embedder, texts: list[str]) -> None:
    vectors = embedder.encode(texts)
    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()
    for text, length in zip(texts, lengths, strict=True):
        if not text.strip():
            assert length == 0
        if text == "the red car":
            assert length > 0.99


def test_a_vector_does_not_depend_on_its_neighbours(embedder: Embedder) -> None:
    alone = embedder.encode(["buy a car"])[0]
    among = embedder.encode(["the moon", "", "buy a car", "river " * 50])[2]
    assert np.abs(alone - among).max() < 1e-6


def test_synonyms_are_near_for_meaning_and_strangers_for_words(static_folder: Path) -> None:
    texts = ["buy big car", "purchase large automobile", "river moon tax"]
    meant = open_embedder(str(static_folder), Path())
    one, other, third = meant.encode(texts)
    assert meant.semantic
    assert one @ other > 0.98
    assert one @ third < 0.7
    words = learnt(*texts)
    assert not words.semantic
    one, other, _ = words.encode(texts)
    assert abs(one @ other) < 0.2


def test_a_digest_follows_the_weights_and_config(static_folder: Path, tmp_path: Path) -> None:
    first = open_embedder(str(static_folder), tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(static_folder, copy)
    assert open_embedder("copy", tmp_path).digest == first.digest
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "max_length": 99}))
    assert open_embedder("copy", tmp_path).digest != first.digest
    one, two = (learnt(text) for text in ("a red car", "a blue moon"))
    assert one.digest != two.digest
    assert one.digest == learnt("a red car").digest


def test_what_is_read_of_a_text_is_known(static_folder: Path, transformer_folder: Path) -> None:
    assert open_embedder(str(static_folder), Path()).max_tokens is None
    reader = open_embedder(str(transformer_folder), Path())
    assert reader.max_tokens == 24
    long = "river " * 24
    same, other = reader.encode([long + "moon", long + "tax"])
    assert np.abs(same - other).max() < 1e-6


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        open_embedder(str(folder), Path())
    return str(caught.value)


def test_a_folder_of_neither_kind_says_what_would_be(
    tmp_path: Path, transformer_folder: Path
) -> None:
    assert "It has nothing; expected a modules.json" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / "missing")
    bare = transformer_folder.with_name("bare")
    assert "has no modules.json" in refused(bare)
    assert "SentenceTransformer.save" in refused(bare)


def test_code_pickles_and_outside_paths_are_refused(
    tmp_path: Path, transformer_folder: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(transformer_folder, folder)
    modules = json.loads((folder / "modules.json").read_text())

    def changed(**module: str) -> str:
        (folder / "modules.json").write_text(json.dumps([{**modules[0], **module}, *modules[1:]]))
        return refused(folder)

    assert "code of its own" in changed(type="custom.Module")
    assert "outside its folder" in changed(path="../elsewhere")
    (folder / "modules.json").write_text("[{")
    assert "not JSON" in refused(folder)
    (folder / "modules.json").write_text('{"a": 1}')
    assert "no list of modules" in refused(folder)
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    assert "a pickle" in refused(folder)


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_damaged_weights_are_told(
    kind: str, tmp_path: Path, static_folder: Path, transformer_folder: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(static_folder if kind == "static" else transformer_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    assert "cannot be loaded" in refused(folder)
    shutil.copy((static_folder if kind == "static" else transformer_folder) / weights.name, weights)
    (folder / "tokenizer.json").write_text("{}")
    assert "cannot be loaded" in refused(folder)


def test_without_the_extra_the_way_out_is_named(
    static_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model2vec", None)
    monkeypatch.delitem(sys.modules, "evalsuite.embedding.static", raising=False)
    assert "pip install 'welltempered[semantic]'" in refused(static_folder)


def test_a_hub_name_that_is_not_here_says_so_offline(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not on this machine"):
        open_embedder("nobody/nothing@main", tmp_path)


def test_what_is_not_finite_is_zero() -> None:
    values = np.array([[np.nan, 1.0], [np.inf, 1.0], [1e300, 0.0], [0.0, 0.0]])
    assert unit_length(values).tolist() == [[0, 0], [0, 0], [1, 0], [0, 0]]


def test_importing_loads_no_library_of_the_extra() -> None:
    code = (
        "import sys, evalsuite.embedding; "
        "heavy = {'torch', 'transformers', 'model2vec', 'sentence_transformers', 'polars'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
