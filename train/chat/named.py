"""Who is to speak, as it is named on a command line. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from evalsuite.engine.request import BASE
from evalsuite.engine.subjects import Subject, common_base, find_subject
from evalsuite.models import ModelSection, ModelSource, resolve_model
from train.checkpoints import demand_whole
from train.export.shipment import found_base
from workspace.errors import ModelError, UsageError
from workspace.layout import Workspace

_SCALE = re.compile(r"(.+)@(\d+(?:\.\d+)?)")
_MOST = 4.0


@dataclass(frozen=True)
class Named:
    """One model to talk to."""

    name: str
    subject: Subject | None
    """None: the base itself."""
    base: ModelSource | None
    """What it was tuned from; None for a plain model that does not say it."""
    scale: float | None = None
    """Strength of what was learnt: 0 is the base, 1 the run; None: as it is."""


def split_scale(name: str) -> tuple[str, float | None]:
    """Return a name and the strength behind it.

    >>> split_scale("mine@0.5"), split_scale("mine"), split_scale("mine@step-400")
    (('mine', 0.5), ('mine', None), ('mine@step-400', None))
    """
    found = _SCALE.fullmatch(name)
    if found is None or Path(name).expanduser().exists():
        return name, None
    return found[1], float(found[2])


def find_named(names: tuple[str, ...], workspace: Workspace, *, base: str | None) -> list[Named]:
    """Return who is meant: `base`, `RUN`, `RUN@step-400`, `RUN@0.5`, or a model's directory.

    Args:
        names: at least one of them a tuned model where `base` is among them.
        workspace: where runs are looked for.
        base: where the base is now, if it has moved.

    Raises:
        UsageError: no such run or checkpoint, two bases, or nothing says what `base` is.
        ModelError: files are missing or were changed since training.
    """
    found = [None if name == BASE else _tuned(name, workspace, base) for name in names]
    tuned = [one for one in found if one is not None]
    named = list(_shown_names(names, found))
    source = next((one.base for one in tuned if one.base is not None), None)
    if None in found and source is None:
        raise UsageError(
            "nothing says what `base` is",
            cause="A plain model directory does not say what it was tuned from.",
            cure="Name a run, or the base with --base.",
        )
    return [
        Named(shown, None, source)
        if one is None
        else Named(shown, one.subject, one.base, one.scale)
        for shown, one in zip(named, found, strict=True)
    ]


def _tuned(name: str, workspace: Workspace, given: str | None) -> Named:
    title, scale = split_scale(name)
    if scale is not None and scale > _MOST:
        raise UsageError(
            "this strength is too high",
            where=name,
            cause=f"0 is the base, 1 the run; at most {_MOST:g} can be asked for.",
        )
    subject = find_subject(title, workspace)
    if subject.run is not None and "@" not in title:
        demand_whole(subject.path, "this run's model is not the one that was trained")
    source = _base_of(subject, given)
    if scale is not None:
        _demand_scale(title, workspace)
    return Named(name, subject, source, scale)


def _demand_scale(title: str, workspace: Workspace) -> None:
    """Refuse adapters that have no scale, in the dial's words."""
    from train.dial.origin import find_origin

    find_origin(title, workspace, checkpoints=False)


def _base_of(subject: Subject, given: str | None) -> ModelSource | None:
    if subject.base is None and given is None:
        return None if subject.kind == "full" else common_base([subject])  # says what is missing
    if subject.base is None:
        source = resolve_model(ModelSection(path=str(given)), Path.cwd())
    else:
        source = found_base(subject, given)
    recorded = subject.trained.base_digest if subject.trained is not None else ""
    if recorded and source.digest != recorded:
        raise ModelError(
            "the base is not the one that this run was trained from",
            where=str(source.path),
            cause=f"SHA-256 {source.digest[:12]} now, {recorded[:12]} at training.",
            cure="Restore it, or say where the original is with --base.",
        )
    return source


def _shown_names(names: tuple[str, ...], found: list[Named | None]) -> list[str]:
    """Return what each is called in what it says: short, and different from the others."""
    shown = []
    for name, one in zip(names, found, strict=True):
        _, mark, behind = name.rpartition("@")
        title = one.subject.name if one is not None and one.subject is not None else name
        own = f"{title}@{behind}" if mark and one is not None and "@" not in title else title
        shown.append(own if own != BASE or one is None else name)
    return shown if len(set(shown)) == len(shown) else list(names)
