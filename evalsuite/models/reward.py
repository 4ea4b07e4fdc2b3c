"""Reward models: found and checked as far as their config goes, without loading weights."""

from __future__ import annotations

from pathlib import Path

from evalsuite.models.section import ModelSection
from evalsuite.models.source import ModelSource, check_model_directory, resolve_model
from workspace.errors import ModelError


def find_reward_model(
    model: str, revision: str | None, base_dir: Path, *, where: str
) -> ModelSource:
    """Return the model's directory.

    Args:
        model: a run's directory, a model directory relative to `base_dir`, or a hub name.
        revision: of a hub name.
        base_dir: what a relative path is relative to.
        where: which key names it, for errors.

    Raises:
        ModelError: there is none, or it is no sequence classification model with one label.
    """
    named = base_dir / Path(model).expanduser()
    # A run's weights are in its directory `model`.
    path = str(named / "model") if (named / "run.json").is_file() else model
    source = resolve_model(ModelSection(path=path, revision=revision), base_dir)
    config = check_model_directory(source.path)
    labels = len(config.get("id2label") or ()) or config.get("num_labels")
    classifies = any("Classification" in one for one in config.get("architectures") or ())
    if not classifies or labels not in (None, 1):
        raise ModelError(
            "this is no reward model",
            where=where,
            cause=f"Its config names {', '.join(config.get('architectures') or ['nothing'])} "
            f"with {labels or 2} labels; a reward is one number.",
            cure="Give a run of `method: reward`, or a sequence classification model with one "
            "label.",
        )
    return source
