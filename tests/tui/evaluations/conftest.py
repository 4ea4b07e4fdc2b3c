"""An evaluation of two models, judged and stored as `temper eval` does."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.engine.questions import Sample
from evalsuite.engine.samples import write_samples
from evalsuite.report import Results, write_results
from evalsuite.triage.records import TriageRecord, WayRecord
from evalsuite.why.records import FailureGroup, NearRow
from tests.evalsuite.report.conftest import TEXTS, document, scores

ITEMS = 120
HOSTILE = "\x1b]52;c;aGk=\x07 [red]not markup[/red] \u202egnp.exe 你好 👩‍👩‍👧 [/]"


def results_of(drawn) -> Results:
    """Return the document with what was lost, in groups and asked again."""
    lost = [
        index
        for index, pair in enumerate(
            zip(drawn["capitals"]["base"], drawn["capitals"]["naive"], strict=True)
        )
        if pair[1] < pair[0]
    ]
    items = [f"capitals/capitals-{index:04d}" for index in lost[:5]]
    group = FailureGroup(
        model="naive", ability="capitals", verdict="fail", name="peru, capital", items=items,
        reason="5 of 5: not Lima",
        rows=[NearRow(id="row-1", similarity=0.31, text="Where is Peru? → team access")],
        sources=["row-1"],
    )  # fmt: skip
    way = WayRecord(name="as asked", items=100, base=0.99, tuned=0.1, low=0.05)
    again = TriageRecord(
        tuned="naive", ability="capitals", kind="format",
        sentence="capitals: format loss, the ability is there.",
        advice="Replay some rows of it.", ways=[way],
    )  # fmt: skip
    found = document(drawn)
    return found.model_copy(update={"failures": [group], "triage": [again]})


def samples_of(drawn, clusters: int = ITEMS) -> list[Sample]:
    """Return the stored answers; one prompt is hostile, one answer empty."""
    out = []
    for name, models in drawn.items():
        prompt, gold, wrong = TEXTS[name]
        for model, values in models.items():
            for index, value in enumerate(values):
                asked = HOSTILE if (name, index) == ("capitals", 1) else f"{prompt} ({index})"
                out.append(
                    Sample(
                        name, name, f"{name}-{index:04d}", f"{name}-{index % clusters}", model,
                        asked, gold, gold if value else wrong, float(value),
                        "" if value else "differs from the gold answer", -1.0, 24, 9, 0.01, False,
                    )
                )  # fmt: skip
    return out


@pytest.fixture(scope="session")
def drawn():
    """Return which items each model has right."""
    return scores(ITEMS, 0)


@pytest.fixture
def evaluation(made, drawn) -> Path:
    """Return the directory of an evaluation in the workspace of `made`."""
    results = results_of(drawn)
    directory = made.workspace.evals / results.id
    directory.mkdir(parents=True)
    write_results(directory, results)
    write_samples(directory / "samples.parquet", samples_of(drawn, clusters=60))
    return directory
