"""The steps of a recipe, one after the other, each to what the one before kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from curate.accounting import enter_step
from curate.caching.memory import Memory
from curate.caching.store import link_or_copy
from curate.decisions import Decisions
from curate.frame import ALTERED, DROPPED, NEAREST, ROW, SIMILARITIES, BaseFrame, rewritten
from curate.ledger import Ledger, StepTime
from curate.schema import CANARY
from curate.scores import Scores, scored_base
from curate.sinking import sink
from curate.steps.base import Outcome, Private, Step, StepContext
from curate.steps.quality.masks import Masks
from workspace.files import hash_file
from workspace.text import plain

_WITH_WHAT = ALTERED | {"what": pl.String}


@dataclass(frozen=True)
class Rows:
    """The rows as a step leaves them."""

    base: BaseFrame
    """All of them."""
    frame: pl.LazyFrame
    """Those that are still there."""
    places: pl.DataFrame
    """`_row`, `source`, `tokens` of those."""
    known: bool = True
    """They hold what `base` holds, and nothing else."""

    @classmethod
    def all_of(cls, base: BaseFrame) -> Rows:
        """Return the rows before the first step."""
        return cls(base, base.scan(), _places(base.scan()))

    @property
    def digest(self) -> str:
        """A digest of which rows are still there."""
        return hashlib.blake2b(self.places[ROW].to_numpy().tobytes(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Applied:
    """What a step came to."""

    dropped: pl.DataFrame
    altered: pl.DataFrame
    """As `Outcome.changed` and `made`, with `what`."""
    notes: tuple[str, ...]
    base: BaseFrame | None
    """All rows as they are now, if any is another than before."""
    frame: pl.LazyFrame | None = None
    """The rows that stay; None: those of the base that were not dropped."""
    private: Private | None = None
    scores: Scores | None = None
    """Numbers that it measured; the base has them too."""
    nearest: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NEAREST))
    similarities: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SIMILARITIES))


@dataclass(frozen=True)
class Steps:
    """What all steps of one curation share."""

    context: StepContext
    memory: Memory
    ledger: Ledger
    masks: Masks
    work: Path
    decisions: Decisions
    stop: Callable[[], None]
    """Raises if a signal asked for a stop."""
    check: Callable[[str, pl.DataFrame, BaseFrame], None]
    """Called with the name of a step, what it dropped, and all rows; may stop the work."""

    def apply(
        self, steps: Sequence[Step], base: BaseFrame
    ) -> tuple[Rows, pl.DataFrame, pl.DataFrame]:
        """Return the rows that stay, the account of those dropped, and of those altered."""
        rows = Rows.all_of(base)
        dropped = [pl.DataFrame(schema=DROPPED)]
        altered = [pl.DataFrame(schema=_WITH_WHAT)]
        for number, step in enumerate(steps, 1):
            self.context.tell(step.name.replace("_", " "))
            begun = time.monotonic()
            name = _fresh(step.name, self.ledger)
            key = self._key(step, rows)
            done = self.memory.recall(name.replace("_", " "), key, partial(_load, before=base))
            found = done is not None
            if done is None:
                with self.masks.in_errors():
                    done = self._applied(step, rows, f"after-step-{number}")
                if done.private is None and done.scores is None and done.frame is None:
                    self.memory.keep(key, partial(_save, done=done))
            gone, now = (
                frame.with_columns(pl.lit(name).alias("step"))
                for frame in (done.dropped, done.altered)
            )
            after = self._after(rows, done, key)
            enter_step(self.ledger, name, rows.places, after.places, gone, now)
            rows, base = after, after.base
            seconds = time.monotonic() - begun
            notes = (*self.masks.notes(done.notes), *_planted_dropped(gone, base))
            self.ledger.times.append(StepTime(name, seconds, notes, found))
            self._remember(name, done)
            self.check(name, gone, base)
            dropped.append(gone)
            altered.append(now)
        return rows, pl.concat(dropped), pl.concat(altered)

    def _remember(self, name: str, done: Applied) -> None:
        """Keep what a step found beside the rows."""
        if done.private is not None:
            self.context.private.append(done.private)
        if done.scores is not None:
            names = done.scores.names
            self.ledger.scores |= dict.fromkeys(names, done.scores.fingerprint)
        named = pl.lit(name).alias("step")
        self.context.nearest.append(done.nearest.with_columns(named))
        self.context.similarities.append(done.similarities.with_columns(named))

    def _key(self, step: Step, rows: Rows) -> str | None:
        """Return the name of the step's outcome, or None where it must be applied anew."""
        depends_on = getattr(step, "depends_on", None)
        if depends_on is None or self.memory.base_key is None or not rows.known:
            return None
        depends = depends_on(self.context)
        if depends is None:
            return None
        kept = sorted(self.decisions.keep)
        return self.memory.of_base("step", rows.digest, step.name, depends, kept)

    def _applied(self, step: Step, rows: Rows, name: str) -> Applied:
        outcome = step.apply(rows.frame, self.context)
        outcome = self.decisions.spare(outcome, rows.frame, self.context)
        self.memory.said += outcome.run_notes
        altered = _altered(outcome)
        base = None
        if altered.height or outcome.marked:
            base = rewritten(rows.base, outcome.kept, self.work, name, self.stop)
        if outcome.scores is not None:
            base = scored_base(base or rows.base, outcome.scores, f"{name}-scored", self.stop)
        if base is not None and altered.height:
            base = _recounted(base, altered[ROW], self.context)
        usual = base is not None or _columns(outcome.kept) == _columns(rows.base.scan())
        return Applied(
            outcome.dropped,
            altered,
            outcome.notes,
            base,
            None if usual else outcome.kept,
            outcome.private,
            outcome.scores,
            outcome.nearest,
            outcome.similarities,
        )

    def _after(self, rows: Rows, done: Applied, key: str | None) -> Rows:
        left = rows.places.join(done.dropped.select(ROW), on=ROW, how="anti", maintain_order="left")
        if done.base is None:
            frame = _those(rows.base, left[ROW]) if done.frame is None else done.frame
            return Rows(rows.base, frame, left, rows.known and done.frame is None)
        if self.memory.base_key is not None:
            named = key or hash_file(done.base.path)
            # With what it was: a template decides what is trained, and the rows do not tell it.
            self.memory.base_key = self.memory.key("rows", named, self.memory.base_key)
        if done.altered.height:
            self.context.rebase(done.base.scan())
        else:  # marks alone: what was computed of the texts holds
            self.context.base = done.base.scan()
        made = done.altered.filter(pl.col("what") == "made")[ROW]
        frame = _those(done.base, pl.concat([left[ROW], made]))
        return Rows(done.base, frame, _places(frame))


def _places(frame: pl.LazyFrame) -> pl.DataFrame:
    return frame.select(ROW, "source", tokens_of(frame)).collect()


def tokens_of(frame: pl.LazyFrame) -> pl.Expr:
    """Return the token count of each row; null where none were counted."""
    known = "tokens" in _columns(frame)
    return pl.col("tokens") if known else pl.lit(None, pl.Int32).alias("tokens")


def _columns(frame: pl.LazyFrame) -> list[str]:
    return frame.collect_schema().names()


def _those(base: BaseFrame, rows: pl.Series) -> pl.LazyFrame:
    """Return the rows of the base at these positions, in the base's order."""
    return base.scan().join(rows.to_frame().lazy(), on=ROW, how="semi", maintain_order="left")


def _altered(outcome: Outcome) -> pl.DataFrame:
    both = [
        frame.with_columns(pl.lit(what).alias("what"))
        for what, frame in (("changed", outcome.changed), ("made", outcome.made))
    ]
    return pl.concat(both)


def _recounted(base: BaseFrame, rows: pl.Series, context: StepContext) -> BaseFrame:
    """Count the tokens of changed and new rows again, where tokens are counted at all."""
    if context.model is None:
        return base
    from curate.counting import tokens_of_rows

    some = base.scan().join(rows.unique().to_frame().lazy(), on=ROW, how="semi").sort(ROW)
    total = rows.n_unique()
    tokens = tokens_of_rows(
        some, base.type, context.model, lambda done: context.advance(done, total, "rows")
    )
    again = some.select(ROW).collect().with_columns(tokens.alias("again"))
    path = base.path.with_name(f"{base.path.stem}-counted.parquet")
    frame = base.scan().join(again.lazy(), on=ROW, how="left", maintain_order="left")
    known = pl.col(ROW).is_in(again[ROW].implode())
    counted = frame.with_columns(
        pl.when(known).then("again").otherwise("tokens").alias("tokens")
    ).drop("again")
    sink(counted, path, check=lambda: context.advance(total, total, "rows"))
    base.path.unlink()
    return BaseFrame(path, base.type, base.misfits)


def _planted_dropped(gone: pl.DataFrame, base: BaseFrame) -> tuple[str, ...]:
    """Return what is to be said where a step dropped planted strings; nothing where it did not."""
    if not gone.height or CANARY not in base.scan().collect_schema():
        return ()
    planted = base.scan().filter(pl.col(CANARY).is_not_null()).select(ROW, CANARY)
    names = planted.join(gone.lazy().select(ROW), on=ROW, how="semi").collect()[CANARY]
    if not len(names):
        return ()
    return (
        f"WARNING: {len(names):,} planted rows of {names.n_unique():,} strings were dropped here "
        f"({plain(str(names[0]), 40)} …): training sees each less often than planted.",
    )


def _fresh(name: str, ledger: Ledger) -> str:
    """A step that is there twice is `name`, then `name 2`."""
    taken = sum(1 for step in ledger.steps if step.split()[0] == name)
    return name if not taken else f"{name} {taken + 1}"


def _save(directory: Path, done: Applied) -> None:
    done.dropped.write_parquet(directory / "dropped.parquet", compression="lz4")
    done.altered.write_parquet(directory / "altered.parquet", compression="lz4")
    done.nearest.write_parquet(directory / "nearest.parquet", compression="lz4")
    done.similarities.write_parquet(directory / "similarities.parquet", compression="lz4")
    (directory / "notes.json").write_text(json.dumps(done.notes), encoding="utf-8")
    if done.base is not None:
        link_or_copy(done.base.path, directory / "base.parquet")


def _load(directory: Path, before: BaseFrame) -> Applied:
    path = directory / "base.parquet"
    return Applied(
        pl.read_parquet(directory / "dropped.parquet", glob=False),
        pl.read_parquet(directory / "altered.parquet", glob=False),
        tuple(json.loads((directory / "notes.json").read_bytes())),
        BaseFrame(path, before.type, before.misfits) if path.is_file() else None,
        nearest=pl.read_parquet(directory / "nearest.parquet", glob=False),
        similarities=pl.read_parquet(directory / "similarities.parquet", glob=False),
    )
