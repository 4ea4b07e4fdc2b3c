"""`lm_eval:hellaswag,arc_easy`: a suite that is only a name. Imports no lm_eval."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from workspace.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalsuite.tasks.schema import Suite
    from evalsuite.tasks.suites import LoadedSuite

LM_EVAL = "lm_eval:"
"""What such a name begins with."""


def is_named(path: Path | str) -> bool:
    """Whether a suite is given by the names of its benchmarks."""
    return str(path).startswith(LM_EVAL)


def named_suite(path: Path | str) -> Suite:
    """Return the suite of a name: retention, with the terms that suites have by default.

    Raises:
        UsageError: no benchmark is named, or one twice.
    """
    from evalsuite.tasks.schema import Suite

    names = [name.strip() for name in str(path).removeprefix(LM_EVAL).split(",")]
    slugs = [_slug(name) for name in names]
    if not all(slugs) or len(set(slugs)) < len(slugs):
        raise UsageError(
            "these are no names of benchmarks",
            where=str(path),
            cause=f"Found {', '.join(map(repr, names))}; expected different names.",
            cure="Write them as in lm_eval:hellaswag,arc_easy.",
        )
    tasks = [
        {"name": slug, "kind": "lm_eval", "lm_eval": {"task": name}}
        for slug, name in zip(slugs, names, strict=True)
    ]
    name = f"lm_eval-{'-'.join(slugs)}"[:63].rstrip("-")
    document = {"schema_version": 1, "name": name, "purpose": "retention"}
    return Suite.model_validate({**document, "tasks": tasks})


def demand_lm_eval() -> None:
    """Make sure that lm_eval is there.

    Raises:
        UsageError: the extra is not installed.
    """
    if importlib.util.find_spec("lm_eval") is None:
        raise UsageError(
            "lm_eval is not installed",
            where="kind lm_eval",
            cause="Public benchmarks are asked through it.",
            cure='pip install "welltempered[bench]"',
        )


def refuse_benchmarks(suites: Sequence[LoadedSuite], what: str) -> None:
    """Refuse suites with benchmarks where only our own engine asks.

    Raises:
        UsageError: one has some.
    """
    for suite in suites:
        for task in suite.tasks:
            if task.spec.kind == "lm_eval":
                raise UsageError(
                    f"{what} does not ask benchmarks of lm_eval",
                    where=f"{suite.path}: {task.spec.name}",
                    cure="Take the suite out here; `temper eval` asks it.",
                )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:60]
