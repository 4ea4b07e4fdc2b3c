"""The model that is learnt from, found and checked before a weight is loaded. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.engine.subjects import demand_base, run_subject
from evalsuite.models import ChatTokenizer, ModelSection, ModelSource, resolve_model
from evalsuite.models.section import Quantization
from evalsuite.models.source import check_model_directory, directory_source, is_hub_name
from train.checkpoints import demand_whole
from train.distill_section import DistillSection
from train.plan.facts import ModelFacts, read_facts
from workspace.errors import ModelError, UsageError
from workspace.layout import Workspace
from workspace.recipe import Recipe

_WHERE = "train.method.teacher"
_SHOWN = 3


@dataclass(frozen=True)
class Teacher:
    """A model that writes, with the student's vocabulary."""

    source: ModelSource
    """The model, or the base of an adapter."""
    facts: ModelFacts
    """Of `source`."""
    adapter: Path | None
    quantization: Quantization | None
    """How the base was held while the adapter was trained."""
    digest: str
    """Of model and adapter."""

    def as_record(self) -> dict[str, Any]:
        """Return it as plain data for a run's record."""
        adapter = str(self.adapter) if self.adapter else None
        return {**self.source.as_record(), "adapter": adapter, "digest": self.digest}


def find_teacher(
    section: DistillSection, base_dir: Path, workspace: Workspace, tokenizer: ChatTokenizer
) -> Teacher:
    """Return the teacher that a recipe names.

    Args:
        section: of the recipe.
        base_dir: what a relative path is relative to.
        workspace: where a run is looked for.
        tokenizer: of the student.

    Raises:
        UsageError: there is neither a model nor a run of that name.
        ModelError: it is no model that writes, its run is unfinished or damaged, or its tokens are
            not the student's.
    """
    run = _run(section, base_dir, workspace)
    if run is not None:
        teacher, own = _of_run(run)
    else:
        source = resolve_model(as_model(section), base_dir)
        _demand_writing(source.path)
        teacher = Teacher(source, read_facts(source.path), None, None, source.digest)
        own = source.path
    _demand_same_tokens(tokenizer, ChatTokenizer.from_dir(own))
    return teacher


def as_model(section: DistillSection) -> ModelSection:
    """Return the teacher as a recipe names a model."""
    return ModelSection(path=section.teacher, revision=section.revision)


def hub_teacher(recipe: Recipe) -> ModelSection | None:
    """Return the teacher of a recipe if it is looked for on the hub."""
    from train.recipe import TrainSection

    train = recipe.section("train", TrainSection)
    method = train.method if train is not None else None
    if not isinstance(method, DistillSection):
        return None
    named = as_model(method)
    return named if is_hub_name(named, recipe.base_dir) else None


def ensure_teacher(recipe: Recipe, argv: Sequence[str]) -> None:
    """Download the teacher that a recipe names on the hub, if it is not here.

    Raises:
        ModelError, Stopped: as `evalsuite.models.download.ensure_model`.
    """
    section = hub_teacher(recipe)
    if section is not None:
        from evalsuite.models.download import fetch

        fetch(section, recipe.workspace, argv)


def is_teacher_missing(recipe: Recipe) -> bool:
    """Tell whether a recipe names a teacher on the hub of which something must be downloaded."""
    from evalsuite.models.download import find_pending
    from evalsuite.models.source import hub_error, hub_offline

    section = hub_teacher(recipe)
    if section is None or hub_offline():
        return False
    try:
        return bool(find_pending(section).files)
    except Exception as error:
        raise hub_error(section.path, section.revision, error) from error


def _run(section: DistillSection, base_dir: Path, workspace: Workspace) -> Path | None:
    """Return the run that is meant, or None for a model."""
    named = base_dir / Path(section.teacher).expanduser()
    if (named / "run.json").is_file():
        return named.resolve()
    if section.teacher == "builtin" or named.is_dir() or is_hub_name(as_model(section), base_dir):
        return None
    try:
        return workspace.run(section.teacher)
    except UsageError as error:
        raise UsageError(
            f"there is no teacher {section.teacher!r}",
            where=_WHERE,
            cause=f"It is no model directory at {named}, and no run here: {error.title}.",
            cure="Give a directory, a run (`temper runs`), a hub name such as Qwen/Qwen3-4B, or "
            "`builtin`.",
        ) from error


def _of_run(run: Path) -> tuple[Teacher, Path]:
    """Return the teacher that a run made, and where its tokenizer is."""
    subject, record = run_subject(run)
    if record.get("method") == "reward":
        raise _does_not_write(run)
    demand_whole(subject.path, "the model of this teacher is damaged")
    if subject.kind == "full":
        source = directory_source(subject.path, name=run.name)
        return Teacher(source, read_facts(source.path), None, None, source.digest), subject.path
    base = demand_base(
        subject,
        "the base of this teacher is gone",
        "Put it back, or write a whole model with `temper export --to merged` first.",
    )
    source = directory_source(base.path, name=run.name, revision=base.revision)
    if subject.trained is not None and subject.trained.base_digest != source.digest:
        raise ModelError(
            "the base of this teacher is not what it was",
            where=str(source.path),
            cause=f"{run.name} was trained on {subject.trained.base_digest[:12]}; it is "
            f"{source.digest[:12]} now.",
            cure="Put the base back as it was.",
        )
    digest = f"{subject.digest[:32]}{source.digest[:32]}"
    facts = read_facts(source.path)
    return Teacher(source, facts, subject.path, subject.quantization, digest), subject.tokenizer


def _demand_writing(path: Path) -> None:
    names = check_model_directory(path).get("architectures") or [""]
    if "Classification" in str(names[0]):
        raise _does_not_write(path)


def _does_not_write(path: Path) -> ModelError:
    return ModelError(
        "a reward model cannot teach writing",
        where=f"{_WHERE}: {path}",
        cause="It gives a whole chat one number and has no opinion of single tokens.",
        cure="Name a model that writes; a reward model teaches by `method: grpo` or `rloo`, as a "
        "reward `{kind: model}`.",
    )


def _demand_same_tokens(student: ChatTokenizer, teacher: ChatTokenizer) -> None:
    """Refuse a teacher to whom the student's token ids mean something else."""
    if student.digest == teacher.digest:
        return
    ours, theirs = (one.tokenizer.get_vocab(with_added_tokens=True) for one in (student, teacher))
    if ours == theirs:
        return
    wrong = sorted(
        (ours.get(one, -1), one) for one in {*ours, *theirs} if ours.get(one) != theirs.get(one)
    )
    told = ", ".join(
        f"{token!r} is {_shown(ours.get(token))} here and {_shown(theirs.get(token))} there"
        for _, token in wrong[:_SHOWN]
    )
    raise ModelError(
        "teacher and student have different vocabularies",
        where=_WHERE,
        cause=f"{len(wrong):,} of {len(ours):,} tokens differ: {told}.",
        cure="Use a teacher of the same family. From any other, let it answer the prompts "
        "(`temper curate augment`) and learn its answers with `method: sft`.",
    )


def _shown(number: int | None) -> str:
    return "missing" if number is None else str(number)
