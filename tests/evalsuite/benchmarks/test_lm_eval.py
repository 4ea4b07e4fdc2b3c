"""Benchmarks through lm_eval: found before a model loads, scored as lm_eval itself scores."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evalsuite.tasks import LoadedSuite, find_suite, load_suite
from workspace.errors import DataError, RecipeError, TemperError, UsageError, WorkError
from workspace.layout import Workspace

needs_lm_eval = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="needs the extra `bench`"
)
ITEMS = 12
TASKS = {
    "our_choice": """\
output_type: multiple_choice
doc_to_text: "Which is larger? {{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{gold}}"
num_fewshot: 2
fewshot_split: shots
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true},
  {metric: acc_norm, aggregation: mean, higher_is_better: true}]
""",
    "our_writing": """\
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{options[gold]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 6, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
filter_list:
  - {name: first-word, filter: [{function: regex, regex_pattern: "(\\\\w+)"},
      {function: take_first}]}
  - {name: whole, filter: [{function: take_first}]}
""",
    "our_text": """\
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}} {{options[0]}}"
metric_list: [{metric: word_perplexity}, {metric: bits_per_byte}]
""",
    "our_word": """\
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: " {{options[gold]}}"
metric_list: [{metric: perplexity, aggregation: perplexity, higher_is_better: false},
  {metric: acc, aggregation: mean, higher_is_better: true}]
""",
}
SUITE = "schema_version: 1\nname: public\npurpose: retention\nmin_items: 10\ntasks:\n"


def written(directory: Path) -> Path:
    """Write tasks as lm_eval reads them, and return their directory."""
    include = directory / "peer"
    include.mkdir()
    rows = [
        {
            "question": f"{n} or {n * 7 % 10}?",
            "options": [str(n), str(n * 7 % 10 + 10)],
            "gold": n % 2,
        }
        for n in range(ITEMS)
    ]
    files = {
        "test": rows,
        "shots": [{**row, "question": f"so, {row['question']}"} for row in rows[:4]],
    }
    for name, records in files.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    places = {name: str(directory / f"{name}.jsonl") for name in files}
    for name, text in TASKS.items():
        data = json.dumps({"data_files": places})
        head = f"task: {name}\ndataset_path: json\ndataset_kwargs: {data}\ntest_split: test\n"
        (include / f"{name}.yaml").write_text(head + text)
    return include


def suite(directory: Path, *tasks: str) -> LoadedSuite:
    """Load a suite of benchmarks, each given as the YAML of its `lm_eval`."""
    listed = "".join(
        f"  - {{name: t{number}, kind: lm_eval, lm_eval: {{include_path: peer, {task}}}}}\n"
        for number, task in enumerate(tasks)
    )
    path = directory / "public.yaml"
    path.write_text(SUITE + listed)
    return load_suite(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("benchmarks")
    written(directory)
    return directory


def test_a_missing_extra_is_told_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    path = find_suite("lm_eval:hellaswag,arc_easy", Workspace(tmp_path))
    with pytest.raises(UsageError, match="lm_eval is not installed") as caught:
        load_suite(path)
    assert caught.value.cure == 'pip install "welltempered[bench]"'


@pytest.mark.parametrize("name", ["lm_eval:", "lm_eval:a,,b", "lm_eval:a,a"])
def test_names_of_benchmarks_must_be_there_and_differ(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no names of benchmarks"):
        load_suite(find_suite(name, Workspace(tmp_path)))


def test_a_benchmark_has_no_prompt_of_ours(tmp_path: Path) -> None:
    for task, said in (
        ("{name: t, kind: lm_eval}", "`lm_eval`, which kind lm_eval needs"),
        ("{name: t, kind: lm_eval, lm_eval: {task: a}, prompt: x}", "no `prompt`"),
        ("{name: t, kind: lm_eval, lm_eval: {task: a}, data: x}", "no `data`"),
        ("{name: t, kind: choice, data: x, gold: g, choices: c, lm_eval: {task: a}}", "`lm_eval`"),
    ):
        path = tmp_path / "s.yaml"
        path.write_text(f"{SUITE}  - {task}\n")
        with pytest.raises(RecipeError, match=re.escape(said)):
            load_suite(path)


def test_only_one_package_imports_lm_eval() -> None:
    root = Path(__file__).parents[3]
    pattern = re.compile(r"^\s*(?:import|from) lm_eval", re.MULTILINE)
    found = {
        path.relative_to(root).parts[:2]
        for package in ("workspace", "evalsuite", "curate", "train", "tui")
        for path in (root / package).rglob("*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    }
    assert found == {("evalsuite", "benchmarks")}


def test_a_suite_without_benchmarks_imports_no_lm_eval() -> None:
    code = (
        "import sys; from evalsuite.tasks import load_suite; from evalsuite.builtin import "
        "suite_path; load_suite(suite_path('triage')); print('lm_eval' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@needs_lm_eval
@pytest.mark.filterwarnings("ignore")
def test_documents_become_items(place: Path) -> None:
    loaded = suite(place, "task: our_choice", "task: our_text", "task: our_writing, filter: whole")
    choice, text, writing = loaded.tasks
    first = choice.items[1]
    assert first.question == "Which is larger? 1 or 7?"
    assert (first.choices, first.gold) == (("1", "17"), "17")
    assert text.items[0].text == "0 or 0? 0"
    assert writing.items[1].gold == "17"
    assert len({item.id for item in choice.items}) == ITEMS
    assert choice.notes == ("t0: asked through lm_eval, scored by acc",)


@needs_lm_eval
@pytest.mark.filterwarnings("ignore")
def test_items_are_drawn_by_the_seed(place: Path) -> None:
    one, again, other = (
        [
            item.id
            for item in suite(place, f"task: our_choice, items: 5, seed: {seed}").tasks[0].items
        ]
        for seed in (1, 1, 2)
    )
    assert one == again != other
    assert len(one) == 5


@needs_lm_eval
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("task", "where", "said"),
    [
        ("task: our_choise", "lm_eval:our_choise", "Did you mean `our_choice`?"),
        ("task: our_choice, metric: accuracy", "our_choice: metric", "one of acc, acc_norm"),
        ("task: our_word, metric: perplexity", "our_word: metric", "cannot be paired"),
        ("task: our_writing, filter: last", "our_writing: filter", "one of first-word, whole"),
    ],
)
def test_what_a_benchmark_does_not_have_is_told_before_a_model_loads(
    place: Path, task: str, where: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        suite(place, task)
    assert caught.value.where.endswith(where)
    assert said in str(caught.value)


@needs_lm_eval
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("process_docs: !function utils.steal", "!function"),
        ("class: !!python/name:os.system", "class:"),
        ("include: ../../elsewhere.yaml", "include"),
        ("metric_list: [{metric: someone/on_the_hub}]", "someone/on_the_hub"),
    ],
)
def test_tasks_that_name_code_are_refused_unread(tmp_path: Path, line: str, said: str) -> None:
    include = written(tmp_path)
    (include / "utils.py").write_text("raise SystemExit('run')")
    path = include / "our_word.yaml"
    path.write_text(re.sub(r"(?m)^metric_list.*(\n  .*)*", "", path.read_text()) + line + "\n")
    with pytest.raises(DataError, match="names code") as caught:
        suite(tmp_path, "task: our_choice")
    assert "our_word.yaml:" in caught.value.where
    assert said in caught.value.cause


@needs_lm_eval
@pytest.mark.filterwarnings("ignore")
def test_a_template_of_a_task_cannot_run_code(tmp_path: Path) -> None:
    include = written(tmp_path)
    path = include / "our_word.yaml"
    hostile = '"{{ question.__class__.__mro__[1].__subclasses__() }}"'
    path.write_text(path.read_text().replace('"{{question}}"', hostile))
    with pytest.raises(TemperError, match="SecurityError"):
        suite(tmp_path, "task: our_word")


def alone(model_dir: Path, place: Path, name: str, model: Any) -> dict[str, Any]:
    """Ask lm_eval itself, as its documentation says."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import AutoTokenizer

    peer = HFLM(
        pretrained=model, tokenizer=AutoTokenizer.from_pretrained(model_dir), batch_size=4,
        softmax_dtype="float32", max_length=128,
    )  # fmt: skip
    return dict(
        lm_eval.simple_evaluate(
            model=peer, tasks=[name], bootstrap_iters=0, apply_chat_template=True,
            task_manager=TaskManager(include_path=str(place / "peer"), include_defaults=False),
        )
    )  # fmt: skip


@needs_lm_eval
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_scores_are_those_of_lm_eval_itself(place: Path, tiny_model: Path, tmp_path: Path) -> None:
    from evalsuite.benchmarks.asking import ask_benchmark
    from evalsuite.engine.batching import BatchLimits
    from evalsuite.engine.forward import Engine
    from evalsuite.engine.questions import Asker
    from evalsuite.models import ChatTokenizer
    from evalsuite.models.load import load_model

    model = load_model(tiny_model).requires_grad_(False)
    model.generation_config.max_new_tokens = None
    asker = Asker(ChatTokenizer.from_dir(tiny_model), 128)
    wanted = {"our_choice": "acc_norm", "our_writing": "exact_match", "our_word": "acc"}
    tasks = [f"task: {name}, metric: {metric}" for name, metric in wanted.items()]
    loaded = suite(place, *tasks, "task: our_text")
    for task in loaded.tasks:
        assert task.benchmark is not None
        name = task.benchmark.section.task
        ours = ask_benchmark(Engine(model, 0), task, asker, "m", BatchLimits(), lambda: None)
        theirs = alone(tiny_model, place, name, model)
        figures = theirs["results"][name]
        mean = math.fsum(sample.score for sample in ours) / len(ours)
        if name == "our_text":
            sizes = [len(item.text.encode()) for item in task.items]
            total = math.fsum(-s.logprob for s in ours) / sum(sizes) / math.log(2)
            assert total == pytest.approx(figures["bits_per_byte,none"], abs=1e-6)
            continue
        key = f"{wanted[name]},{task.benchmark.filter}"
        assert mean == pytest.approx(figures[key], abs=1e-9), name
        if name == "our_choice":
            peers = sorted(theirs["samples"][name], key=lambda one: one["doc_id"])
            best = [max(float(pair[0]) for pair in one["filtered_resps"]) for one in peers]
            assert all(s.logprob <= b + 1e-5 for s, b in zip(ours, best, strict=True))
            assert "so, " in str(peers[0]["arguments"][0][0])


class Watcher:
    """Counts what is told."""

    def __init__(self) -> None:
        self.last = (0, 0)
        self.beats = 0

    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        self.last, self.beats = (done, total), self.beats + 1


@needs_lm_eval
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_base_and_adapter_are_compared_on_one_resident_model(
    place: Path, tiny_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    """Each side scores what lm_eval scores for a model that was loaded afresh."""
    import pyarrow.parquet as pq
    from peft import PeftModel

    from evalsuite.engine.request import EvalRequest
    from evalsuite.engine.subjects import find_subject
    from evalsuite.models.load import load_model
    from evalsuite.models.source import directory_source
    from evalsuite.run import run_evaluation

    workspace = Workspace(tmp_path)
    loaded = suite(place, "task: our_choice", "task: our_text")
    subject = find_subject(str(tiny_adapter), workspace)
    base = directory_source(tiny_model, name="tiny")
    request = EvalRequest("test", base, (subject,), (loaded,), dtype="float32")
    watcher = Watcher()
    result = run_evaluation(request, workspace, watcher)
    assert watcher.last == (4 * ITEMS, 4 * ITEMS)
    assert watcher.beats > 4
    verdict = result.results.comparisons[0].verdict
    assert {canary.status for canary in verdict.canaries} <= {"pass", "not_run"}
    abilities = {ability.name: ability for ability in verdict.abilities}
    assert [abilities[name].n for name in ("t0", "t1")] == [ITEMS, ITEMS]
    assert (abilities["t0"].chance, abilities["t1"].chance) == (0.5, None)
    rows = pq.read_table(result.directory / "samples.parquet").to_pylist()
    for name in ("base", "adapter"):
        model: Any = load_model(tiny_model).requires_grad_(False)
        if name == "adapter":
            model = PeftModel.from_pretrained(model, tiny_adapter)
        theirs = alone(tiny_model, place, "our_text", model)["samples"]["our_text"]
        wanted = {one["doc_id"]: float(one["bits_per_byte"][0]) for one in theirs}
        ours = [row for row in rows if row["model"] == name and row["task"] == "t1"]
        assert [row["item_id"].split("-")[0] for row in ours] == [str(n) for n in range(ITEMS)]
        for row in ours:
            place_in_task = int(row["item_id"].split("-")[0])
            assert row["logprob"] == pytest.approx(wanted[place_in_task], abs=1e-4)
    assert abilities["t1"].difference != 0


def test_where_only_our_own_engine_asks_benchmarks_are_refused(tmp_path: Path) -> None:
    from evalsuite.benchmarks.names import named_suite, refuse_benchmarks
    from evalsuite.tasks import LoadedTask

    path = Path("lm_eval:hellaswag,arc_easy")
    spec = named_suite(path)
    assert [(task.name, task.measures) for task in spec.tasks] == [
        ("hellaswag", "hellaswag"),
        ("arc_easy", "arc_easy"),
    ]
    assert (spec.name, spec.purpose) == ("lm_eval-hellaswag-arc_easy", "retention")
    loaded = LoadedSuite(spec, path, tuple(LoadedTask(task, ()) for task in spec.tasks))
    with pytest.raises(UsageError, match=r"train\.probe does not ask benchmarks") as caught:
        refuse_benchmarks([loaded], "train.probe")
    assert caught.value.where == "lm_eval:hellaswag,arc_easy: hellaswag"


@needs_lm_eval
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_memory_that_runs_out_halves_the_batches_and_other_documents_are_told(
    place: Path, tiny_model: Path
) -> None:
    from dataclasses import replace

    import torch

    from evalsuite.benchmarks.asking import ask_benchmark
    from evalsuite.engine.batching import BatchLimits
    from evalsuite.engine.forward import Engine
    from evalsuite.engine.questions import Asker
    from evalsuite.models import ChatTokenizer
    from evalsuite.models.load import load_model

    engine = Engine(load_model(tiny_model).requires_grad_(False), 0)
    asker = Asker(ChatTokenizer.from_dir(tiny_model), 128)
    (task,) = suite(place, "task: our_text").tasks
    calls: list[int] = []

    def full_at_first() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    limits = BatchLimits(rows=4)
    calm = ask_benchmark(engine, task, asker, "m", limits)
    halved = ask_benchmark(engine, task, asker, "m", limits, full_at_first)
    assert [s.logprob for s in halved] == pytest.approx([s.logprob for s in calm], abs=1e-4)
    assert len(calls) == 1 + ITEMS // 2

    def always_full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(WorkError, match="one item alone"):
        ask_benchmark(engine, task, asker, "m", limits, always_full)
    assert task.benchmark is not None
    hashes = ("of another document", *task.benchmark.hashes[1:])
    changed = replace(task, benchmark=replace(task.benchmark, hashes=hashes))
    with pytest.raises(WorkError, match="other documents than were read"):
        ask_benchmark(engine, changed, asker, "m", limits)
    assert "tie_weights" not in vars(engine.model)
