"""An evaluation from end to end with tiny real models."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import Subject, find_subject
from evalsuite.models.source import directory_source
from evalsuite.recipe import EvalSection
from evalsuite.report import read_results
from evalsuite.run import run_evaluation
from evalsuite.tasks import LoadedSuite, load_suite
from workspace.errors import ModelError, Stopped, UsageError
from workspace.layout import Workspace


@dataclass
class Watcher:
    stop_after: int | None = None
    batches: list[tuple[str, str, int, int]] = field(default_factory=list)

    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        self.batches.append((model, task, done, total))
        if self.stop_after is not None and len(self.batches) >= self.stop_after:
            raise Stopped(15)


@dataclass
class Bench:
    workspace: Workspace
    base: Path
    suites: list[LoadedSuite]

    def request(self, *subjects: Subject, **fields: object) -> EvalRequest:
        settings = EvalSection(batch_rows=7, noise_items=6)
        base = directory_source(self.base, name="tiny")
        given = {"settings": settings, "dtype": "float32", **fields}
        return EvalRequest("test", base, subjects, tuple(self.suites), **given)  # type: ignore[arg-type]

    def subject(self, path: Path) -> Subject:
        return find_subject(str(path), self.workspace)


@pytest.fixture
def bench(tiny_model: Path, tmp_path: Path, suite_writer: Callable[[Path], list[Path]]) -> Bench:
    paths = suite_writer(tmp_path / "suites")
    return Bench(Workspace(tmp_path), tiny_model, [load_suite(path) for path in paths])


def test_base_adapter_and_full_model_are_compared_on_the_same_items(
    bench: Bench, tiny_adapter: Path, model_maker: Callable[..., Path], tmp_path: Path
) -> None:
    full = model_maker(tmp_path / "full", seed=9)
    watcher = Watcher()
    request = bench.request(bench.subject(tiny_adapter), bench.subject(full))
    result = run_evaluation(request, bench.workspace, watcher)
    results = read_results(result.directory)
    assert [model.name for model in results.models] == ["base", "adapter", "full"]
    assert [comparison.tuned for comparison in results.comparisons] == ["adapter", "full"]
    for comparison in results.comparisons:
        assert comparison.verdict.status != "invalid"
        assert [ability.n for ability in comparison.verdict.abilities] == [24] * 6
        assert {canary.status for canary in comparison.verdict.canaries} <= {"pass", "not_run"}
    table = pq.read_table(result.directory / "samples.parquet")
    assert table.num_rows == 24 * 6 * 3
    by_model = {
        model: [row for row in table.to_pylist() if row["model"] == model]
        for model in ("base", "adapter", "full")
    }
    ids = {model: [row["item_id"] for row in rows] for model, rows in by_model.items()}
    assert ids["base"] == ids["adapter"] == ids["full"]
    outputs = {model: [row["output"] for row in rows] for model, rows in by_model.items()}
    assert outputs["base"] != outputs["adapter"] != outputs["full"]
    assert {path.name for path in result.reports} == {"report.html", "report.md", "junit.xml"}
    assert all(path.is_file() for path in result.reports)
    assert watcher.batches[-1][2:] == (24 * 6 * 3, 24 * 6 * 3)


def test_an_adapter_without_effect_makes_the_evaluation_invalid(
    bench: Bench, adapter_maker: Callable[..., Path], tmp_path: Path
) -> None:
    idle = adapter_maker(bench.base, tmp_path / "idle", active=False)
    result = run_evaluation(bench.request(bench.subject(idle)), bench.workspace, Watcher())
    verdict = result.results.comparisons[0].verdict
    assert (verdict.status, verdict.exit_code) == ("invalid", 5)
    assert [canary.name for canary in verdict.canaries if canary.status == "fail"] == [
        "tuned model is active"
    ]
    assert all(ability.difference is None for ability in verdict.abilities)


def test_a_stopped_evaluation_loses_at_most_one_batch_and_ends_the_same(
    bench: Bench, tiny_adapter: Path, tmp_path: Path
) -> None:
    request = bench.request(bench.subject(tiny_adapter))
    whole = run_evaluation(request, Workspace(tmp_path / "other"), Watcher())
    stopped = Watcher(stop_after=9)
    with pytest.raises(Stopped):
        run_evaluation(request, bench.workspace, stopped)
    assert not list(bench.workspace.evals.glob("*/results.json"))
    again = run_evaluation(request, bench.workspace, Watcher())
    kept = next(note for note in again.results.notes if "kept from an earlier" in note)
    assert kept.startswith(f"{stopped.batches[-1][2]:,} of ")
    columns = ["model", "item_id", "output", "score", "logprob"]
    one, two = (
        pq.read_table(result.directory / "samples.parquet", columns=columns)
        for result in (whole, again)
    )
    assert one.equals(two)


DRIVER = """
import sys
from pathlib import Path
from evalsuite.engine.request import EvalRequest
from evalsuite.engine.subjects import find_subject
from evalsuite.models.source import directory_source
from evalsuite.recipe import EvalSection
from evalsuite.run import run_evaluation
from evalsuite.tasks import load_suite
from workspace.layout import Workspace

class Watcher:
    def doing(self, what): pass
    def answered(self, model, task, done, total): print(done, flush=True)

root, base, adapter, *suites = map(Path, sys.argv[1:])
workspace = Workspace(root)
request = EvalRequest(
    "test", directory_source(base, name="tiny"), (find_subject(str(adapter), workspace),),
    tuple(map(load_suite, suites)), EvalSection(batch_rows=2, noise_items=6), "float32",
)
run_evaluation(request, workspace, Watcher())
"""


@pytest.mark.slow
def test_kill_9_loses_at_most_one_batch(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path, suite_writer: Callable[..., list[Path]]
) -> None:
    suites = [str(path) for path in suite_writer(tmp_path / "suites")]
    command = [sys.executable, "-P", "-c", DRIVER, str(tmp_path), str(tiny_model)]
    command += [str(tiny_adapter), *suites]
    done, rng = 0, random.Random(7)
    for lines in sorted(rng.sample(range(5, 130), 2)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for number, line in enumerate(child.stdout, start=1):
                done = int(line)
                if number == lines:
                    child.kill()
                    break
        assert child.returncode == -9
    last = subprocess.run(command, capture_output=True, text=True, check=True)
    (path,) = (tmp_path / "evals").glob("*/results.json")
    kept = next(note for note in json.loads(path.read_text())["notes"] if "kept from an" in note)
    assert int(kept.split()[0].replace(",", "")) >= done
    assert last.stdout.splitlines()[-1] == str(24 * 6 * 2)
    other = [*command[:4], str(tmp_path / "other"), *command[5:]]
    subprocess.run(other, capture_output=True, text=True, check=True)
    (whole,) = (tmp_path / "other" / "evals").glob("*/results.json")
    results = [json.loads(one.read_text()) for one in (path, whole)]
    for found in results:
        for changing in ("id", "created", "seconds", "notes"):  # notes say what was kept
            found.pop(changing)
    assert results[0] == results[1]
    columns = ["model", "item_id", "output", "score", "logprob"]
    tables = [
        pq.read_table(one.parent / "samples.parquet", columns=columns) for one in (path, whole)
    ]
    assert tables[0].equals(tables[1])


def test_prompts_alone_measure_the_base_and_recommend(bench: Bench) -> None:
    result = run_evaluation(bench.request(prompts=True), bench.workspace, Watcher())
    names = [(found.name, found.ability) for found in result.results.prompt_baselines]
    assert names == [
        ("zero-shot", "gain-write"), ("few-shot", "gain-write"), ("retrieved", "gain-write"),
        ("zero-shot", "gain-choose"),
    ]  # fmt: skip
    zero, few, *_ = result.results.prompt_baselines
    assert zero.n == few.n == 24
    assert zero.prompt_tokens is not None and few.prompt_tokens is not None
    assert few.prompt_tokens > zero.prompt_tokens
    best = {one.ability: (one.chosen_on, one.n) for one in result.results.best_prompts}
    assert best == {"gain-write": (12, 12), "gain-choose": (12, 12)}
    assert "of gain-write" in result.recommendation
    assert result.results.comparisons == []


def test_prompts_want_a_target_that_is_right_or_wrong(bench: Bench) -> None:
    gain, keep = bench.suites
    read = [task for task in gain.spec.tasks if task.kind == "perplexity"]
    only_read = replace(gain, spec=gain.spec.model_copy(update={"tasks": read}))
    for suites in ([keep], [only_read, keep]):
        bench.suites = suites
        with pytest.raises(UsageError, match="measures the base on a target suite"):
            bench.request(prompts=True).check()


def test_few_shot_puts_examples_before_base_and_tuned_alike(
    bench: Bench, tiny_adapter: Path
) -> None:
    settings = EvalSection(few_shot=True, noise_items=0)
    request = bench.request(bench.subject(tiny_adapter), settings=settings)
    result = run_evaluation(request, bench.workspace, Watcher())
    assert "examples before every item of: gain-write, keep-write" in result.results.notes
    table = pq.read_table(result.directory / "samples.parquet").to_pylist()
    asked = [row["prompt"] for row in table if row["task"] == "gain-write"]
    assert asked[:24] == asked[24:]
    assert all(prompt.count("assistant: ") == 2 for prompt in asked)


def _break(path: Path) -> None:
    """Let a model give NaN."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    model.save_pretrained(path)


def test_a_model_that_gives_nan_is_invalid_by_name_and_item_and_others_are_measured(
    bench: Bench, model_maker: Callable[..., Path], tmp_path: Path, tiny_adapter: Path
) -> None:
    path = model_maker(tmp_path / "broken", seed=3)
    _break(path)
    request = bench.request(bench.subject(path), bench.subject(tiny_adapter))
    broken, fine = run_evaluation(request, bench.workspace, Watcher()).results.comparisons
    assert (broken.verdict.status, broken.verdict.exit_code) == ("invalid", 5)
    said = [reason for reason in broken.verdict.reasons if reason.startswith("every prob")]
    assert re.search(r"broken gave NaN at item items-\d+ of task gain-write .*items.jsonl", said[0])
    assert all(ability.tuned is None for ability in broken.verdict.abilities)
    assert fine.verdict.status != "invalid"
    assert [ability.n for ability in fine.verdict.abilities] == [24] * 6


def test_a_base_that_gives_nan_voids_every_comparison(
    bench: Bench, tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    _break(shutil.copytree(tiny_model, tmp_path / "broken"))
    request = replace(bench, base=tmp_path / "broken").request(bench.subject(tiny_adapter))
    (comparison,) = run_evaluation(request, bench.workspace, Watcher()).results.comparisons
    assert comparison.verdict.status == "invalid"
    assert any("base gave NaN at item" in reason for reason in comparison.verdict.reasons)
    states = [ability.state for ability in comparison.verdict.abilities]
    assert states == ["error", *["not_run"] * 5]


def test_a_prompt_that_cannot_be_tried_ends_no_evaluation(
    bench: Bench, tiny_model: Path, tmp_path: Path
) -> None:
    _break(shutil.copytree(tiny_model, tmp_path / "broken"))
    request = replace(replace(bench, base=tmp_path / "broken").request(), prompts=True)
    results = run_evaluation(request, bench.workspace, Watcher()).results
    assert "prompt 'zero-shot' was not tried on task gain-write: the model gave NaN" in "\n".join(
        results.notes
    )
    assert results.prompt_baselines == results.recommendations == []


NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}"
    "{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_task_that_the_template_refuses_is_an_error_of_its_ability_alone(
    bench: Bench, model_maker: Callable[..., Path], adapter_maker: Callable[..., Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    base = model_maker(tmp_path / "strict", template=NO_SYSTEM)
    adapter = adapter_maker(base, tmp_path / "adapter")
    keep = (tmp_path / "suites" / "keep.yaml").read_text()
    asked = keep.replace("kind: choice\n", 'kind: choice\n    system: "Be brief."\n')
    (tmp_path / "suites" / "keep.yaml").write_text(asked)
    suites = [load_suite(tmp_path / "suites" / f"{name}.yaml") for name in ("gain", "keep")]
    bench = replace(bench, base=base, suites=suites)
    result = run_evaluation(
        bench.request(bench.subject(adapter)), bench.workspace, Watcher()
    ).results
    abilities = {one.name: one for one in result.comparisons[0].verdict.abilities}
    refused = abilities.pop("keep-choose")
    assert (refused.state, refused.verdict, refused.n) == ("error", "not measured", 0)
    assert "no system turn" in refused.detail
    assert {one.n for one in abilities.values()} == {24}
    assert result.comparisons[0].verdict.status != "pass"


def test_items_that_the_model_cannot_read_are_left_out_counted_and_never_kept(
    bench: Bench, tiny_adapter: Path, tmp_path: Path
) -> None:
    file = tmp_path / "suites" / "items.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[5]["question"] = "a" * 600
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    keep = (tmp_path / "suites" / "keep.yaml").read_text()
    (tmp_path / "suites" / "keep.yaml").write_text(
        keep.replace("max_new_tokens: 6", "max_new_tokens: 600")
    )
    suites = [load_suite(tmp_path / "suites" / f"{name}.yaml") for name in ("gain", "keep")]
    request = replace(bench, suites=suites).request(bench.subject(tiny_adapter))
    results = run_evaluation(request, bench.workspace, Watcher()).results
    abilities = {one.name: one for one in results.comparisons[0].verdict.abilities}
    assert {name: one.n for name, one in abilities.items()} == {
        "gain-write": 23, "gain-choose": 23, "gain-read": 24,
        "keep-write": 0, "keep-choose": 23, "keep-read": 24,
    }  # fmt: skip
    assert (
        "gain/gain-choose: 1 of 24 items are longer than the model reads (512 tokens with the "
        "answer); left out for base and tuned alike: items-5 (items.jsonl:6)"
    ) in results.notes
    never = abilities["keep-write"]
    assert (never.state, never.verdict) == ("incompatible", "not measured")
    assert "all 24 items are longer" in never.detail
    assert results.comparisons[0].verdict.status != "pass"


def test_suites_of_which_no_item_fits_the_model_are_refused_with_the_reason(
    bench: Bench, tiny_adapter: Path
) -> None:
    keep = bench.suites[1]
    write = keep.tasks[0]
    longer = replace(write, spec=write.spec.model_copy(update={"max_new_tokens": 600}))
    bench = replace(bench, suites=[replace(keep, tasks=(longer,))])
    with pytest.raises(ModelError, match="nothing to ask") as caught:
        run_evaluation(bench.request(bench.subject(tiny_adapter)), bench.workspace, Watcher())
    assert "all 24 items are longer than the model reads" in caught.value.cause


def test_a_task_with_words_that_the_base_does_not_know_is_incompatible(
    bench: Bench, tiny_adapter: Path, tiny_model: Path, tmp_path: Path
) -> None:
    base = shutil.copytree(tiny_model, tmp_path / "base")
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    like = tokenizer["added_tokens"][-1]
    tokenizer["added_tokens"].append({**like, "id": 5000, "content": "w7"})
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    subject = replace(bench.subject(tiny_adapter), tokenizer=base)
    request = replace(bench, base=base).request(subject)
    results = run_evaluation(request, bench.workspace, Watcher()).results
    abilities = {one.name: one for one in results.comparisons[0].verdict.abilities}
    assert {name for name, one in abilities.items() if one.state == "incompatible"} == {
        "gain-choose", "keep-choose"
    }  # fmt: skip
    assert "tokens that the model does not know" in abilities["gain-choose"].detail


def test_models_with_another_template_are_not_compared_in_one_command(
    bench: Bench, tiny_adapter: Path, model_maker: Callable[..., Path], tmp_path: Path
) -> None:
    other = model_maker(
        tmp_path / "other", seed=4, template="{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    request = bench.request(bench.subject(tiny_adapter), bench.subject(other))
    with pytest.raises(UsageError, match="different tokenizers or chat templates"):
        run_evaluation(request, bench.workspace, Watcher())


def test_a_run_with_another_template_than_at_training_is_invalid(
    bench: Bench, tiny_adapter: Path, tmp_path: Path, run_writer: Callable[..., Path]
) -> None:
    run = run_writer(tmp_path / "runs" / "20261120-000000-mine-abcd", bench.base, tiny_adapter)
    fine = run_evaluation(bench.request(bench.subject(run)), bench.workspace, Watcher())
    assert fine.results.comparisons[0].verdict.status != "invalid"
    assert fine.results.comparisons[0].tuned == "mine"
    record = json.loads((run / "run.json").read_text())
    record["template_digest"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    result = run_evaluation(bench.request(bench.subject(run)), bench.workspace, Watcher())
    verdict = result.results.comparisons[0].verdict
    assert verdict.status == "invalid"
    assert "changed since training: chat template" in verdict.reasons[0]


def test_an_empty_directory_given_as_a_model_is_told_what_it_lacks(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(ModelError, match="not a model directory"):
        bench.subject(tmp_path / "m")


def test_a_padding_token_that_the_model_does_not_know_is_replaced(
    bench: Bench, tiny_model: Path, tmp_path: Path, model_maker: Callable[..., Path]
) -> None:
    full = model_maker(tmp_path / "full", seed=9)
    for path in (full, shutil.copytree(tiny_model, tmp_path / "base")):
        tokenizer = json.loads((path / "tokenizer.json").read_text())
        like = tokenizer["added_tokens"][-1]
        tokenizer["added_tokens"].append({**like, "id": 5000, "content": "<|new pad|>"})
        (path / "tokenizer.json").write_text(json.dumps(tokenizer))
        config = json.loads((path / "tokenizer_config.json").read_text())
        config["pad_token"] = "<|new pad|>"
        (path / "tokenizer_config.json").write_text(json.dumps(config))
    request = replace(bench, base=tmp_path / "base").request(bench.subject(full))
    assert run_evaluation(request, bench.workspace, Watcher()).results.comparisons
