"""From a folder (or a hub name) to the embedder that it holds."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from evalsuite.embedding.embedder import Embedder
from evalsuite.models.section import ModelSection
from evalsuite.models.source import hub_directory, is_hub_name
from workspace.errors import ModelError
from workspace.files import hash_file
from workspace.text import plain

_COUNTED = ("*.safetensors", "*.json", "*.txt", "*.model")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_OWN_MODULES = "sentence_transformers."
_WAY_OUT = (
    "Give the folder that StaticModel.save_pretrained (model2vec) or SentenceTransformer.save "
    "made, a hub name such as minishlab/potion-base-8M, or `lexical`."
)


class Kind(StrEnum):
    """What made a folder."""

    MODEL2VEC = "model2vec"
    SENTENCE_TRANSFORMERS = "sentence-transformers"


@dataclass(frozen=True)
class EmbedderFolder:
    """An embedder that was found and not yet loaded."""

    path: Path
    name: str
    """As it was given, with the commit where it came from the hub."""
    kind: Kind
    digest: str
    """SHA-256 of everything a vector depends on."""

    @property
    def is_installed(self) -> bool:
        """Whether what loads it is there."""
        return importlib.util.find_spec(self.kind.value.replace("-", "_")) is not None

    def missing(self, cause: str = "") -> ModelError:
        """Return the error for a library that is not installed."""
        return ModelError(
            f"{self.kind} is needed for this embedder and is not installed",
            where=self.name,
            cause=cause,
            cure="pip install 'welltempered[semantic]', or use `lexical`, which needs nothing.",
        )


def find_embedder(name: str, base_dir: Path) -> EmbedderFolder:
    """Return what a folder holds without loading it. Arguments and errors as `open_embedder`."""
    path, name = _located(name, base_dir)
    kind = folder_kind(path)
    return EmbedderFolder(path, name, kind, _digest(path, kind))


def open_embedder(name: str, base_dir: Path) -> Embedder:
    """Return the embedder in a folder, downloading it from the hub if it is named so.

    Args:
        name: a folder relative to `base_dir`, or `owner/name` on the hub, with `@revision` for a
            branch, tag or commit.
        base_dir: what a relative path is relative to.

    Raises:
        ModelError: no such folder, one that holds no embedder or is damaged, or the extra
            `semantic` is not installed.
    """
    found = find_embedder(name, base_dir)
    try:
        if found.kind is Kind.MODEL2VEC:
            from evalsuite.embedding.static import StaticEmbedder

            return StaticEmbedder.load(found.path, found.name, found.digest)
        from evalsuite.embedding.transformer import TransformerEmbedder

        return TransformerEmbedder.load(found.path, found.name, found.digest)
    except ImportError as error:
        raise found.missing(f"{error}.") from error


def _located(name: str, base_dir: Path) -> tuple[Path, str]:
    """Return the folder, and the name with the commit that was found."""
    folder = base_dir / Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve(), name
    model, _, revision = name.partition("@")
    if not is_hub_name(ModelSection(path=model), base_dir):
        raise ModelError("there is no such folder with an embedder", where=name, cure=_WAY_OUT)
    path, commit = hub_directory(model, revision or None)
    return path, f"{model}@{commit[:12]}"


def folder_kind(folder: Path) -> Kind:
    """Tell by its files what made a folder.

    Raises:
        ModelError: it holds no embedder, or one that only runs with code or pickles of its own.
    """
    modules = _modules(folder)
    if (folder / "tokenizer.json").is_file() and "embeddings" in _tensors(folder):
        return Kind.MODEL2VEC
    if not modules:
        found = ", ".join(sorted(plain(entry.name, 40) for entry in folder.iterdir())[:6])
        bare = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
        raise ModelError(
            "this folder holds no embedder",
            where=str(folder),
            cause="It is a model without a word on how its tokens become one vector: it has no "
            "modules.json."
            if bare
            else f"It has {found or 'nothing'}; expected a modules.json, or a tokenizer.json and "
            "`embeddings` in model.safetensors.",
            cure=_WAY_OUT,
        )
    for module in modules:
        _check_module(folder, module)
    return Kind.SENTENCE_TRANSFORMERS


def _modules(folder: Path) -> list[Any]:
    """Return what modules.json lists; nothing where there is none."""
    file = folder / "modules.json"
    if not file.is_file():
        return []
    try:
        modules = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(
            "this modules.json is not JSON", where=str(file), cause=f"{error}.", cure=_WAY_OUT
        ) from error
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise ModelError("this modules.json is no list of modules", where=str(file), cure=_WAY_OUT)
    return modules


def _check_module(folder: Path, module: dict[str, Any]) -> None:
    """Refuse a module that is code of its own, lies elsewhere, or has only pickled weights."""
    kind, place = str(module.get("type")), folder / str(module.get("path", ""))
    if not kind.startswith(_OWN_MODULES):
        raise ModelError(
            "this embedder runs code of its own",
            where=str(folder / "modules.json"),
            cause=f"A module is {plain(kind, 80)}; only those of sentence-transformers are loaded.",
            cure=_WAY_OUT,
        )
    if not place.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            "a module of this embedder lies outside its folder",
            where=str(folder / "modules.json"),
            cause=f"Its path is {plain(str(module.get('path')), 80)}.",
        )
    pickled = [file for pattern in _PICKLES for file in place.glob(pattern)]
    if pickled and not any(place.glob("*.safetensors")):
        raise ModelError(
            "this embedder has no safetensors weights",
            where=str(place),
            cause=f"{plain(pickled[0].name, 80)} is a pickle, which runs code when loaded.",
            cure="Convert it: SentenceTransformer(DIR).save(OUT) writes safetensors.",
        )


def _tensors(folder: Path) -> set[str]:
    """Return the names of the tensors in model.safetensors; none where it is missing.

    Raises:
        ModelError: it is damaged.
    """
    file = folder / "model.safetensors"
    if not file.is_file():
        return set()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            return set(tensors.keys())
    except SafetensorError as error:
        raise damaged(file, error) from error


def damaged(where: Path, error: Exception) -> ModelError:
    """Return the error for a folder whose files cannot be loaded."""
    return ModelError(
        "this embedder cannot be loaded",
        where=str(where),
        cause=plain(str(error).split("\n")[0], 300),
        cure="Copy or download it again; an unfinished copy looks like this.",
    )


def _digest(folder: Path, kind: Kind) -> str:
    """Return one SHA-256 over the weights, configs and tokenizer of a folder and its modules."""
    total = hashlib.sha256(f"{kind}\n".encode())
    files = {file for pattern in _COUNTED for file in folder.rglob(pattern)}
    for file in sorted(files):
        name = file.relative_to(folder).as_posix()
        total.update(f"{name}\0{hash_file(file)}\n".encode())
    return total.hexdigest()
