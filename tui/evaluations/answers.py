"""The stored answers of an evaluation, in pairs: what was asked of both models, and who was right.

Keys and scores are held, texts stay on disk: they are read for the lines on the screen, row group
by row group. For use in a worker thread; one call at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Mask = NDArray[np.bool_]

Kind = Literal["changed", "lost", "gained", "wrong", "all"]
KINDS: tuple[Kind, ...] = ("changed", "lost", "gained", "wrong", "all")
KIND_WORDS: dict[Kind, str] = {
    "changed": "lost and gained",
    "lost": "lost: right before, wrong now",
    "gained": "gained: wrong before, right now",
    "wrong": "wrong before and now",
    "all": "all items",
}
ORDERS = ("by ability", "greatest change first", "as asked")
_KEYS = ("task", "ability", "item_id", "cluster", "model", "score")
TEXTS = ("prompt", "gold", "output", "detail")
_WRONG_BELOW = 0.5
_BATCH_ROWS = 4_096
MOST_CHARACTERS = 200_000
"""Characters kept of one text; a cell may hold a megabyte."""


class UnreadableAnswers(Exception):
    """Why no answer can be shown, in one sentence."""


@dataclass(frozen=True)
class Wanted:
    """Which pairs to show, and in which order."""

    kind: Kind = "changed"
    ability: str = ""
    """Empty: all."""
    cluster: str = ""
    """Empty: all."""
    group: str = ""
    """A group of what failed, by name; needs `items`."""
    items: frozenset[str] = frozenset()
    """The items of the group, as `task/id`."""
    text: str = ""
    """In the prompt, the gold or one of the answers, whatever the case of letters."""
    order: int = 0


@dataclass(frozen=True)
class Answer:
    """One item as both models answered it; texts cut at `MOST_CHARACTERS`."""

    ability: str
    task: str
    item_id: str
    cluster: str
    base_score: float
    tuned_score: float
    prompt: str
    gold: str
    base_output: str
    tuned_output: str
    base_detail: str
    """Why the score of the base is what it is."""
    tuned_detail: str

    @property
    def key(self) -> str:
        """`task/id`, as records of failures name it."""
        return f"{self.task}/{self.item_id}"

    @property
    def kind(self) -> str:
        """lost, gained, or same."""
        if self.tuned_score < self.base_score:
            return "lost"
        return "gained" if self.tuned_score > self.base_score else "same"


class Answers:
    """All answers of two models to the same items."""

    def __init__(self, path: Path, base: str, tuned: str, abilities: Sequence[str]) -> None:
        """Read keys and scores.

        Args:
            path: `samples.parquet`.
            base: name in the column `model`.
            tuned: the other name.
            abilities: those whose scores are right or wrong, in the order to show them; others
                (perplexity) are shown where they are asked for by name.

        Raises:
            UnreadableAnswers: missing, damaged, without a column, or without these models.
        """
        import numpy as np

        self._path, self._lock = path, Lock()
        table, self._groups = _read_keys(path)
        columns = {name: table[name].combine_chunks() for name in _KEYS}
        self._names = {name: columns[name].dictionary.to_pylist() for name in _KEYS[:-1]}
        self._codes = {name: columns[name].indices.to_numpy() for name in _KEYS[:-1]}
        score = columns["score"].to_numpy(zero_copy_only=False)
        first, second = (self._rows_of(name) for name in (base, tuned))
        keys = self._keys()
        _, a, b = np.intersect1d(keys[first], keys[second], return_indices=True)
        in_file = np.argsort(first[a], kind="stable")
        self._base, self._tuned = first[a][in_file], second[b][in_file]
        self._before, self._after = score[self._base], score[self._tuned]
        if not self._base.size:
            raise UnreadableAnswers(f"{base} and {tuned} have no answered item in common here.")
        rank = {name: place for place, name in enumerate(abilities)}
        ranks = np.array([rank.get(name, len(rank)) for name in self._names["ability"]])
        self._rank = ranks[self._codes["ability"][self._base]]
        self._is_scored = self._rank < len(rank)

    def _rows_of(self, model: str) -> Places:
        import numpy as np

        known = self._names["model"]
        if model not in known:
            raise UnreadableAnswers(f"{model} has no answers in {self._path.name}.")
        return np.flatnonzero(self._codes["model"] == known.index(model))

    def _keys(self) -> Places:
        """Return a number for each row, equal for rows of one item."""
        import numpy as np

        keys = np.zeros(self._codes["task"].size, np.int64)
        for name in ("ability", "task", "item_id"):
            keys = keys * max(1, len(self._names[name])) + self._codes[name]
        return keys

    def __len__(self) -> int:
        """Return the number of pairs."""
        return int(self._base.size)

    def counts(self) -> tuple[int, int]:
        """Return how many scored items were lost and how many gained."""
        change = (self._after - self._before)[self._is_scored]
        return int((change < 0).sum()), int((change > 0).sum())

    def cluster_of(self, place: int) -> str:
        """Return the cluster of a pair; empty where the item is alone in it."""
        code = self._codes["cluster"][self._base[place]]
        alone = (self._codes["cluster"][self._base] == code).sum() < 2
        return "" if alone else str(self._names["cluster"][code])

    def find(self, wanted: Wanted, is_stale: Callable[[], bool] = lambda: False) -> Places:
        """Return the places of the pairs that are wanted, in order.

        Args:
            wanted: which.
            is_stale: asked between parts of a search of texts; then what was found is returned.
        """
        import numpy as np

        kept = self._of_kind(wanted.kind)
        if wanted.ability:
            kept &= self._is_named("ability", wanted.ability)
        elif wanted.kind != "all":
            kept &= self._is_scored
        if wanted.cluster:
            kept &= self._is_named("cluster", wanted.cluster)
        if wanted.group:
            kept &= self._is_among(wanted.items)
        if wanted.text:
            kept &= self._contains(wanted.text, kept, is_stale)
        places = np.flatnonzero(kept)
        change = (self._after - self._before)[places]
        keys = {0: (-np.abs(change), self._rank[places]), 1: (change,)}.get(wanted.order)
        return places if keys is None else places[np.lexsort(keys)]

    def _of_kind(self, kind: Kind) -> Mask:
        import numpy as np

        masks: dict[Kind, Callable[[], Mask]] = {
            "changed": lambda: self._after != self._before,
            "lost": lambda: self._after < self._before,
            "gained": lambda: self._after > self._before,
            "wrong": lambda: (self._after < _WRONG_BELOW) & (self._before < _WRONG_BELOW),
            "all": lambda: np.ones(len(self), bool),
        }
        if kind == "all":
            return masks[kind]()
        found: Mask = masks[kind]() & ~(np.isnan(self._after) | np.isnan(self._before))
        return found

    def _is_named(self, column: str, name: str) -> Mask:
        known = self._names[column]
        code = known.index(name) if name in known else -1
        found: Mask = self._codes[column][self._base] == code
        return found

    def _is_among(self, items: frozenset[str]) -> Mask:
        import numpy as np

        tasks, ids = self._names["task"], self._names["item_id"]
        task, item = (self._codes[name][self._base] for name in ("task", "item_id"))
        found = [f"{tasks[a]}/{ids[b]}" in items for a, b in zip(task, item, strict=True)]
        return np.array(found, bool)

    def _contains(self, text: str, kept: Mask, is_stale: Callable[[], bool]) -> Mask:
        """Return which pairs have a text, of those that are kept so far."""
        import numpy as np
        import pyarrow.compute as pc

        rows = np.zeros(self._codes["task"].size, bool)
        begin = 0
        with self._open() as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=["prompt", "gold", "output"]):
                if is_stale():
                    break
                found = [
                    pc.match_substring(column, text, ignore_case=True).fill_null(False)
                    for column in batch.columns
                ]
                either = np.logical_or.reduce([one.to_numpy(zero_copy_only=False) for one in found])
                rows[begin : begin + batch.num_rows] = either
                begin += batch.num_rows
        return kept & (rows[self._base] | rows[self._tuned])

    def prompts(self, places: Sequence[int]) -> dict[int, str]:
        """Return the prompts of pairs, shortened, for a list of them."""
        rows = {int(self._base[place]): int(place) for place in places}
        found = self._texts(rows, ("prompt",))
        return {rows[row]: _cut(texts["prompt"], 400) for row, texts in found.items()}

    def answer(self, place: int) -> Answer:
        """Return one pair with all its texts."""
        a, b = int(self._base[place]), int(self._tuned[place])
        texts = self._texts([a, b], TEXTS)

        def name(column: str) -> str:
            return str(self._names[column][self._codes[column][a]])

        return Answer(
            ability=name("ability"), task=name("task"), item_id=name("item_id"),
            cluster=name("cluster"),
            base_score=float(self._before[place]), tuned_score=float(self._after[place]),
            prompt=_cut(texts[a]["prompt"]), gold=_cut(texts[a]["gold"]),
            base_output=_cut(texts[a]["output"]), tuned_output=_cut(texts[b]["output"]),
            base_detail=_cut(texts[a]["detail"], 400), tuned_detail=_cut(texts[b]["detail"], 400),
        )  # fmt: skip

    def label(self, place: int) -> tuple[str, str, float, float]:
        """Return ability, item and both scores of a pair."""
        a = self._base[place]
        names = [str(self._names[name][self._codes[name][a]]) for name in ("ability", "item_id")]
        return names[0], names[1], float(self._before[place]), float(self._after[place])

    def keys_of(self, places: Iterable[int]) -> list[str]:
        """Return pairs as `task/id`."""
        tasks, ids = self._names["task"], self._names["item_id"]
        rows = [self._base[place] for place in places]
        return [f"{tasks[self._codes['task'][a]]}/{ids[self._codes['item_id'][a]]}" for a in rows]

    def _open(self) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self._path, memory_map=True)

    def _texts(self, rows: Iterable[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        """Return the texts of rows of the file; only their row groups are read."""
        from bisect import bisect_right

        of_group: dict[int, list[int]] = {}
        for row in sorted(rows):
            of_group.setdefault(bisect_right(self._groups, row) - 1, []).append(row)
        out: dict[int, dict[str, Any]] = {}
        with self._lock, self._open() as file:
            for group, wanted in of_group.items():
                begin = self._groups[group]
                for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns):
                    here = [row for row in wanted if begin <= row < begin + batch.num_rows]
                    for row in here:
                        values = {one: batch[one][row - begin].as_py() or "" for one in columns}
                        out[row] = values
                    begin += batch.num_rows
                    if begin > wanted[-1]:
                        break
        return out


def _read_keys(path: Path) -> tuple[Any, list[int]]:
    """Return the columns that are held, and the first row of each row group."""
    from itertools import accumulate

    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, read_dictionary=list(_KEYS[:-1])) as file:
            groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
            names = set(file.schema_arrow.names)
            table = file.read(columns=[name for name in _KEYS if name in names])
    except FileNotFoundError:
        raise UnreadableAnswers(
            f"The stored answers are missing: {path.name} is not in the evaluation's directory."
        ) from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise UnreadableAnswers(f"The stored answers cannot be read: {reason}") from error
    missing = [name for name in (*_KEYS, *TEXTS) if name not in names]
    if missing:
        raise UnreadableAnswers(f"{path.name} has no column {', '.join(missing)}.")
    table = table.unify_dictionaries()
    for name in _KEYS[:-1]:
        column = table[name]
        if column.null_count:
            column = pa.compute.fill_null(column.cast(pa.string()), "")
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table, [0, *accumulate(groups)]


def _cut(text: Any, most: int = MOST_CHARACTERS) -> str:
    text = str(text)
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]} ({left:,} more characters)"
