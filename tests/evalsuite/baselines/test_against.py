"""`temper bless`, `temper eval --against` and `temper history`, as typed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

import evalsuite.cli
from workspace.cli import run
from workspace.context import Context

FIRST, SECOND = "20261120-000000-first-abcd", "20261121-000000-second-abcd"


def temper(*arguments: str) -> int:
    from evalsuite.models import ModelSection
    from evalsuite.recipe import EvalSection

    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def root(ctx: typer.Context) -> None:
        ctx.obj = Context(
            lambda: {"model": ModelSection, "evaluate": EvalSection}, ("temper", *arguments)
        )

    evalsuite.cli.register(app)
    return run(lambda: app(list(arguments)))


@pytest.fixture(scope="module")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: Path,
    tiny_adapter: Path,
    adapter_maker: Callable[..., Path],
    suite_writer: Callable[..., list[Path]],
    run_writer: Callable[..., Path],
) -> Path:
    """A workspace with two runs, the first of them evaluated and blessed as `good`."""
    root = tmp_path_factory.mktemp("workspace")
    suite_writer(root / "suites")
    run_writer(root / "runs" / FIRST, tiny_model, tiny_adapter)
    other = adapter_maker(tiny_model, root / "other", seed=5)
    run_writer(root / "runs" / SECOND, tiny_model, other)
    record = root / "runs" / SECOND / "run.json"
    record.write_text(record.read_text().replace('"name": "mine"', '"name": "second"'))
    (root / "temper.yaml").write_text(
        f"name: tiny\nmodel: {{path: {tiny_model}, dtype: float32}}\n"
        "evaluate:\n  suites: [gain, keep]\n  batch_rows: 32\n  noise_items: 4\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert temper("eval", FIRST) == 0
        assert temper("bless", "latest", "good", "--why", "it answers well") == 0
    return root


@pytest.fixture
def workspace(evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = shutil.copytree(evaluated, tmp_path / "w")
    monkeypatch.chdir(root)
    return root


def results(root: Path) -> dict[str, Any]:
    newest = max((root / "evals").glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    document: dict[str, Any] = json.loads((newest / "results.json").read_text())
    return document


def test_a_run_is_held_against_a_blessed_one_on_equal_items(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    earlier = results(workspace)
    assert temper("eval", "second", "--against", "good", "--gate") in (1, 3)
    told = capsys.readouterr().out
    assert "second against baseline good" in told
    found = results(workspace)
    one, two = found["comparisons"]
    assert (one["base"], one["tuned"]) == ("base", "second")
    assert (two["base"], two["tuned"]) == ("baseline good", "second")
    assert {ability["purpose"] for ability in two["verdict"]["abilities"]} == {"retention"}
    before = {
        ability["name"]: ability["tuned"]
        for ability in earlier["comparisons"][0]["verdict"]["abilities"]
    }
    assert {a["name"]: a["base"] for a in two["verdict"]["abilities"]} == pytest.approx(before)
    assert [model["name"] for model in found["models"]] == ["base", "second", "baseline good"]
    report = next(workspace.glob(f"evals/{found['id']}/report.html")).read_text()
    assert "second against baseline good" in report
    assert "baseline good" in (workspace / "evals" / found["id"] / "junit.xml").read_text()


def test_a_new_base_is_held_against_the_old_one(
    workspace: Path, model_maker: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    new = model_maker(workspace / "newer", seed=9)
    assert temper("eval", "--base", str(new), "--against", "latest") == 0
    found = results(workspace)
    (comparison,) = found["comparisons"]
    assert comparison["tuned"] == "base"
    assert comparison["base"].startswith("20")
    assert comparison["verdict"]["abilities"][0]["n"] == 24


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("keep.yaml", "margin: 0.5", "margin: 0.25"),
         "Suite keep had margin 0.5, now 0.25."),
        (("keep.yaml", "max_new_tokens: 6", "max_new_tokens: 7"),
         "another digest: a scorer, a limit or another field changed"),
        (("items.jsonl", '"items-0", "question": "', '"items-0", "question": "odd '),
         "1 item changed, the first is items-0."),
    ],
)  # fmt: skip
def test_other_items_or_terms_are_refused_with_what_differs(
    workspace: Path, change: tuple[str, str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, old, new = change
    path = workspace / "suites" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert temper("eval", "second", "--against", "good") == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_another_precision_a_changed_file_and_an_unknown_name_are_refused(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("eval", "second", "--against", "good", "--set", "model.dtype=bfloat16") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "dtype float32 then and bfloat16 now" in told
    assert temper("eval", "second", "--against", "gud") == 2
    assert "Blessed are: good." in " ".join(capsys.readouterr().err.split())
    with next(workspace.glob("evals/2*/results.json")).open("a") as file:
        file.write("\n")
    assert temper("eval", "second", "--against", "good") == 2
    assert "The file was changed." in " ".join(capsys.readouterr().err.split())


def test_blessing_again_keeps_what_the_name_stood_for(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("bless", "latest", "good", "--model", "base") == 0
    record = json.loads((workspace / "baselines" / "good.json").read_text())
    assert record["blessed"]["model"] == "base"
    assert [one["why"] for one in record["earlier"]] == ["it answers well"]
    capsys.readouterr()
    assert temper("bless", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "good"
    assert temper("bless", "latest", "good", "--model", "nobody") == 2
    assert temper("bless", "latest", "Bad Name") == 2
    assert temper("bless", "latest") == 2


def test_an_invalid_evaluation_cannot_be_blessed(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(workspace.glob("evals/2*/results.json"))
    document = json.loads(path.read_text())
    document["comparisons"][0]["verdict"]["status"] = "invalid"
    path.write_text(json.dumps(document))
    assert temper("bless", "latest", "bad") == 2
    assert "an invalid evaluation cannot be blessed" in capsys.readouterr().err


def test_top_up_asks_in_looks(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert temper("eval", FIRST, "--top-up") == 0
    found = results(workspace)
    asked = [note for note in found["notes"] if note.startswith("look ")]
    assert "look 1: 60 items of 6 abilities asked" in asked[0]
    abilities = found["comparisons"][0]["verdict"]["abilities"]
    assert {one["n"] for one in abilities} <= {10, 17, 24}
    assert all(one["looks"] == {10: 1, 17: 2, 24: 3}[one["n"]] for one in abilities)
    assert len({one["n"] for one in abilities}) > 1


def test_what_failed_is_written_for_augment(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = workspace / "suites" / "gain.yaml"
    suite.write_text(suite.read_text().replace("margin: 0.5", "margin: 0.5\nmin_gain: 0.3"))
    items = (workspace / "suites" / "items.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in items]
    trained = [
        {"id": f"row{n}", "prompt": f"gain {row['question']}", "completion": "x"}
        for n, row in enumerate(rows)
    ]
    (workspace / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(trained), workspace / "data" / "train.parquet")
    record = workspace / "runs" / SECOND / "run.json"
    document = json.loads(record.read_text()) | {"dataset": str(workspace / "data")}
    record.write_text(json.dumps(document))
    assert temper("eval", "second", "--suite", "gain", "--failures", "gaps.jsonl") == 0
    gaps = [json.loads(line) for line in (workspace / "gaps.jsonl").read_text().splitlines()]
    found = results(workspace)
    failed = [one for one in found["failures"] if one["verdict"] == "fail"]
    assert len(gaps) == len(failed) > 0
    assert all(gap["from"][0].startswith("row") and gap["rows"] >= 1 for gap in gaps)
    assert f"{len(gaps)} gaps for `augment.target.deficits`" in capsys.readouterr().err
    page = (workspace / "evals" / found["id"] / "report.html").read_text()
    assert "What failed" in page and "row" in page


def test_history_is_a_line_for_each_ability(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("eval", FIRST, "--suite", "keep") == 0
    broken = workspace / "evals" / "20261101-000000-broken-aaaa"
    broken.mkdir()
    (broken / "results.json").write_text("{")
    capsys.readouterr()
    assert temper("history", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["evaluations"] == 2
    assert len(found["unreadable"]) == 1
    lines = {line["ability"]: line for line in found["lines"]}
    assert len(lines["gain-write"]["points"]) == 1
    assert len(lines["keep-write"]["points"]) == 2
    assert lines["keep-write"]["change"] is None  # other suites: other items beside it
    assert temper("history", "mine", "--ability", "keep-choose") == 0
    told = capsys.readouterr().out
    assert "mine against base" in told and "keep-choose" in told and "gain-write" not in told
    assert temper("history", "nobody") == 2
