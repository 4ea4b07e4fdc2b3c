"""Every way to adapt: counted before, learnt, published, loaded again, switched off."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workspace.errors import ModelError, RecipeError, UsageError
from workspace.jobs import run_job

IDS = [[1, 20, 30, 2, 40, 7]]
LORA = {"kind": "lora", "r": 4}
# options, learning rate, by how much the loss falls at least: it begins at 5.97
TUNERS: dict[str, tuple[dict[str, Any], float, float]] = {
    "IA3": ({}, 0.1, 0.5),
    "OFT": ({"oft_block_size": 8, "r": 0}, 0.02, 1.2),
}
MORE_TUNERS: dict[str, tuple[dict[str, Any], float, float]] = {
    "VERA": ({"r": 32}, 0.1, 1.2),
    "SHIRA": ({"r": 4}, 0.02, 1.2),
    "ADALORA": ({"init_r": 6, "target_r": 3, "tinit": 2, "tfinal": 4}, 0.05, 1.2),
    "OSF": ({"effective_rank": 8}, 0.02, 2.0),
    "LOHA": ({"r": 4}, 0.05, 1.7),
    "LOKR": ({"r": 4}, 0.05, 1.3),
    "BOFT": ({"boft_block_size": 4}, 0.02, 1.0),
    "FOURIERFT": ({"n_frequency": 200, "scaling": 100.0}, 0.05, 0.5),
    "HRA": ({"r": 4}, 0.02, 0.9),
    "MISS": ({"r": 8}, 0.02, 1.7),
    "LN_TUNING": ({}, 0.1, 0.7),
}
LORAS: dict[str, dict[str, Any]] = {
    "dora": {"dora": True},
    "pissa": {"init": "pissa", "trainable_tokens": ["card"], "modules_to_save": ["norm"]},
}
MORE_LORAS: dict[str, dict[str, Any]] = {
    "rslora": {"rslora": True, "alpha": 4},
    "gaussian": {"init": "gaussian"},
    "pissa fast": {"init": "pissa_fast"},
    "pissa rslora": {
        "init": "pissa",
        "rslora": True,
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {"v_proj": 3},
    },
    "olora": {"init": "olora"},
    "olora dora": {"init": "olora", "dora": True},
    "some layers": {"layers": {"last": 1}, "exclude": ["down_proj"]},
    "patterns": {"rank_pattern": {"layers.0.*q_proj": 8}, "alpha_pattern": {"up_proj": 16}},
    "whole modules": {"modules_to_save": ["layers.1.mlp.gate_proj", "norm"]},
}


@pytest.fixture(scope="session")
def lively_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with matrices six times as large: adapters can move it in a few steps."""
    import torch

    from evalsuite.models.load import load_model

    path = shutil.copytree(tiny_model, tmp_path_factory.mktemp("lively") / "model")
    model = load_model(path)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6 if parameter.ndim == 2 else 1)
    model.save_pretrained(path)
    return path


@pytest.fixture
def bench(tmp_path: Path, lively_model: Path, make_bench: Any) -> Any:
    """A workspace with 37 rows to learn."""
    return make_bench(tmp_path, lively_model)


def build(bench: Any, train: dict[str, Any]) -> Any:
    """Return trl's trainer for a recipe, not yet run."""
    from transformers import AutoTokenizer, set_seed

    from evalsuite.models.load import load_model
    from train.checkpoints import CheckpointStore
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer

    prepared = bench.prepare(train)
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        set_seed(0)
        section = prepared.plan.adapter_section
        model = load_model(bench.model, quantization=section.quantization)
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(prepared, store, job, 0, "cpu", "float32", lambda report: None)
        return build_trainer(model, AutoTokenizer.from_pretrained(bench.model), request)


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor(IDS)).logits


def loss(model: Any, prepared: Any) -> float:
    """Cross-entropy of what the assistant wrote, over all rows."""
    import torch

    total, count = 0.0, 0
    model.eval()
    for row in prepared.rows:
        ids = torch.tensor(row.input_ids[None].astype("int64"))
        wanted = torch.tensor(row.loss_mask[1:])
        with torch.no_grad():
            found = model(input_ids=ids).logits[0, :-1][wanted]
        total += float(
            torch.nn.functional.cross_entropy(found, ids[0, 1:][wanted], reduction="sum")
        )
        count += int(wanted.sum())
    return total / count


def learn(bench: Any, adapter: dict[str, Any], **train: Any) -> tuple[Any, Any, Path]:
    """Train; return the base as it was, the trained model in memory, and what was published."""
    from evalsuite.models.load import load_model
    from train.adapters import Split, publishable, trainable_parameters
    from train.publish import publish_model
    from train.run import _quiet_libraries
    from train.trl_bridge import fit

    trainer = build(bench, {"steps": 20, "adapter": adapter, **train})
    plan = trainer.request.prepared.plan
    assert trainable_parameters(trainer.model) == plan.trainable_parameters
    section = plan.adapter_section
    base = load_model(bench.model, quantization=section.quantization)
    split = Split.of(trainer.model) if section.splits_weights else None
    with _quiet_libraries():
        fit(trainer)
        target = bench.root / "published"
        publish_model(target, publishable(trainer.model, split), bench.model)
    return base, trainer, target


def check(bench: Any, adapter: dict[str, Any], fall: float, **train: Any) -> Any:
    """It learns by `fall`; what is published is what was trained; switched off it is the base."""
    import torch

    from evalsuite.engine.sides import Resident

    base, trainer, published = learn(bench, adapter, **train)
    prepared = trainer.request.prepared
    before, untouched = loss(base, prepared), logits(base)
    resident = Resident(base, 0)
    with resident.wearing(SimpleNamespace(path=published)) as worn:  # type: ignore[arg-type]
        tuned = worn.engine.model
        torch.testing.assert_close(logits(tuned), logits(trainer.model), atol=2e-5, rtol=1e-4)
        with worn.off():
            assert torch.equal(logits(tuned), untouched)
        assert before - loss(tuned, prepared) >= fall
    assert torch.equal(logits(resident.model), untouched)
    return trainer


@pytest.mark.parametrize(
    "name", [*LORAS, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_LORAS)]
)
def test_a_variant_of_lora_learns_and_is_published_for_the_untouched_base(
    bench: Any, name: str
) -> None:
    check(bench, {**LORA, **{**LORAS, **MORE_LORAS}[name]}, 0.7)


@pytest.mark.parametrize(
    "name", [*TUNERS, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_TUNERS)]
)
def test_a_tuner_of_peft_learns_and_is_published(bench: Any, name: str) -> None:
    options, rate, fall = {**TUNERS, **MORE_TUNERS}[name]
    check(bench, {"kind": "peft", "tuner": name, "options": options}, fall, learning_rate=rate)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"dora": True}, marks=pytest.mark.slow),
        {"init": "loftq", "trainable_tokens": ["card"], "modules_to_save": ["norm"]},
    ],
    ids=["plain", "dora", "loftq"],
)
def test_qlora_learns_on_four_bits_with_adapters_in_float32(
    bench: Any, changes: dict[str, Any]
) -> None:
    import torch

    trainer = check(bench, {"kind": "qlora", "r": 4, **changes}, 1.2)
    weights = dict(trainer.model.named_parameters())
    assert {p.dtype for p in weights.values() if p.requires_grad} == {torch.float32}
    held = [p for name, p in weights.items() if name.endswith("q_proj.base_layer.weight")]
    assert {p.dtype for p in held} == {torch.uint8} and all(p.quant_type == "nf4" for p in held)
    assert all(p.quant_state.nested for p in held)  # its scales are quantised again


def test_four_bits_are_in_evaluation_what_they_are_in_training(bench: Any) -> None:
    """Also on a processor that multiplies bf16, where bitsandbytes would pack them anew."""
    import torch

    from evalsuite.models.load import load_model

    model = load_model(bench.model, quantization="nf4")
    layers = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    before = [layer.weight.data.clone() for layer in layers]
    with torch.no_grad():
        training = model.train()(input_ids=torch.tensor(IDS)).logits
    assert torch.equal(logits(model), training)
    assert layers and all(
        torch.equal(layer.weight.data, old) for layer, old in zip(layers, before, strict=True)
    )
    assert not any(getattr(layer, "support_avx512bf16_for_cpu", False) for layer in layers)


@pytest.mark.slow
def test_loftq_begins_nearer_to_the_unquantised_base(bench: Any) -> None:
    """And token rows begin as the base's, not rounded to bfloat16."""
    import torch

    from evalsuite.models.load import load_model

    original = logits(load_model(bench.model))

    def distance(adapter: dict[str, Any]) -> float:
        model = build(bench, {"adapter": {"kind": "qlora", "r": 8, **adapter}}).model
        return float((logits(model) - original).abs().mean())

    plain, tokens = distance({}), distance({"trainable_tokens": ["card"]})
    assert tokens == plain
    assert distance({"init": "loftq"}) < 0.9 * plain
    assert torch.isfinite(original).all()


@pytest.mark.parametrize(
    ("full", "frozen"),
    [
        ({"freeze": ["embeddings", "norms"]}, ["embed_tokens", "norm"]),
        ({"freeze": {"layers": {"first": 1}}}, ["layers.0."]),
        ({"freeze": {"names": ["*.mlp.*"], "layers": [1]}}, ["mlp", "layers.1."]),
        ({"only": ["*.q_proj.weight"]}, ["k_proj", "v_proj", "o_proj", "mlp", "norm", "embed"]),
        ({"only": {"layers": {"last": 1}}}, ["layers.0.", "embed_tokens", "model.norm"]),
    ],
)
def test_frozen_weights_stay_as_they_are_to_the_bit_and_the_others_do_not(
    bench: Any, full: dict[str, Any], frozen: list[str]
) -> None:
    import torch

    from evalsuite.models.load import load_model

    base, trainer, published = learn(bench, {"kind": "full", **full}, steps=3)
    before, after = base.state_dict(), load_model(published).state_dict()
    for name, weights in before.items():
        is_frozen = any(part in name for part in frozen)
        if name == "lm_head.weight":  # the embedding
            is_frozen = any("embed" in part for part in frozen)
        assert torch.equal(weights, after[name]) == is_frozen, name
    assert trainer.request.prepared.plan.trainable_parameters < base.num_parameters()


@pytest.mark.parametrize(
    "adapter",
    [
        {**LORA, "dora": True, "layers": [1], "targets": ["q_proj", "up_proj"]},
        {**LORA, "rank_pattern": {"layers.1.*": 2}, "exclude": ["layers.0.mlp.up_proj"]},
        {**LORA, "modules_to_save": ["mlp"], "trainable_tokens": ["card", "<|im_end|>"]},
        {"kind": "qlora", "modules_to_save": ["norm"], "layers": {"first": 1}},
        {"kind": "full", "only": ["norms"]},
        {"kind": "peft", "tuner": "randlora", "options": {"r": 4, "target_modules": ["q_proj"]}},
        {"kind": "peft", "tuner": "shira", "options": {"r": 2, "target_modules": ["v_proj"]}},
    ],
)
def test_the_planned_number_of_weights_is_that_of_the_model(
    bench: Any, adapter: dict[str, Any]
) -> None:
    from train.adapters import trainable_parameters

    trainer = build(bench, {"adapter": adapter})
    planned = trainer.request.prepared.plan.trainable_parameters
    assert planned == trainable_parameters(trainer.model) > 0


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ({"init": "loftq"}, "kind: qlora for init: loftq"),
        ({"kind": "qlora", "init": "pissa"}, "kind: lora for init: pissa"),
        ({"kind": "qlora", "init": "loftq", "dora": True}, "no dora with init: loftq"),
        ({"targets": ["q_proj", "lm_head"]}, "modules_to_save"),
        ({"layers": {}}, "above 0"),
        ({"kind": "full", "freeze": ["norms"], "only": ["norms"]}, "either freeze or only"),
        ({"kind": "full", "freeze": {}}, "`names` or `layers`"),
        ({"rank_patern": {}}, "rank_pattern"),
        ({"rank_pattern": {"(": 2}}, "regular expressions"),
    ],
)
def test_contradictions_are_refused_with_the_reason(
    bench: Any, adapter: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        bench.recipe({"adapter": {"kind": "lora", **adapter}})
    problems = caught.value.problems
    assert all(problem.key.startswith("train.adapter") for problem in problems)
    assert any(words in f"{problem.expected} {problem.hint}" for problem in problems)


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ({**LORA, "targets": ["q_prj"]}, "Did you mean `q_proj`"),
        ({**LORA, "exclude": ["attn"]}, "no linear layer of the model is called 'attn'"),
        ({**LORA, "layers": [2]}, "it has 2 layers"),
        ({**LORA, "layers": {"last": 3}}, "it has 2 layers"),
        ({**LORA, "alpha_pattern": {"gate": 2}}, "called 'gate'"),
        ({**LORA, "modules_to_save": ["lm_head"]}, "one matrix"),
        ({**LORA, "modules_to_save": ["nrom"]}, "Did you mean `norm`"),
        ({**LORA, "init": "pissa", "r": 17}, "16 directions"),
        ({"kind": "qlora", "modules_to_save": ["up_proj"]}, "4-bit codes"),
        ({"kind": "full", "freeze": ["norm"]}, "Did you mean `norms`"),
        ({"kind": "full", "freeze": ["head"]}, "output matrix is the embedding"),
        ({"kind": "full", "freeze": ["*"]}, "nothing is left to train"),
        ({"kind": "peft", "tuner": "IA4"}, "Did you mean `IA3`"),
        ({"kind": "peft", "tuner": "lora"}, "kind: lora"),
        ({"kind": "peft", "tuner": "PREFIX_TUNING"}, "before the prompt"),
        ({"kind": "peft", "tuner": "OFT", "options": {"blok_size": 8}}, "OFT has no option"),
        (
            {"kind": "peft", "tuner": "VERA", "options": {"r": "many"}},
            "Found 'many'; peft says int",
        ),
        ({"kind": "peft", "tuner": "VERA", "options": {"task_type": "X"}}, "follows from the run"),
        ({"kind": "peft", "tuner": "SHIRA"}, "r: 32 means"),
        (
            {"kind": "peft", "tuner": "ADALORA", "options": {"tinit": 4, "tfinal": 4}},
            "ADALORA",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_told_before_it_is_loaded(
    bench: Any, adapter: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        bench.prepare({"adapter": adapter})
    assert words in str(caught.value) and caught.value.where.startswith("train.adapter")


@pytest.mark.slow
def test_a_tuner_is_checked_and_counted_without_torch_in_this_process(bench: Any) -> None:
    import peft  # noqa: F401  # so that only the other process has to ask another one

    adapter = {"kind": "peft", "tuner": "VERA", "options": {"r": 32}}
    expected = bench.prepare({"adapter": adapter}).plan.trainable_parameters
    script = (
        "import sys; from pathlib import Path; from train.recipe import PeftAdapter; "
        "from train.plan.tuner import tuner_parameters; "
        "one = PeftAdapter(kind='peft', tuner='VERA', options={'r': 32}); "
        "print(tuner_parameters(one, Path(sys.argv[1])), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(bench.model)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(expected), "False"]


def test_float32_is_kept_for_what_takes_a_part_of_the_weights(bench: Any) -> None:
    from train.inputs import find_inputs

    recipe = bench.recipe({"adapter": {**LORA, "init": "pissa"}})
    document = json.loads((bench.root / "temper.yaml").read_text())
    document["model"]["dtype"] = "bfloat16"
    (bench.root / "temper.yaml").write_text(json.dumps(document))
    with pytest.raises(ModelError, match="float32 weights"):
        find_inputs(bench.load(recipe.path, ()), bench.workspace)


def test_without_bitsandbytes_the_command_that_installs_it_is_told(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else found(name)
    )
    for train in ({"adapter": {"kind": "qlora"}}, {"optimizer": "adamw_8bit"}):
        with pytest.raises(UsageError, match="not installed") as caught:
            bench.prepare(train)
        assert "pip install 'bitsandbytes" in caught.value.cure


@pytest.mark.parametrize(
    "path",
    sorted((Path(__file__).parents[2] / "examples/adapters").glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_an_example_is_a_recipe_that_fits_the_builtin_model(bench: Any, path: Path) -> None:
    from evalsuite.models import resolve_model
    from train.plan.facts import read_facts
    from train.plan.trainable import trainable
    from train.recipe import TrainSection

    recipe = bench.load(path, ())
    section = recipe.required("train", TrainSection, command="test")
    model = resolve_model(recipe.sections["model"], recipe.base_dir).path
    facts = read_facts(model)
    assert trainable(section.adapter, facts, ()) > 0
