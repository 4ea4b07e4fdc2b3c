"""The groups of a dataset's rows by a column, and each group's rows as a dataset. No torch.

Values come from data and may be anything: what becomes part of a path is made of the value's plain
letters and its hash, so that no two values share one, whatever the file system makes of case.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import combining, normalize

from train.each_section import Each
from train.pictures import with_paths_from
from workspace.errors import DataError
from workspace.files import atomic_path, hash_file, write_json
from workspace.problems import did_you_mean
from workspace.secrets import looks_like_secret
from workspace.text import plain

_SLUG_LENGTH = 24
_HASH_LENGTH = 8
_SHOWN = 10


@dataclass(frozen=True)
class Group:
    """The rows that have one value."""

    value: str
    """As in the data: not trusted."""
    places: tuple[int, ...]
    """Of its rows in the dataset, ascending."""

    @property
    def slug(self) -> str:
        """A name that is safe in a path and no other value's."""
        return slug(self.value)

    @property
    def rows(self) -> int:
        """How many it has."""
        return len(self.places)


@dataclass(frozen=True)
class Groups:
    """A dataset's rows by group."""

    column: str
    kept: Sequence[Group]
    """By value."""
    small: Sequence[Group]
    """Those with too few rows."""
    without: tuple[int, ...]
    """Places of rows without a value: null, or empty text."""

    @property
    def rows_left_out(self) -> int:
        """Rows that no adapter learns from."""
        return sum(one.rows for one in self.small) + len(self.without)

    def as_dict(self) -> dict[str, Any]:
        """Return what is left out, for plan and record."""
        return {
            "column": self.column,
            "too_small": [{"value": one.value, "rows": one.rows} for one in self.small],
            "rows_without_value": len(self.without),
        }


def slug(value: str) -> str:
    """Return a directory's name for a value: its plain letters, and its hash.

    >>> slug("../Ada")
    'ada-4e4af216'
    """
    bare = "".join(one for one in normalize("NFKD", value.lower()) if not combining(one))
    letters = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:_SLUG_LENGTH].strip("-")
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    if looks_like_secret(value) or looks_like_secret(f"{letters}-{digest}"):
        letters = ""
    return f"{letters or 'group'}-{digest}"


def find_groups(dataset: Path, each: Each) -> Groups:
    """Return the groups of a dataset's training rows.

    Raises:
        DataError: no such column, one whose values cannot name groups, no group that is large
            enough, or something is left out and `left_out: stop`.
    """
    file = dataset / "train.parquet"
    places: dict[str, list[int]] = {}
    without = []
    for place, value in enumerate(_values(file, each.column)):
        text = "" if value is None else str(value)
        if text.strip():
            places.setdefault(text, []).append(place)
        else:
            without.append(place)
    found = [Group(value, tuple(rows)) for value, rows in sorted(places.items())]
    _demand_own_names(found, file)
    groups = Groups(
        each.column,
        [one for one in found if one.rows >= each.min_rows],
        [one for one in found if one.rows < each.min_rows],
        tuple(without),
    )
    if not groups.kept or (groups.rows_left_out and each.left_out == "stop"):
        raise _refusal(groups, each, file)
    return groups


def _demand_own_names(found: Sequence[Group], file: Path) -> None:
    """Refuse values whose directories would be one: 32 bits of hash can be made to be equal."""
    known: dict[str, Group] = {}
    for one in found:
        other = known.setdefault(one.slug, one)
        if other is not one:
            raise DataError(
                "two groups would have the same directory",
                where=str(file),
                cause=f"{plain(other.value, 40)!r} and {plain(one.value, 40)!r} are both "
                f"{one.slug}.",
                cure="Change one of the values.",
            )


def _values(file: Path, column: str) -> list[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.is_file():
        raise DataError(
            "this dataset has no train.parquet",
            where=str(file.parent),
            cure="Make one with `temper curate`.",
        )
    schema = pq.read_schema(file)
    types = {one.name: one.type for one in schema}
    if "meta" in types and pa.types.is_struct(types["meta"]):
        types |= {f"meta.{one.name}": one.type for one in types["meta"]}
    known = [one for one, kind in types.items() if _names_groups(kind)]
    if column not in known:
        what = "texts, whole numbers or booleans"
        raise DataError(
            f"rows cannot be grouped by {column!r}",
            where="train.each.column",
            cause=(f"It holds no {what}." if column in types else "There is no such column.")
            + f" Rows of {file} can be grouped by {', '.join(known)}.",
            cure=did_you_mean(column, known),
        )
    if column in schema.names:
        return list(pq.read_table(file, columns=[column])[column].to_pylist())
    field = column.removeprefix("meta.")
    rows = pq.read_table(file, columns=["meta"])["meta"].to_pylist()
    return [(one or {}).get(field) for one in rows]


def _names_groups(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    texts = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(texts or types.is_integer(kind) or types.is_boolean(kind))


def _refusal(groups: Groups, each: Each, file: Path) -> DataError:
    causes = []
    if groups.small:
        small = sorted(groups.small, key=lambda one: one.rows)
        shown = ", ".join(f"{plain(one.value, 40)!r} {one.rows}" for one in small[:_SHOWN])
        more = f" and {len(small) - _SHOWN} more" if len(small) > _SHOWN else ""
        causes.append(
            f"{len(small)} of {len(small) + len(groups.kept)} groups have fewer than "
            f"{each.min_rows} rows: {shown}{more}."
        )
    if groups.without:
        causes.append(f"{len(groups.without):,} rows have no {each.column}.")
    title = "some rows belong to no group that can be learnt from"
    cure = "Leave them out with train.each.left_out: skip, or lower train.each.min_rows."
    if not groups.kept:
        title, cure = "no group has enough rows", "Lower train.each.min_rows, or add rows."
    return DataError(title, where=f"{file}, {each.column}", cause=" ".join(causes), cure=cure)


class Rows:
    """The training rows of a dataset, read once for all groups that are written."""

    def __init__(self, dataset: Path) -> None:
        """`dataset` is the whole; it is read when a group is written first."""
        self.dataset = dataset
        self._table: Any = None

    def write(self, group: Group, directory: Path) -> Path:
        """Write a group's rows as a dataset, in the order they have in the whole, and return it.

        Args:
            group: whose rows.
            directory: to make; one that is there already, complete, is left as it is.
        """
        import pyarrow.parquet as pq

        if (directory / "ledger.json").is_file():
            return directory
        if self._table is None:
            self._table = pq.read_table(self.dataset / "train.parquet")
        table = with_paths_from(self._table.take(list(group.places)), self.dataset, directory)
        directory.mkdir(parents=True, exist_ok=True)
        with atomic_path(directory / "train.parquet") as temporary:
            pq.write_table(table, temporary, compression="zstd")
        digest = hash_file(directory / "train.parquet")
        made = {"part_of": str(self.dataset), "group": group.value, "rows": group.rows}
        write_json(directory / "ledger.json", {"schema_version": 1, "digest": digest, **made})
        return directory
