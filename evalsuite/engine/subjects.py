"""Who is measured: a base model and what was tuned from it, as found on disk. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from evalsuite.models.chat import ChatTokenizer
from evalsuite.models.section import Quantization
from evalsuite.models.source import ModelSource, check_model_directory, directory_source
from workspace.errors import ModelError, UsageError
from workspace.files import hash_directory, read_json
from workspace.layout import Workspace

_ADAPTER = "adapter_config.json"
_MANIFEST = "manifest.json"
START = "start"
"""The directory in a run with the whole model that it began with, where that was another run's."""
_CLASSIFIES = "ForSequenceClassification"
"""How transformers ends the names of models whose output is not the vocabulary."""


@dataclass(frozen=True)
class AtTraining:
    """What a run recorded of how its model was trained to be spoken to."""

    base_digest: str
    tokenizer_digest: str
    template_digest: str
    eos_ids: frozenset[int]


@dataclass(frozen=True)
class NamedBase:
    """The base that a tuned model says it comes from; its files are not hashed yet."""

    name: str
    path: Path
    revision: str | None = None


@dataclass(frozen=True)
class Root:
    """The first base of a chain of runs that each went on from the one before."""

    base: NamedBase
    digest: str
    """SHA-256 over its files when the first run began."""


@dataclass(frozen=True)
class Subject:
    """A tuned model."""

    name: str
    """The run's recipe name, or the directory's."""
    run: str | None
    """The run's id, if it is one."""
    kind: Literal["adapter", "full"]
    path: Path
    """The adapter's or model's directory."""
    digest: str
    """SHA-256 over its files."""
    tokenizer: Path
    """Where its tokenizer and template are."""
    base: NamedBase | None
    """What it was tuned from, if it says so; may be gone."""
    trained: AtTraining | None
    """None for a plain directory."""
    quantization: Quantization | None = None
    """How the base was held while the adapter was trained on it, if not as it is."""
    root: Root | None = None
    """Of a run that went on from another."""
    own_base: ModelSource | None = None
    """What it was tuned from, where that is another model than the base it is held against."""


def find_subject(name: str, workspace: Workspace) -> Subject:
    """Return the tuned model that a run's id, name or path, or a model directory, means.

    `RUN@step-400` means a checkpoint of a run.

    Raises:
        UsageError: there is no such run or directory, or it is a reward model.
        ModelError: the run has no finished model, or the directory is none.
    """
    from evalsuite.engine.checkpoints import find_checkpoint, names_checkpoint

    path = Path(name).expanduser()
    if names_checkpoint(name) and not path.exists():
        return find_checkpoint(name, workspace)
    is_model = path.is_dir() and not (path / "run.json").is_file()
    if is_model and any((path / file).is_file() for file in (_ADAPTER, "config.json")):
        return _plain(path.resolve())
    if is_model and (path.is_absolute() or name.startswith(".")):
        check_model_directory(path)  # says what is missing
    subject, record = run_subject(workspace.run(name))
    if record.get("method") == "reward":
        raise _does_not_write(subject.path)
    return subject


def run_subject(directory: Path) -> tuple[Subject, dict[str, Any]]:
    """Return what a run published, also a reward model, and the run's record.

    Raises:
        ModelError: the run has no finished model, or does not say what its base is.
    """
    record = read_json(directory / "run.json", kind="run record")
    path = directory / str(record.get("model") or "model")
    if groups := record.get("groups"):
        raise ModelError(
            f"this run is {len(groups)} runs, an adapter for each group",
            where=str(directory),
            cause=f"The first are {', '.join(str(one['run']) for one in groups[:3])}.",
            cure="Name one of them. `temper eval` and `temper serve` take all together.",
        )
    if not path.is_dir():
        raise ModelError(
            "this run has no finished model",
            where=str(directory),
            cause="It is still training, or was stopped before the end.",
            cure=f"Finish it with `temper resume {directory.name}`, or measure a checkpoint: "
            f"`temper eval {directory.name}@step-N`.",
        )
    return run_parts(directory, record, path), record


def run_parts(
    directory: Path, record: dict[str, Any], path: Path, *, ignore: frozenset[str] = frozenset()
) -> Subject:
    """Return weights of a run, published or not, as a tuned model.

    Args:
        directory: the run's.
        record: its `run.json`.
        path: where the weights are.
        ignore: files there that do not count for the digest.

    Raises:
        ModelError: the record does not say what the base is.
    """
    base = _recorded_base(record, directory)
    has_tokenizer = (path / "tokenizer.json").is_file()
    return Subject(
        name=str(record.get("name") or directory.name),
        run=directory.name,
        kind="adapter" if (path / _ADAPTER).is_file() else "full",
        path=path,
        digest=_digest(path, ignore),
        tokenizer=path if has_tokenizer else base.path,
        base=base,
        trained=_at_training(record),
        quantization=quantization_of(path),
        root=_root(record),
    )


def _root(record: dict[str, Any]) -> Root | None:
    try:
        base = record["begins"]["root"]
        named = NamedBase(str(base["name"]), Path(str(base["path"])), base.get("revision"))
        return Root(named, str(base["digest"]))
    except (KeyError, TypeError):
        return None


def _recorded_base(record: dict[str, Any], directory: Path) -> NamedBase:
    base = record.get("base")
    if not isinstance(base, dict) or not base.get("path"):
        raise ModelError("this run does not say what its base is", where=str(directory))
    path = Path(str(base["path"]))
    if "begins" in record and not path.is_dir():  # the workspace has moved
        # of a point of the dial it is the parent's
        places = (directory / START, directory.parent / path.parent.name / START)
        path = next((place for place in places if place.is_dir()), path)
    return NamedBase(str(base.get("name") or path), path, base.get("revision"))


def _at_training(record: dict[str, Any]) -> AtTraining | None:
    try:
        return AtTraining(
            base_digest=str(record["base"]["digest"]),
            tokenizer_digest=str(record["tokenizer_digest"]),
            template_digest=str(record["template_digest"]),
            eos_ids=frozenset(int(number) for number in record["eos_ids"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _plain(path: Path) -> Subject:
    is_adapter = (path / _ADAPTER).is_file()
    if not is_adapter:
        names = check_model_directory(path).get("architectures") or [""]
        if str(names[0]).endswith(_CLASSIFIES):
            raise _does_not_write(path)
    base = _adapter_base(path) if is_adapter else None
    has_tokenizer = (path / "tokenizer.json").is_file()
    return Subject(
        name=path.name,
        run=None,
        kind="adapter" if is_adapter else "full",
        path=path,
        digest=_digest(path),
        tokenizer=path if has_tokenizer or base is None else base.path,
        base=base,
        trained=None,
        quantization=quantization_of(path),
    )


def quantization_of(path: Path) -> Quantization | None:
    """Return what the manifest of a published model says of the base it was trained on."""
    if not (path / _MANIFEST).is_file():
        return None
    found = read_json(path / _MANIFEST, kind="manifest").get("base_quantization")
    if found is None or found in get_args(Quantization):
        return found
    raise ModelError(
        "this adapter was trained on a base that cannot be made here",
        where=str(path / _MANIFEST),
        cause=f"Its base_quantization is {found}; known: {', '.join(get_args(Quantization))}.",
    )


def _does_not_write(path: Path) -> UsageError:
    return UsageError(
        "a reward model does not write answers",
        where=str(path),
        cause="It gives a whole chat one number; suites ask for answers.",
        cure="Score held-out preferences with `temper curate score reward ROWS.jsonl --model "
        f"{path} -o SCORED.jsonl`: the share with a margin above 0 is its accuracy.",
    )


def _adapter_base(path: Path) -> NamedBase | None:
    named = read_json(path / _ADAPTER, kind="adapter").get("base_model_name_or_path")
    if not named or not Path(str(named)).is_dir():
        return None
    return NamedBase(str(named), Path(str(named)))


def _digest(path: Path, ignore: frozenset[str] = frozenset()) -> str:
    return hash_directory(path, ignore=ignore | {"README.md", "manifest.json"})


def common_base(subjects: Sequence[Subject]) -> ModelSource:
    """Return the one base of all subjects, as it is on disk now.

    One base may lie in several places: each run that goes on from another has a copy of its own.

    Raises:
        UsageError: none is known, or they differ.
        ModelError: it is gone, or no model any more.
    """
    bases = [(subject.base, subject.trained) for subject in subjects if subject.base]
    recorded = {base.path.resolve(): trained.base_digest for base, trained in bases if trained}
    known: dict[Path | str, list[NamedBase]] = {}
    for base, _ in bases:
        place = base.path.resolve()
        known.setdefault(recorded.get(place, place), []).append(base)
    if not known:
        raise UsageError(
            "the base model is not known",
            cause="A plain model directory does not say what it was tuned from.",
            cure="Name it with --base, or give the recipe whose `model` it is.",
        )
    if len(known) > 1:
        raise UsageError(
            "these runs have different bases",
            cause=f"{', '.join(sorted({str(base.path.resolve()) for base, _ in bases}))}.",
            cure="Evaluate them in separate commands.",
        )
    (places,) = known.values()
    base = next((one for one in places if one.path.is_dir()), places[0])
    if not base.path.is_dir():
        raise ModelError(
            "the base of this run is gone",
            where=str(base.path),
            cause=f"{', '.join(s.run or s.name for s in subjects)} was tuned from it.",
            cure="Put it back, or name the base with --base.",
        )
    return directory_source(base.path, name=base.name, revision=base.revision)


def first_base(subjects: Sequence[Subject]) -> ModelSource:
    """Return the one base that chains of runs begin with, as it is on disk now.

    Raises:
        UsageError, ModelError: as in `common_base`.
    """
    return common_base([_from_root(subject) for subject in subjects])


def _from_root(subject: Subject) -> Subject:
    if subject.root is None:
        return subject
    trained = subject.trained and replace(subject.trained, base_digest=subject.root.digest)
    return replace(subject, base=subject.root.base, trained=trained)


def on_own_bases(subjects: Sequence[Subject], base: ModelSource) -> tuple[Subject, ...]:
    """Return the subjects, those that went on from another run with what they were tuned from.

    Args:
        subjects: runs of a chain.
        base: what all are held against.

    Raises:
        ModelError: the model that an adapter was trained on is gone.
    """
    return tuple(
        replace(subject, own_base=_own_base(subject, base)) if subject.root else subject
        for subject in subjects
    )


def _own_base(subject: Subject, base: ModelSource) -> ModelSource | None:
    named = demand_base(
        subject,
        "the model that a run began with is gone",
        "Put it back, or leave the run out.",
    )
    source = directory_source(named.path, name=named.name)
    return None if source.digest == base.digest else source


def demand_base(subject: Subject, title: str, cure: str) -> NamedBase:
    """Return the base that a run was trained on.

    Raises:
        ModelError: it is gone; `title` says what that means here, and `cure` what to do.
    """
    assert subject.base is not None  # of a run it is recorded
    if not subject.base.path.is_dir():
        is_adapter = subject.kind == "adapter"
        how = "is an adapter, which was trained on it" if is_adapter else "was tuned from it"
        raise ModelError(
            title,
            where=str(subject.base.path),
            cause=f"{subject.run or subject.name} {how}.",
            cure=cure,
        )
    return subject.base


def common_quantization(subjects: Sequence[Subject]) -> Quantization | None:
    """Return how the base is held so that all subjects find it as they were trained on it.

    Raises:
        UsageError: they were trained on differently held bases.
    """
    found = {subject.quantization for subject in subjects}
    if len(found) > 1:
        raise UsageError(
            "these models were not trained on the same form of the base",
            cause="; ".join(f"{s.name}: {s.quantization or 'unquantised'}" for s in subjects) + ".",
            cure="Evaluate them in separate commands, or all on the unquantised base with "
            "`evaluate: base_weights: full`.",
        )
    return next(iter(found), None)


def common_tokenizer(
    subjects: Sequence[Subject], base: ModelSource
) -> tuple[ChatTokenizer, list[str]]:
    """Return the tokenizer and template that base and tuned models are asked with, and notes.

    The tuned models' own: a base that never had a template is asked as the run was trained.

    Raises:
        UsageError: tuned models with different tokenizers or templates.
        ModelError: the base numbers its tokens otherwise.
    """
    own = ChatTokenizer.from_dir(base.path)
    found = {
        tokenizer.digest: tokenizer
        for tokenizer in (_tokenizer(subject, own) for subject in subjects)
    }
    if not found:
        return own, []
    if len(found) > 1:
        raise UsageError(
            "these models have different tokenizers or chat templates",
            cause=f"{', '.join(subject.name for subject in subjects)} cannot share their prompts.",
            cure="Evaluate them in separate commands.",
        )
    tokenizer = next(iter(found.values()))
    known = tokenizer.tokenizer.get_vocab(with_added_tokens=True)
    ours = own.tokenizer.get_vocab(with_added_tokens=True)
    if any(known.get(token) != number for token, number in ours.items()):
        raise ModelError(
            "base and tuned model have different tokenizers",
            where=f"{base.path} and {tokenizer.path}",
            cause="The same ids mean other tokens, so that one of them would be asked nonsense.",
            cure="Evaluate a model against the base it was tuned from.",
        )
    if tokenizer.template_digest != own.template_digest:
        return tokenizer, ["the base is asked with the tuned model's chat template, not its own"]
    return tokenizer, []


def _tokenizer(subject: Subject, base: ChatTokenizer) -> ChatTokenizer:
    """Return a subject's tokenizer; `base`, where it was its base's and that one has moved."""
    return ChatTokenizer.from_dir(subject.tokenizer) if subject.tokenizer.is_dir() else base
