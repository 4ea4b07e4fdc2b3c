"""The account of every row and token: in = kept + dropped (+ made), per source and step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from curate.reasons import Reason
from workspace.errors import WorkError

SCHEMA_VERSION = 1


@dataclass
class Count:
    """Rows, and their tokens where a tokenizer is known."""

    rows: int = 0
    tokens: int | None = None

    def __add__(self, other: Count) -> Count:
        known = self.tokens is not None and other.tokens is not None
        tokens = (self.tokens or 0) + (other.tokens or 0) if known else None
        return Count(self.rows + other.rows, tokens)


@dataclass
class Entry:
    """What one step did to one source."""

    step: str
    source: str
    rows_in: Count
    kept: Count
    dropped: dict[str, Count] = field(default_factory=dict)
    """By reason code."""
    made: dict[str, Count] = field(default_factory=dict)
    """New rows, by reason code."""
    changed: dict[str, Count] = field(default_factory=dict)
    """Rows among the kept whose text is another than before, by reason code."""

    def imbalance(self) -> int:
        """Return rows in + made - kept - dropped, which must be 0."""
        gone = sum(count.rows for count in self.dropped.values())
        made = sum(count.rows for count in self.made.values())
        return self.rows_in.rows + made - self.kept.rows - gone

    @property
    def told(self) -> str:
        """What happened, by reason: `150 exact_duplicate; changed: 40 mojibake`; or a dash."""
        parts = [_listed(self.dropped)]
        parts += [
            f"{what}: {_listed(counts)}"
            for what, counts in (("changed", self.changed), ("made", self.made))
            if counts
        ]
        return "; ".join(filter(None, parts)) or "–"


@dataclass
class StepTime:
    """How long a step took."""

    step: str
    seconds: float
    notes: tuple[str, ...] = ()
    from_cache: bool = False
    """The outcome was computed by an earlier curation; the seconds are those of finding it."""


@dataclass
class Ledger:
    """All entries, in the order of the steps."""

    entries: list[Entry] = field(default_factory=list)
    times: list[StepTime] = field(default_factory=list)
    splits: dict[str, Count] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    """Per file: digest, row formats found, columns that nothing takes."""
    split_notes: tuple[str, ...] = ()
    tokens_by: str | None = None
    """Which tokenizer counted; None: tokens were not counted."""
    tokenizer: str | None = None
    """Digest of that tokenizer and its template."""
    from_cache: tuple[str, ...] = ()
    """The stages of which an earlier curation had the result, in their order."""
    scores: dict[str, str] = field(default_factory=dict)
    """Score → name of all that decides its numbers: kind, settings that matter, model."""

    @property
    def steps(self) -> list[str]:
        """Names of the steps, in their order, each once."""
        return list(dict.fromkeys(entry.step for entry in self.entries))

    def total(self, step: str) -> Entry:
        """Return the entry of a step summed over all sources."""
        chosen = [entry for entry in self.entries if entry.step == step]
        return Entry(
            step,
            "all",
            _sum(entry.rows_in for entry in chosen),
            _sum(entry.kept for entry in chosen),
            _by_reason(entry.dropped for entry in chosen),
            _by_reason(entry.made for entry in chosen),
            _by_reason(entry.changed for entry in chosen),
        )

    @property
    def rows_read(self) -> int:
        """Rows of all sources, usable or not."""
        return self.total(self.steps[0]).rows_in.rows

    @property
    def rows_kept(self) -> int:
        """Rows in all splits."""
        return sum(count.rows for count in self.splits.values())

    @property
    def rows_dropped(self) -> int:
        """Rows in `dropped.parquet`."""
        return sum(count.rows for entry in self.entries for count in entry.dropped.values())

    @property
    def rows_made(self) -> int:
        """Rows that steps made."""
        return sum(count.rows for entry in self.entries for count in entry.made.values())

    @property
    def balance(self) -> str:
        """The account in one line: in (+ made) = kept + dropped."""
        made = f" + {self.rows_made:,} made" if self.rows_made else ""
        return (
            f"{self.rows_read:,} in{made} = {self.rows_kept:,} kept + {self.rows_dropped:,} dropped"
        )

    def document(self) -> dict[str, Any]:
        """Return the ledger as it is written to `ledger.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "rows": {
                "in": self.rows_read,
                "kept": self.rows_kept,
                "dropped": self.rows_dropped,
                "made": self.rows_made,
            },
            "tokens_by": self.tokens_by,
            "tokenizer": self.tokenizer,
            "scores": self.scores,
            "from_cache": list(self.from_cache),
            "splits": {name: asdict(count) for name, count in self.splits.items()},
            "steps": [
                {
                    **_plain(self.total(time.step)),
                    "seconds": round(time.seconds, 3),
                    "from_cache": time.from_cache,
                    "notes": list(time.notes),
                }
                for time in self.times
            ],
            "entries": [_plain(entry) for entry in self.entries],
            "split_notes": list(self.split_notes),
            "sources": self.sources,
            "reasons": {reason.value: reason.description for reason in Reason},
        }


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "step": entry.step,
        "source": entry.source,
        "in": asdict(entry.rows_in),
        "kept": asdict(entry.kept),
        "dropped": {reason: asdict(count) for reason, count in entry.dropped.items()},
        "made": {reason: asdict(count) for reason, count in entry.made.items()},
        "changed": {reason: asdict(count) for reason, count in entry.changed.items()},
    }


def _listed(counts: Mapping[str, Count]) -> str:
    return ", ".join(f"{count.rows:,} {reason}" for reason, count in counts.items())


def _by_reason(accounts: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    total: dict[str, Count] = {}
    for account in accounts:
        for reason, count in account.items():
            total[reason] = total[reason] + count if reason in total else count
    return total


def _sum(counts: Iterable[Count]) -> Count:
    total: Count | None = None
    for count in counts:
        total = count if total is None else total + count
    return total or Count(0, None)


def verify(ledger: Ledger, dropped_rows: int, split_rows: Mapping[str, int]) -> None:
    """Check that not one row is unaccounted for; called before anything is published.

    Args:
        ledger: the account.
        dropped_rows: rows really in `dropped.parquet`.
        split_rows: rows really in each split's file.

    Raises:
        WorkError: an entry, the chain of steps, or a file does not add up.
    """
    wrong = [
        f"{entry.step} of {entry.source}: {entry.imbalance():+,} rows"
        for entry in ledger.entries
        if entry.imbalance()
    ]
    for earlier, later in zip(ledger.steps, ledger.steps[1:], strict=False):
        kept, then = ledger.total(earlier).kept.rows, ledger.total(later).rows_in.rows
        if kept != then:
            wrong.append(f"{earlier} kept {kept:,}, {later} was given {then:,}")
    made = ledger.rows_made
    if ledger.rows_read + made != ledger.rows_kept + ledger.rows_dropped:
        wrong.append(
            f"in {ledger.rows_read:,} + made {made:,} is not kept {ledger.rows_kept:,} + dropped "
            f"{ledger.rows_dropped:,}"
        )
    if dropped_rows != ledger.rows_dropped:
        wrong.append(f"dropped.parquet has {dropped_rows:,} rows, not {ledger.rows_dropped:,}")
    for name, count in ledger.splits.items():
        if split_rows.get(name) != count.rows:
            wrong.append(f"{name} has {split_rows.get(name)} rows, not {count.rows:,}")
    if wrong:
        raise WorkError(
            "the ledger does not balance; nothing was published",
            cause="\n".join(wrong),
            cure="This is a fault of welltempered: please report it with the recipe.",
        )
