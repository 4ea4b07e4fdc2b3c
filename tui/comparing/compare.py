"""Reads two runs, datasets or recipes and compares them; call it from a thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui.comparing.comparison import (
    KINDS,
    Comparison,
    Kind,
    Part,
    facts_of,
    flat,
    paired_abilities,
)
from tui.figures import measure
from tui.reader import Reader
from tui.records import UnreadableRecord, read_record
from tui.snapshot import RunRow
from workspace.errors import TemperError, UsageError
from workspace.layout import Workspace
from workspace.yaml import load_yaml

_RECORD = ("method", "adapter", "attempt", "steps", "seed", "seconds", "tokens")
_DIGESTS = ("tokenizer_digest", "template_digest")


def kind_of(left: str, right: str, workspace: Workspace) -> Kind:
    """Tell what two names are: runs, else datasets, else recipes.

    Raises:
        UsageError: they are not of one kind.
    """
    for kind in KINDS:
        if all(_is(kind, name, workspace) for name in (left, right)):
            return kind
    raise UsageError(
        "these two cannot be compared",
        cause=f"{left} and {right} are not two runs, two datasets or two recipes of "
        f"{workspace.root}.",
        cure="`temper runs` lists runs; a dataset is named as in datasets/; a recipe is a .yaml.",
    )


def _is(kind: Kind, name: str, workspace: Workspace) -> bool:
    try:
        if kind == "runs":
            workspace.run(name)
        elif kind == "datasets":
            workspace.dataset(name)
        else:
            return name.endswith((".yaml", ".yml")) and (workspace.root / name).is_file()
    except TemperError:
        return False
    return True


def compare(kind: Kind, left: str, right: str, workspace: Workspace) -> Comparison:
    """Compare two things of one kind.

    Raises:
        TemperError: one of them is not there, or cannot be read at all.
    """
    makers = {"runs": _runs, "datasets": _datasets, "recipes": _recipes}
    return makers[kind](left, right, workspace)


def _runs(left: str, right: str, workspace: Workspace) -> Comparison:
    paths = [workspace.run(name) for name in (left, right)]
    reader = Reader(workspace.root)
    snapshot = reader.poll()
    while snapshot.pending:  # long event files are read in pieces
        snapshot = reader.poll()
    known = {row.path.resolve(): row for row in snapshot.runs}
    first, second = (known.get(path) for path in paths)
    if first is None or second is None:
        raise UsageError(
            "only runs of this workspace can be compared",
            where=str(workspace.runs),
            cure="Go to the workspace of the runs.",
        )
    parts = (
        _part("result", *map(_result, (first, second))),
        _recipe_part(*(path / "recipe.yaml" for path in paths)),
        _record_part("data and base", paths),
    )
    abilities = [row.verdict.abilities if row.verdict else () for row in (first, second)]
    missing = [row.label for row in (first, second) if row.verdict is None]
    notes = (f"not evaluated: {', '.join(missing)}",) if missing else ()
    return Comparison(
        "runs", (first.label, second.label), parts, paired_abilities(*abilities),
        (first.losses, second.losses), notes=notes,
    )  # fmt: skip


def _result(row: RunRow) -> dict[str, str]:
    loss, verdict = row.metrics.loss, row.verdict
    return {
        "state": row.state,
        "verdict": verdict.verdict if verdict is not None else "",
        "last loss": "" if loss is None else measure(loss),
        "steps": "" if row.metrics.step is None else f"{row.metrics.step}",
    }


def _part(title: str, left: Mapping[str, str], right: Mapping[str, str]) -> Part:
    return Part(title, facts_of(left, right))


def _recipe_part(left: Path, right: Path) -> Part:
    try:
        return _part("recipe", *(dict(flat(load_yaml(path).data)) for path in (left, right)))
    except (TemperError, OSError) as error:
        why = error.title if isinstance(error, TemperError) else str(error)
        return Part("recipe", (), f"it cannot be read: {why}")


def _record_part(title: str, paths: list[Path]) -> Part:
    try:
        return _part(title, *(_recorded(path) for path in paths))
    except UnreadableRecord as error:
        return Part(title, (), str(error))


def _recorded(run: Path) -> dict[str, str]:
    record = read_record(run / "run.json", kind="run record")
    found: dict[str, str] = {}
    for name in _RECORD:
        if isinstance(record.get(name), str | int | float):
            found[name] = str(record[name])
    dataset = str(record.get("dataset") or "")
    if dataset:
        found["dataset"] = "/".join(Path(dataset).parts[-2:])
        found["dataset digest"] = _digest_of(Path(dataset))
    base: Any = record.get("base")
    if isinstance(base, dict):
        found["base"] = str(base.get("name") or base.get("path") or "")
        found["base digest"] = str(base.get("digest") or "")[:12]
    for name in _DIGESTS:
        if record.get(name):
            found[name.replace("_", " ")] = str(record[name])[:12]
    return found


def _digest_of(dataset: Path) -> str:
    try:
        ledger = read_record(dataset / "ledger.json", kind="ledger")
    except UnreadableRecord:
        return "gone"
    return str(ledger.get("digest") or dataset.name)[:12]


def _datasets(left: str, right: str, workspace: Workspace) -> Comparison:
    from curate.comparing import compare as compare_datasets

    paths = [workspace.dataset(name) for name in (left, right)]
    found = compare_datasets(*paths)
    settings = {one.key: (one.before, one.after) for one in found.settings}
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    parts = (
        _part("rows", {"rows": f"{found.rows_before:,}"}, {"rows": f"{found.rows_after:,}"}),
        _part(
            "settings that differ",
            {key: before for key, (before, _) in settings.items() if before is not None},
            {key: after for key, (_, after) in settings.items() if after is not None},
        ),
    )
    rows = tuple((group.what, group.why, group.rows) for group in found.groups)
    return Comparison("datasets", (names[0], names[1]), parts, rows=rows, rows_equal=found.same)


def _recipes(left: str, right: str, workspace: Workspace) -> Comparison:
    documents = [dict(flat(load_yaml(workspace.root / name).data)) for name in (left, right)]
    return Comparison("recipes", (left, right), (_part("recipe", *documents),))


def recipes_of(root: Path) -> list[str]:
    """Return the recipes of a workspace: the YAML files beside `temper.yaml`."""
    return sorted(path.name for path in root.glob("*.yaml") if path.is_file())


def datasets_of(root: Path) -> list[str]:
    """Return the whole datasets of a workspace as `name/digest`, the current ones first."""
    found = []
    for ledger in sorted(Workspace(root).datasets.glob("[!.]*/[!.]*/ledger.json")):
        version = ledger.parent
        if version.name != "current":
            current = (version.parent / "current").resolve() == version.resolve()
            found.append((not current, f"{version.parent.name}/{version.name}"))
    return [name for _, name in sorted(found)]
