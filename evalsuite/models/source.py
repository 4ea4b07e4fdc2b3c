"""From what a recipe calls a model to a directory on this disk, with what identifies it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.models.section import ModelSection
from workspace.errors import ModelError
from workspace.files import hash_file

_COUNTED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
_UNCOUNTED = {"scores.json", "trainer_state.json", "manifest.json"}
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model"]
"""What is downloaded: no pickles, no code."""


@dataclass(frozen=True)
class ModelSource:
    """A model directory and what identifies its content."""

    name: str
    """As the recipe says it."""
    path: Path
    digest: str
    """SHA-256 over the names and bytes of weights, config, tokenizer and template."""
    revision: str | None = None
    """The hub's commit."""

    def as_record(self) -> dict[str, Any]:
        """Return it as plain data for a run's record."""
        return {
            "name": self.name,
            "path": str(self.path),
            "digest": self.digest,
            "revision": self.revision,
        }


def resolve_model(section: ModelSection, base_dir: Path) -> ModelSource:
    """Return the directory of the model a recipe names, downloading it from the hub if needed.

    Args:
        section: the recipe's `model`.
        base_dir: what a relative path is relative to.

    Raises:
        ModelError: not a model, or the hub refuses; with the way out.
    """
    if section.path == "builtin":
        from evalsuite.builtin import model_path

        return directory_source(model_path(), name="builtin")
    local = Path(section.path).expanduser()
    if (base_dir / local).is_dir():
        return directory_source((base_dir / local).resolve(), name=section.path)
    if not is_hub_name(section, base_dir):
        raise ModelError(
            "there is no such model directory",
            where=str(base_dir / local),
            cure="Give a directory, a hub name such as Qwen/Qwen3-0.6B, or `builtin`.",
        )
    path, revision = hub_directory(section.path, section.revision)
    return directory_source(path, name=section.path, revision=revision)


def is_hub_name(section: ModelSection, base_dir: Path) -> bool:
    """Tell whether a recipe's model is looked for on the hub: `owner/name`, and no directory."""
    local = Path(section.path).expanduser()
    if section.path == "builtin" or local.is_absolute() or section.path.startswith("."):
        return False
    return section.path.count("/") == 1 and not (base_dir / local).is_dir()


def directory_source(path: Path, *, name: str, revision: str | None = None) -> ModelSource:
    """Return the source for a directory that holds a model.

    Raises:
        ModelError: it holds no config.json or no safetensors weights.
    """
    check_model_directory(path)
    return ModelSource(name=name, path=path, digest=model_digest(path), revision=revision)


def check_model_directory(path: Path) -> dict[str, Any]:
    """Return a model directory's config.

    Raises:
        ModelError: it is not a model that can be loaded safely.
    """
    file = path / "config.json"
    if not file.is_file():
        found = ", ".join(sorted(entry.name for entry in path.iterdir())[:6]) or "nothing"
        raise ModelError(
            "this is not a model directory",
            where=str(path),
            cause=f"It has no config.json; it has {found}.",
            cure="Give the directory that save_pretrained or a download made.",
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(
            "this config.json is not JSON", where=str(file), cause=f"{error}."
        ) from error
    if not any(path.glob("*.safetensors")):
        raise ModelError(
            "this model has no safetensors weights",
            where=str(path),
            cause="Other formats are pickles, which run code when loaded.",
            cure="Convert it: from_pretrained(…).save_pretrained(DIR) writes safetensors.",
        )
    if not isinstance(config, dict):
        raise ModelError("this config.json is not an object", where=str(file))
    return config


def model_digest(path: Path) -> str:
    """Return one SHA-256 over a model directory's weights, config, tokenizer and template."""
    files = {file for pattern in _COUNTED for file in path.glob(pattern)}
    total = hashlib.sha256()
    for file in sorted(files):
        if file.name not in _UNCOUNTED:
            total.update(f"{file.name}\0{hash_file(file)}\n".encode())
    return total.hexdigest()


def hub_directory(name: str, revision: str | None) -> tuple[Path, str]:
    """Download (or find in the cache) a hub model; return its directory and its commit.

    Raises:
        ModelError: the hub refuses; with the way out.
    """
    offline = hub_offline()
    from huggingface_hub import snapshot_download

    try:
        path = Path(
            snapshot_download(
                name, revision=revision, allow_patterns=HUB_FILES, local_files_only=offline
            )
        )
    except Exception as error:
        raise hub_error(name, revision, error) from error
    return path, path.name


def hub_offline() -> bool:
    """Tell whether the hub may not be asked (HF_HUB_OFFLINE). Ask before its library is used."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def hub_error(name: str, revision: str | None, error: Exception) -> ModelError:
    """Say what the hub's refusal means and what to do about it."""
    import errno

    from huggingface_hub import errors

    offline = hub_offline()
    where = f"{name}@{revision}" if revision else name
    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            "this hub model is gated",
            where=where,
            cure="Accept its terms on its page, then export HF_TOKEN=… or `hf auth login`.",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError("this hub model has no such revision", where=where)
    if isinstance(error, errors.RepositoryNotFoundError):
        return ModelError(
            "there is no such hub model, or it is private",
            where=where,
            cause="It is no directory here either.",
            cure="Check the name; for a private model export HF_TOKEN=…",
        )
    if offline or isinstance(error, errors.LocalEntryNotFoundError):
        return ModelError(
            "this model is not on this machine and the hub cannot be reached",
            where=where,
            cause="HF_HUB_OFFLINE is set." if offline else "The connection failed.",
            cure="Go online once, set HTTPS_PROXY or HF_ENDPOINT, or copy the model to a "
            "directory and give its path. HF_HOME says where downloads are kept.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelError(
            "no space left for this download",
            where=where,
            cure="Free some, or set HF_HOME to a larger disk; what came so far is kept.",
        )
    return ModelError("the hub download failed", where=where, cause=f"{error}")
