"""What is to be said of the amounts of a dataset on disk."""

from __future__ import annotations

from pathlib import Path


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
