"""The first stage of `train.method: rft`: from prompts to a dataset of right completions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.inputs import Inputs
from train.method_sections import SftSection
from train.methods.base import Unusable
from train.methods.reinforcement import question
from train.plan import Prepared
from train.reinforcement_sections import RftSection
from train.reporter import Reporter
from train.rewards import RewardPlace, make_rewards
from train.sampling.drawn import FILE, Drawn, append, read
from train.sampling.keep import Account, keep
from workspace.errors import LimitExceeded
from workspace.files import hash_file, publish_directory, read_json, write_json
from workspace.jobs import Job

if TYPE_CHECKING:
    from train.rows import TokenRow

DATASET = "kept"
"""The directory in a run that holds what is learnt."""


def kept_inputs(run: Path, inputs: Inputs) -> Inputs | None:
    """Return what the second stage reads, or None where the first is not over.

    Args:
        run: the run's directory.
        inputs: of the recipe, with `train.method: rft`.
    """
    if not isinstance(inputs.section.method, RftSection) or not (run / DATASET).is_dir():
        return None
    section = inputs.section.model_copy(update={"method": SftSection()})
    return replace(inputs, section=section, dataset=run / DATASET)


def account_of(run: Path) -> dict[str, Any] | None:
    """Return the account of prompts and completions, if there is one."""
    file = run / DATASET / "ledger.json"
    return dict(read_json(file, kind="ledger")["sampling"]) if file.is_file() else None


def sample(run: Path, inputs: Inputs, prepared: Prepared, job: Job, reporter: Reporter) -> None:
    """Draw what is not drawn yet, and write the dataset of what is kept.

    Raises:
        Stopped: a signal asked for it; what is written is not drawn again.
        LimitExceeded: no completion is right, or a judge's budget is gone.
        WorkError: a reward fails.
    """
    method = inputs.section.method
    assert isinstance(method, RftSection)
    rows = [prepared.rows[place] for place in range(len(prepared.rows.parts[0]))]
    done = {(one.row_id, one.sample) for one in read(run / FILE)}
    missing = [
        (row, number)
        for row in rows
        for number in range(method.samples)
        if (row.row_id, number) not in done
    ]
    total = len(rows) * method.samples
    reporter.note(f"drawing {len(missing):,} of {total:,} completions")
    if missing:
        _draw(run, inputs, method, missing, total, job, reporter)
    drawn = list(read(run / FILE))
    kept, account = keep(method, [row.row_id for row in rows], drawn)
    for text in account.told:
        reporter.note(text)
    job.events.append("sampled", **{**account.as_dict(), "lost_ids": account.lost_ids[:20]})
    if not kept:
        raise LimitExceeded(
            "no completion is right",
            where="train.method",
            cause=f"{account.completions:,} completions of {account.prompts:,} prompts were drawn: "
            f"{account.lost['wrong']:,} wrong (the best reward is "
            f"{max((one.reward for one in drawn), default=0.0):g}, {method.least:g} is asked for), "
            f"{account.lost['cut']:,} cut at {method.max_new_tokens} tokens.",
            cure="Learn the form first with `sft` on some rows, raise train.method.samples or "
            "max_new_tokens, or lower train.method.threshold.",
        )
    _publish(run, rows, kept, account)


def _draw(
    run: Path,
    inputs: Inputs,
    method: RftSection,
    missing: Sequence[tuple[TokenRow, int]],
    total: int,
    job: Job,
    reporter: Reporter,
) -> None:
    from evalsuite.asking.backends.sampling import SamplingEngine
    from train.sampling.draw import draw

    cure = f"What is drawn is kept. Continue with: temper resume {run.name}"
    written = total - len(missing)
    rewards = make_rewards(
        method.rewards, method.max_new_tokens, RewardPlace(inputs.recipe.base_dir, run)
    )
    tokenizer = inputs.tokenizer

    def write(found: Sequence[Drawn]) -> None:
        nonlocal written
        append(run / FILE, found)
        written += len(found)
        reporter.working("drawing completions", written, total)
        job.check_stop(cure=cure)

    engine = SamplingEngine.load(inputs.source.path, tokenizer, inputs.model_section.dtype)
    try:
        draw(engine, tokenizer.decode, method, rewards, missing, inputs.section.seed, write)
    finally:
        for reward in rewards:
            for text in reward.notes() if reward.top is None else ():
                reporter.note(text)
            reward.close()


def _publish(run: Path, rows: Sequence[TokenRow], kept: Sequence[Drawn], account: Account) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    by_id = {row.row_id: row for row in rows}
    table = pa.Table.from_pylist([_row(by_id[one.row_id], one) for one in kept])
    with publish_directory(run / DATASET) as directory:
        pq.write_table(table, directory / "train.parquet", compression="zstd")
        digest = hash_file(directory / "train.parquet")
        ledger = {"schema_version": 1, "digest": digest, "sampling": account.as_dict()}
        write_json(directory / "ledger.json", ledger)


def _row(row: TokenRow, one: Drawn) -> dict[str, Any]:
    asked = question(row.row)
    assert not isinstance(asked, Unusable)
    plain = isinstance(asked.prompt, str)
    name = hashlib.sha256(json.dumps([one.row_id, one.sample]).encode()).hexdigest()[:32]
    meta = {**(row.row.record.get("meta") or {}), "parents": [one.row_id]}
    return {
        "id": name,
        "prompt": asked.prompt if plain else list(asked.prompt),
        "completion": one.text if plain else [{"role": "assistant", "content": one.text}],
        "meta": meta,
    }
