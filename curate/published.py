"""Datasets on disk: which one is meant, and what is to be said of its amounts."""

from __future__ import annotations

from pathlib import Path

from workspace.layout import RECIPE, Workspace


def dataset_here(name: str | Path | None) -> tuple[Workspace, Path]:
    """Return the workspace, and the dataset of a name or path, or else that of its recipe.

    Raises:
        UsageError: there is no such dataset, or no recipe that names one.
    """
    from workspace.yaml import load_yaml

    workspace = Workspace.find()
    if name is None:
        recipe = workspace.root / RECIPE
        name = str(load_yaml(recipe).data.get("name", recipe.stem))
    return workspace, workspace.dataset(str(name))


def dataset_notes(directory: Path) -> tuple[str, ...]:
    """Return the notes of `curate.enough` on a published dataset, warnings first.

    Raises:
        DataError: the directory holds no rows of a known type.
    """
    import polars as pl

    from curate.api.frames import completed
    from curate.enough import amount_notes, amounts, split_size_notes
    from curate.ledger import Count

    train, kind = completed(pl.scan_parquet(directory / "train.parquet", glob=False))
    splits = {}
    test = directory / "test.parquet"
    if test.is_file():
        rows = pl.scan_parquet(test, glob=False).select(pl.len()).collect().item()
        splits["test"] = Count(int(rows))
    return (*amount_notes(amounts(train, kind)), *split_size_notes(splits))
