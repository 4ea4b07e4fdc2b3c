"""From a recipe and the command line to a look, everything checked before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evalsuite.baselines.against import find_against
from evalsuite.baselines.blessed import baselines
from evalsuite.monitor.look import Look, demand_served, next_look
from evalsuite.recipe import EvalSection
from evalsuite.tasks import find_suite, load_suite
from workspace.errors import UsageError
from workspace.layout import Workspace
from workspace.recipe import Recipe


def asked_look(recipe: Recipe, suites: Sequence[str], *, against: str | None, command: str) -> Look:
    """Return the look that is asked for.

    Args:
        recipe: its `evaluate` says whom to ask and what.
        suites: in place of the recipe's.
        against: a blessed name; None for a look that is to be blessed.
        command: what was typed.

    Raises:
        UsageError: no endpoint or suite is named, or the baseline is not of a served model.
        DataError: a suite or the baseline cannot be read.
    """
    section = recipe.section("evaluate", EvalSection) or EvalSection()
    if section.monitor is None:
        raise UsageError(
            "the recipe names no served model",
            where="evaluate.monitor",
            cure="For example `monitor: {backend: {base_url: http://127.0.0.1:8000/v1, "
            "model: NAME}}`.",
        )
    names = suites or section.suites
    if not names:
        raise UsageError("no suite was given", cure="Name one with --suite.")
    workspace = recipe.workspace
    loaded = tuple(load_suite(find_suite(name, workspace)) for name in names)
    look = Look(
        section.monitor, loaded, recipe.base_dir, command=command, few_shot=section.few_shot
    )
    if against is None:
        return look
    _demand_blessed(workspace, against)
    stored = find_against(against, workspace)
    demand_served(stored)
    return replace(look, against=stored, number=next_look(workspace, against))


def _demand_blessed(workspace: Workspace, name: str) -> None:
    """Refuse an evaluation that no name stands for: looks are counted in the baseline's record.

    Raises:
        UsageError: there is no baseline of this name.
    """
    known = sorted(one.stem for one in baselines(workspace).glob("[!.]*.json"))
    if name not in known:
        raise UsageError(
            f"there is no baseline called {name!r}",
            where=str(baselines(workspace)),
            cause=f"Looks are counted for a blessed name. Blessed are: "
            f"{', '.join(known) or 'none yet'}.",
            cure="Bless the served model as it is now: `temper monitor --bless NAME`.",
        )
