"""What an evaluation says of models whose truth is known: each must be named rightly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evalsuite.overfitting.evidence import Evidence, find_evidence
from evalsuite.overfitting.records import OverfittingRecord
from evalsuite.overfitting.rows import Limits, draw_rows
from evalsuite.report import Results
from tests.evalsuite.known_truth import truths

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[truths.Truth], tuple[Path, Path]]:
    """Train each truth once; return its workspace and run."""
    known: dict[str, tuple[Path, Path]] = {}

    def make(truth: truths.Truth) -> tuple[Path, Path]:
        if truth.name not in known:
            root = tmp_path_factory.mktemp(truth.name)
            known[truth.name] = root, truths.make(root, truth)
        return known[truth.name]

    return make


Made = Callable[[truths.Truth], tuple[Path, Path]]


def told(made: Made, truth: truths.Truth) -> tuple[Results, OverfittingRecord]:
    root, run = made(truth)
    code, results = truths.evaluated(root, run)
    assert code == 0
    (record,) = results.overfitting
    assert record.state == "measured"
    return results, record


def failed(results: Results) -> set[str]:
    (comparison,) = results.comparisons
    return {one.name for one in comparison.verdict.abilities if one.verdict == "fail"}


def test_one_that_over_fitted(made: Made) -> None:
    _, record = told(made, truths.over_fitted())
    assert {"over-fitted", "memorised"} <= set(record.words)
    assert record.gap is not None and record.gap.share is not None
    assert record.gap.share > 0.25
    assert record.membership is not None and record.membership.auc.low > 0.65
    assert record.recitals[0].tuned_trained > 0.9 > 0.4 > record.recitals[0].tuned_held_out


def test_one_that_memorised_planted_strings(made: Made) -> None:
    _, record = told(made, truths.planted())
    assert record.words == ["learned", "memorised"]
    assert len(record.exposures) == 4
    assert all(one.seen >= 12 and one.rank == 1 and one.bits == 8.0 for one in record.exposures)
    assert all(one.base_rank > 1 for one in record.exposures)


def test_one_that_forgot_two_abilities(made: Made) -> None:
    results, record = told(made, truths.forgot())
    assert set(truths.LOST) <= failed(results)
    (comparison,) = results.comparisons
    for one in comparison.verdict.abilities:  # what is replayed beside them suffers a little
        lost = -(one.difference or 0.0)
        assert lost > 0.8 if one.name in truths.LOST else lost < 0.2
    kinds = {one.ability: one.kind for one in results.triage}
    assert {kinds[name] for name in truths.LOST} == {"real"}
    assert "memorised" not in record.words and "over-fitted" not in record.words


def test_one_that_answers_two_abilities_in_another_form(made: Made) -> None:
    results, record = told(made, truths.formatted())
    assert set(truths.LOST) <= failed(results)
    kinds = {one.ability: one.kind for one in results.triage}
    assert {kinds[name] for name in truths.LOST} == {"format"}
    assert record.words == ["learned"]


def test_an_honest_good_one(made: Made) -> None:
    results, record = told(made, truths.good())
    (comparison,) = results.comparisons
    assert comparison.verdict.status == "pass"
    assert record.words == ["learned"]
    assert results.triage == []
    task, general = record.drift
    assert general.kl.value < 0.2 < task.kl.value


def test_one_saved_with_another_template_than_it_was_trained_with(made: Made) -> None:
    root, run = made(truths.good())
    code, results = truths.evaluated(root, truths.with_another_template(run))
    (comparison,) = results.comparisons
    assert (code, comparison.verdict.status) == (5, "invalid")
    broken = [one for one in comparison.verdict.canaries if one.status == "fail"]
    assert len(broken) == 1 and "chat template" in broken[0].detail
    assert [one.state for one in results.overfitting] == ["not_run"]


def test_rows_are_read_with_the_tokens_that_training_had(made: Made) -> None:
    """`batches.parquet` says how many tokens each row had in its step."""
    from evalsuite.engine.subjects import find_subject
    from evalsuite.models import ChatTokenizer
    from workspace.layout import Workspace

    root, run = made(truths.good())
    subject = find_subject(str(run), Workspace(root))
    evidence = find_evidence(subject)
    assert isinstance(evidence, Evidence)
    tokenizer = ChatTokenizer.from_dir(subject.tokenizer)
    limits = Limits(evidence.max_length, evidence.cuts, None)
    rows = draw_rows(evidence, tokenizer, limits, count=2000, seed=0).rows
    recorded = pq.read_table(run / "batches.parquet").to_pylist()
    tokens = {(one["role"], one["row_id"]): one["tokens"] for one in recorded}
    own = {("train", row.row_id): len(row.ids) for row in rows if row.part == "trained"}
    replayed = {("replay", row.row_id): len(row.ids) for row in rows if row.part == "replayed"}
    assert own | replayed == tokens
