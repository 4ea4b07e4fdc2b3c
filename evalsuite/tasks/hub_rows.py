"""Rows of a Hugging Face dataset, local or of the hub. The split is said, never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.tasks.rows import Row
from workspace.errors import DataError
from workspace.problems import did_you_mean
from workspace.text import plain

if TYPE_CHECKING:
    from datasets import Dataset

HUB = "hf:"
"""What `data` begins with where it names a dataset."""
_HEAVY = ("Image", "Audio", "Video", "Pdf")
"""Kinds of columns that no template can show."""


@dataclass(frozen=True)
class DatasetPlace:
    """One split of a dataset."""

    name: str
    """A folder, or a name on the hub."""
    split: str | None
    subset: str | None
    """The configuration, where a dataset has several."""

    def __str__(self) -> str:
        subset = f", {self.subset}" if self.subset else ""
        return f"{HUB}{self.name}{subset}"


def read_dataset(place: DatasetPlace) -> list[Row]:
    """Read every row of a split, in order; columns of images and sounds are left out.

    A name on the hub is downloaded by `datasets` into its own cache.

    Raises:
        DataError: it cannot be loaded, no split is said, there is no such split, or it is empty.
    """
    with _quiet(), _told(place):
        dataset = _loaded(place)
        heavy = [name for name, kind in dataset.features.items() if type(kind).__name__ in _HEAVY]
        records = list(dataset.remove_columns(heavy))
    rows = [
        Row(dict(fields), number, f"{place}, {place.split or 'rows'}: row {number}")
        for number, fields in enumerate(records, start=1)
    ]
    if not rows:
        raise DataError(
            "this split has no items",
            where=f"{place}: split",
            cause=f"`{place.split}` has no rows.",
            cure="Name another split, or take the task out of the suite.",
        )
    return rows


def _loaded(place: DatasetPlace) -> Dataset:
    """Return the split."""
    from datasets import Dataset, load_dataset, load_from_disk

    folder = Path(place.name)
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        saved = load_from_disk(place.name)
        if isinstance(saved, Dataset):
            if place.split is not None:
                raise DataError(
                    "this dataset has no splits",
                    where=f"{place}: split",
                    cause=f"Found {place.split!r}; it was saved as one table.",
                    cure="Leave `split` out.",
                )
            return saved
        return saved[_checked(place, [str(name) for name in saved])]
    split = _checked(place, _splits(place))
    loaded = load_dataset(place.name, place.subset, split=split)
    assert isinstance(loaded, Dataset)
    return loaded


def _splits(place: DatasetPlace) -> list[str]:
    from datasets import get_dataset_split_names, load_dataset_builder

    builder = load_dataset_builder(place.name, place.subset)
    known = builder.info.splits or builder.config.data_files
    return [str(name) for name in known or get_dataset_split_names(place.name, place.subset)]


def _checked(place: DatasetPlace, known: list[str]) -> str:
    """Return the split, which must be said and be there."""
    if place.split in known:
        return str(place.split)
    found = "nothing" if place.split is None else repr(place.split)
    hint = did_you_mean(place.split, known) if place.split else ""
    raise DataError(
        "no split is said" if place.split is None else "there is no such split",
        where=f"{place}: split",
        cause=f"Found {plain(found, 60)}; expected one of {', '.join(known)}.",
        cure=f"{hint} Say which with `split:` beside `data:`; it is never guessed.".strip(),
    )


@contextmanager
def _told(place: DatasetPlace) -> Iterator[None]:
    """Say what `datasets` raises in our words."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # it raises nearly everything there is
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(
            "this dataset cannot be loaded",
            where=str(place),
            cause=f"{plain(lines[0], 300).rstrip('.')}.",
            cure="Check folder or name and `subset:`. A name on the hub needs the network once; a "
            "folder is relative to the suite.",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of `datasets`."""
    import datasets

    shown: Any = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not shown:
            datasets.enable_progress_bars()
