"""Distillation: the loss by hand, teachers that are refused, resumption, whether it is learnt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train.preferences import golden, metrics, resumes_bit_for_bit
from train.recipe import TrainSection
from train.record import read_record
from workspace.errors import ModelError, RecipeError, UsageError

LORA = {"kind": "lora", "r": 4}


def make_teacher(model: Path, directory: Path, *, spare: int = 0, context: int = 128) -> Path:
    """A wider, surer Llama with the model's tokenizer, and `spare` rows that no token has."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    shutil.copytree(model, directory, ignore=shutil.ignore_patterns("*.safetensors"))
    config = AutoConfig.from_pretrained(model)
    config.hidden_size, config.intermediate_size, config.num_attention_heads = 48, 96, 4
    config.head_dim, config.max_position_embeddings = 12, context
    config.vocab_size += spare
    torch.manual_seed(7)
    made = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(5.0 if parameter.ndim > 1 else 1.0)
    made.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def teacher(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher for the tiny model; do not change it."""
    return make_teacher(tiny_model, tmp_path_factory.mktemp("teacher") / "wide")


@pytest.fixture(scope="session")
def padded(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose output matrix has more rows than there are tokens."""
    return make_teacher(tiny_model, tmp_path_factory.mktemp("padded") / "wide", spare=24)


def distil(teacher: Any, **options: Any) -> dict[str, Any]:
    method = {"kind": "distill", "teacher": str(teacher), "chunk": 3, **options}
    return {"method": method, "adapter": LORA}


def build(bench: Any, train: dict[str, Any]) -> Any:
    """Return trl's trainer for a recipe, not yet run."""
    from transformers import AutoTokenizer

    from evalsuite.models.load import load_model
    from train.checkpoints import CheckpointStore
    from train.inputs import find_inputs
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer
    from workspace.jobs import run_job

    inputs = find_inputs(bench.recipe(train), bench.workspace)
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(
            inputs.prepare(), store, job, 0, "cpu", "float32", lambda report: None,
            teacher=inputs.teacher,
        )  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(bench.model)
        return build_trainer(load_model(bench.model), tokenizer, request)


def by_hand(trainer: Any, teacher: Any, method: dict[str, Any]) -> tuple[float, float]:
    """Return the mean cross-entropy and divergence of the first step, row by row in float64."""
    import torch

    prepared, heat = trainer.request.prepared, method.get("temperature", 1.0)
    entropy = apart = 0.0
    tokens = 0
    for index in prepared.schedule.batch(0):
        (one,) = prepared.rows[index].sequences
        ids, keep = torch.tensor(one.input_ids[None].astype("int64")), one.loss_mask[1:]
        with torch.no_grad():
            found = trainer.model(input_ids=ids).logits[0, :-1].double()
            aims = teacher(input_ids=ids).logits[0, :-1].double()[:, : found.shape[1]]
        picked = found.log_softmax(-1)[torch.arange(len(found)), ids[0, 1:]]
        q, p = (found / heat).softmax(-1), (aims / heat).softmax(-1)
        m = (p + q) / 2
        each = {
            "forward": (p * (p / q).log()).sum(-1),
            "reverse": (q * (q / p).log()).sum(-1),
            "jsd": ((p * (p / m).log()).sum(-1) + (q * (q / m).log()).sum(-1)) / 2,
        }[method.get("direction", "forward")]
        entropy -= float(picked[keep].sum())
        apart += float(each[keep].sum())
        tokens += int(keep.sum())
    return entropy / tokens, apart / tokens


@pytest.mark.parametrize(
    ("options", "adapter", "spare"),
    [
        ({}, LORA, False),
        ({"direction": "reverse", "temperature": 2.0, "weight": 0.9}, {"kind": "full"}, False),
        ({"direction": "jsd", "temperature": 0.7, "weight": 1.0}, LORA, False),
        ({"temperature": 3.0}, {**LORA, "trainable_tokens": ["card"]}, True),
    ],
)
def test_the_loss_is_that_by_hand(
    bench: Any, teacher: Path, padded: Path, options: Any, adapter: Any, spare: bool
) -> None:
    """(1 - w) cross-entropy + w T² divergence, also where the teacher's matrix is padded."""
    from evalsuite.models.load import load_model
    from tests.train.preferences import disturb
    from train.run import _quiet_libraries

    named = padded if spare else teacher
    train = {**distil(named, **options), "adapter": adapter, "micro_batch_size": 4}
    trainer = build(bench, train)
    disturb(trainer.model)
    entropy, apart = by_hand(trainer, load_model(named), train["method"])
    assert apart > 0.02
    batches = list(trainer.get_train_dataloader())[:2]
    trainer.current_gradient_accumulation_steps = 2
    tokens = sum(int((one["labels"][:, 1:] != -100).sum()) for one in batches)
    with _quiet_libraries():
        found = sum(float(trainer.training_step(trainer.model, one, tokens)) for one in batches)
    weight, heat = options.get("weight", 0.5), options.get("temperature", 1.0)
    assert trainer.distance.value == pytest.approx(apart, abs=1e-5)
    assert found == pytest.approx((1 - weight) * entropy + weight * heat**2 * apart, abs=1e-5)


def test_the_teacher_learns_nothing(bench: Any, teacher: Path) -> None:
    from evalsuite.models.load import load_model

    trainer = build(bench, {**distil(teacher), "steps": 1, "adapter": {"kind": "full"}})
    inner = trainer.distance.base.model
    trainer.train()
    assert not inner.training and not any(one.requires_grad for one in inner.parameters())
    for name, value in load_model(teacher).state_dict().items():
        assert inner.state_dict()[name].equal(value), name


@pytest.mark.parametrize(
    ("name", "options"),
    [("distill lora", {"temperature": 2.0}), ("distill reverse", {"direction": "reverse"})],
)
def test_the_loss_trajectory_is_the_golden_one_and_no_split_changes_it(
    bench: Any,
    losses: Callable[[Path], list[float]],
    teacher: Path,
    name: str,
    options: dict[str, Any],
) -> None:
    """8 rows at once = 1 row eight times, and 3 tokens at once = 1,000."""
    whole = losses(bench.train({**distil(teacher, **options), "micro_batch_size": 8}))
    assert whole == pytest.approx(golden(name), abs=1e-5)
    shutil.rmtree(bench.workspace.runs)
    shutil.rmtree(bench.workspace.jobs)
    split = {**distil(teacher, **{**options, "chunk": 1000}), "micro_batch_size": 1}
    assert losses(bench.train(split)) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize(
    "adapter",
    [{**LORA, "dropout": 0.1}, pytest.param({"kind": "full"}, marks=pytest.mark.slow)],
)
def test_a_stopped_run_continues_bit_for_bit(
    bench: Any, losses: Callable[[Path], list[float]], teacher: Path, adapter: dict[str, Any]
) -> None:
    train = {**distil(teacher), "adapter": adapter, "checkpoint_every": 2}
    assert resumes_bit_for_bit(bench, losses, train)


@pytest.mark.slow
def test_the_student_moves_towards_the_teacher_on_rows_it_never_saw(
    bench: Any, teacher: Path
) -> None:
    """Half of the divergence is gone on chats that were not trained on; sft leaves more."""
    from evalsuite.models.load import load_model

    def held_out(directory: Path) -> float:
        bench.dataset("toy", bench.chats(20, start=200))
        trainer = build(bench, {**distil(teacher), "batch_size": 20, "steps": 1})
        trainer.model = load_model(directory)
        return by_hand(trainer, load_model(teacher), {})[1]

    learnt = {"steps": 30, "adapter": {"kind": "full"}, "learning_rate": 0.01}
    run = bench.train({**distil(teacher, weight=1.0), **learnt})
    steps = [event["values"]["teacher_distance"] for event in metrics(bench)]
    before, after = held_out(bench.model), held_out(run / "model")
    assert after < 0.5 * before and steps[-1] < 0.5 * steps[0]
    record = read_record(run)
    assert record["method"] == "distill" and record["teacher"]["path"] == str(teacher)


def test_memory_runs_out_and_the_run_goes_on(
    bench: Any, losses: Callable[[Path], list[float]], teacher: Path, monkeypatch: Any
) -> None:
    """Fewer rows at once, the teacher loaded again, and the very losses of an untroubled run."""
    import torch

    from train.trl_bridge.distance import Frozen

    wanted = losses(bench.train({**distil(teacher), "micro_batch_size": 8}))
    real, seen = Frozen.hidden, [0]

    def short(self: Any, inputs: Any, rows: Any, mask: Any) -> Any:
        seen[0] += 1
        if seen[0] > 4 and len(inputs["input_ids"]) > 4:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, inputs, rows, mask)

    monkeypatch.setattr(Frozen, "hidden", short)
    found = losses(bench.train({**distil(teacher), "micro_batch_size": 8}))
    assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.slow
def test_the_rehearsal_measures_with_the_teacher(bench: Any, tiny_model: Path) -> None:
    """A teacher of 77 MB beside a student of 0.1 MB."""
    large = make_teacher(tiny_model, bench.root / "large", spare=400_000)
    peaks = []
    for train in ({"adapter": LORA}, distil(large)):
        run = bench.train({**train, "steps": 2, "rehearsal": "always"})
        rehearsal = json.loads((run / "rehearsal.json").read_text())
        peaks.append(rehearsal["measured"]["peak_bytes"])
    settings = json.loads((run / "plan.json").read_text())["settings"]
    weights = settings["teacher_parameters"]["value"]
    assert peaks[1] - peaks[0] > 0.8 * 4 * weights > 50e6
    assert settings["compared_tokens"]["value"] == 320


def test_the_estimate_counts_the_teacher(bench: Any, teacher: Path) -> None:
    from train.estimate.ways import way_of
    from train.planning import estimate_recipe

    def planned(train: dict[str, Any]) -> Any:
        estimate = estimate_recipe(bench.recipe(train), bench.prepare(train))
        name = way_of(TrainSection.model_validate(train))
        return estimate.planned(next(one for one in estimate.question.ways if one.name == name))

    weights = bench.prepare(distil(teacher)).plan["teacher_parameters"]
    assert planned(distil(teacher)).reference == 2 * weights
    assert planned({"adapter": LORA}).reference == 0


def test_a_teacher_with_other_tokens_is_refused(bench: Any, teacher: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(teacher, other)
    file = other / "tokenizer.json"
    document = json.loads(file.read_text())
    vocabulary = document["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    file.write_text(json.dumps(document))
    with pytest.raises(ModelError, match="different vocabularies") as caught:
        bench.prepare(distil(other))
    assert "2 of" in caught.value.cause and "'a' is" in caught.value.cause
    assert "method: sft" in caught.value.cure
    # another chat template is no other vocabulary
    shutil.copyfile(teacher / "tokenizer.json", file)
    (other / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert bench.prepare(distil(other)).plan["teacher"]


def test_a_teacher_that_reads_less_is_refused(bench: Any, tiny_model: Path, tmp_path: Path) -> None:
    short = make_teacher(tiny_model, tmp_path / "short", context=16)
    with pytest.raises(ModelError, match="longer than what the teacher reads") as caught:
        bench.prepare(distil(short))
    assert "train.max_length: 16" in caught.value.cure


def test_a_reward_model_is_refused(bench: Any, teacher: Path, tmp_path: Path) -> None:
    scorer = tmp_path / "scorer"
    shutil.copytree(teacher, scorer)
    config = json.loads((scorer / "config.json").read_text())
    config["architectures"] = ["LlamaForSequenceClassification"]
    (scorer / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot teach writing"):
        bench.prepare(distil(scorer))


def test_a_teacher_that_is_not_there_is_refused(bench: Any) -> None:
    with pytest.raises(UsageError, match="no teacher 'nobody'") as caught:
        bench.prepare(distil("nobody"))
    assert "temper runs" in caught.value.cure
    with pytest.raises(ModelError):
        bench.prepare(distil("datasets"))


@pytest.mark.slow
def test_a_run_teaches_and_an_unfinished_one_does_not(bench: Any) -> None:
    """An adapter's run: base and adapter together are the teacher."""
    from evalsuite.models.load import load_adapter, load_model

    run = bench.train({"adapter": LORA, "steps": 30})
    trainer = build(bench, distil(run.name))
    tuned = load_adapter(load_model(bench.model), run / "model")
    _, apart = by_hand(trainer, tuned, {})
    trainer.train()
    assert metrics_of_first(trainer) == pytest.approx(apart, abs=1e-4) and apart > 0.005
    digest = bench.prepare(distil(run.name)).plan["teacher"]
    assert digest != bench.prepare(distil(bench.model)).plan["teacher"]
    (run / "model").rename(run / "gone")
    with pytest.raises(ModelError, match="no finished model") as caught:
        bench.prepare(distil(run.name))
    assert "temper resume" in caught.value.cure
    (run / "gone").rename(run / "model")
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "method": "reward"}))
    with pytest.raises(ModelError, match="cannot teach writing"):
        bench.prepare(distil(run.name))


def metrics_of_first(trainer: Any) -> float:
    lines = (trainer.request.job.dir / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return float(next(e for e in events if e["kind"] == "metrics")["values"]["teacher_distance"])


def test_another_teacher_stops_a_resumed_run(bench: Any, tiny_model: Path, tmp_path: Path) -> None:
    from tests.train.preferences import StopAfter
    from workspace.errors import Stopped

    changing = make_teacher(tiny_model, tmp_path / "changing")
    with pytest.raises(Stopped):
        bench.train({**distil(changing), "checkpoint_every": 2}, reporter=StopAfter(3))
    (run,) = bench.workspace.runs.iterdir()
    shutil.rmtree(changing)
    make_teacher(tiny_model, changing, spare=8)
    with pytest.raises(UsageError, match="not as when this run began") as caught:
        bench.resume(run)
    assert caught.value.cause.startswith("teacher: was")
    assert "--accept teacher" in caught.value.cure
    bench.resume(run, accept=["teacher"])
    assert (run / "model").is_dir()


@pytest.mark.parametrize(
    "options",
    [
        {"weight": 0.0}, {"weight": 1.5}, {"temperature": 0}, {"direction": "sideways"},
        {"beta": 0.5}, {"chunk": 0},
    ],
)  # fmt: skip
def test_settings_that_are_none_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="distill"):
        TrainSection.model_validate(distil("builtin", **options))


def test_a_teacher_must_be_named_and_what_is_for_sft_is_refused(bench: Any) -> None:
    with pytest.raises(RecipeError, match="teacher"):
        bench.recipe({"method": "distill"})
    for option, words in [
        ({"packing": "bfd"}, "no packing with method distill"),
        ({"neftune": 5.0}, "no neftune with method distill"),
        (
            {"tempering": {"kl": {"weight": 1.0, "on": "all"}}},
            "no tempering.kl with method distill",
        ),
    ]:
        with pytest.raises(RecipeError) as caught:
            bench.recipe({**distil("builtin"), **option})
        assert words in caught.value.problems[0].expected


def test_the_example_of_the_docs_is_a_recipe() -> None:
    from ruamel.yaml import YAML

    text = (Path(__file__).parents[2] / "docs/train.md").read_text()
    example = text.split("# distill.yaml\n")[1].split("```")[0]
    section = TrainSection.model_validate(YAML(typ="safe").load(example)["train"])
    assert section.method.kind == "distill" and section.method.weight == 0.5


@pytest.mark.slow
def test_abilities_that_were_lost_come_back_from_the_teacher(
    make_bench: Callable[[Path, Path], Any], tmp_path: Path
) -> None:
    """The built-in model, shaken until it can do little, learns from its unshaken self."""
    import torch

    from evalsuite.builtin import model_path
    from evalsuite.builtin.general import general_items
    from evalsuite.models.load import load_model

    model, broken = load_model(model_path()), tmp_path / "broken"
    shutil.copytree(model_path(), broken, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * parameter.std() * torch.randn_like(parameter))
    model.save_pretrained(broken)
    items = list(general_items(5, 800))
    bench = make_bench(tmp_path, broken)

    def rows(start: int, end: int) -> None:
        turns = [
            [{"role": "user", "content": one.prompt}, {"role": "assistant", "content": one.answer}]
            for one in items[start:end]
        ]
        bench.dataset("toy", [{"id": f"{n}", "messages": one} for n, one in enumerate(turns)])

    def right(directory: Path) -> float:
        """Share of held-out answers whose every token is the likeliest: greedy gives them."""
        rows(640, 800)
        found, judged = [], load_model(directory)
        for row in bench.prepare({"steps": 1}).rows:
            (one,) = row.sequences
            ids, keep = torch.tensor(one.input_ids[None].astype("int64")), one.loss_mask[1:]
            with torch.no_grad():
                likeliest = judged(input_ids=ids).logits[0, :-1].argmax(-1)
            found.append(bool((likeliest == ids[0, 1:])[keep].all()))
        return sum(found) / len(found)

    rows(0, 640)
    method = {"kind": "distill", "teacher": "builtin", "weight": 1.0}
    adapter = {"kind": "full"}
    run = bench.train(
        {"method": method, "adapter": adapter, "steps": 40, "batch_size": 16, "learning_rate": 5e-4}
    )
    whole, lost, back = right(model_path()), right(broken), right(run / "model")
    assert whole > 0.85 and lost < 0.4 and back > lost + 0.25
