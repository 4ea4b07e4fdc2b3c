"""Rows to tokens to plan, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from evalsuite.models import ChatTokenizer
from train.plan.facts import read_facts
from train.proof import prove
from workspace.errors import DataError, LimitExceeded, ModelError


def test_equal_inputs_give_an_equal_plan_and_another_seed_another(bench: Any) -> None:
    assert bench.prepare().plan.digest == bench.prepare().plan.digest
    assert bench.prepare({"seed": 1}).plan.digest != bench.prepare().plan.digest


def test_rows_that_are_tokenised_otherwise_are_another_schedule(bench: Any, tmp_path: Path) -> None:
    other = shutil.copytree(bench.model, tmp_path / "other")
    template = other / "chat_template.jinja"
    template.write_text(template.read_text().replace("{% generation %}", "{% generation %} "))
    changed = replace(bench, model=other)
    ids = [[row.row.row_id for row in one.prepare().rows] for one in (bench, changed)]
    assert ids[0] == ids[1]
    assert bench.prepare().plan.schedule_digest != changed.prepare().plan.schedule_digest


def test_consolidated_weights_beside_the_shards_are_not_counted(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(tiny_model, tmp_path / "both")
    weights = load_file(path / "model.safetensors")
    save_file(
        {f"other.{name}": one for name, one in weights.items()}, path / "consolidated.safetensors"
    )
    assert read_facts(path).parameters == read_facts(tiny_model).parameters


def test_the_context_of_gpt2_is_read_as_evaluation_reads_it(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(tiny_model, tmp_path / "gpt2")
    (path / "config.json").write_text('{"n_positions": 1024, "n_embd": 32}')
    facts = read_facts(path)
    assert (facts.context, facts.hidden_size) == (1024, 32)


def test_the_plan_imports_no_torch(bench: Any) -> None:
    bench.recipe()
    script = (
        "import sys, pathlib\n"
        "from evalsuite.models import ModelSection\n"
        "from train.recipe import TrainSection\n"
        "from train.inputs import find_inputs\n"
        "from workspace.recipe import load_recipe\n"
        "recipe = load_recipe(pathlib.Path(sys.argv[1]),"
        " {'model': ModelSection, 'train': TrainSection})\n"
        "find_inputs(recipe, recipe.workspace).prepare()\n"
        "heavy = {'torch', 'transformers', 'trl', 'peft', 'polars'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(bench.root / "temper.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_ledger_balances_and_names_what_was_dropped(bench: Any) -> None:
    rows = bench.chats(40)
    rows[3]["messages"][1]["content"] = "card " * 200
    bench.dataset("toy", rows)
    prepared = bench.prepare()
    total = prepared.ledger.total("train")
    assert total.rows_in == 40 and total.rows_kept == 39
    assert dict(total.rows_dropped) == {"too_long": 1}
    assert total.balances()
    (loss,) = prepared.ledger.losses
    assert loss["row_id"] == "train-3" and loss["reason"] == "too_long"
    assert loss["tokens"] > 128
    json.dumps(prepared.ledger.as_dict())


def test_cutting_is_counted_and_only_done_when_asked(bench: Any) -> None:
    rows = bench.chats(40)
    rows[3]["messages"][1]["content"] = "card " * 200
    bench.dataset("toy", rows)
    prepared = bench.prepare({"too_long": "cut"})
    total = prepared.ledger.total("train")
    assert total.rows_cut == 1 and total.rows_kept == 40 and total.tokens_cut > 0
    (cut,) = [row for row in prepared.rows if row.cut_tokens]
    assert cut.tokens == 128 and cut.row.row_id == "train-3"


def test_a_row_whose_answer_is_cut_away_is_dropped_with_that_reason(bench: Any) -> None:
    rows = bench.chats(40)
    rows[3]["messages"][0]["content"] = "card " * 200
    bench.dataset("toy", rows)
    total = bench.prepare({"too_long": "cut"}).ledger.total("train")
    assert dict(total.rows_dropped) == {"no_trainable_tokens": 1}
    assert total.balances()


def test_too_long_stop_names_the_row_and_its_length(bench: Any) -> None:
    with pytest.raises(LimitExceeded, match="longer than max_length") as caught:
        bench.prepare({"max_length": 20, "too_long": "stop"})
    assert caught.value.where.startswith("train-")
    assert "Raise train.max_length" in caught.value.cure


def test_every_row_too_long_stops_with_the_longest_length(bench: Any) -> None:
    with pytest.raises(LimitExceeded, match="37 of 37 train rows would be dropped") as caught:
        bench.prepare({"max_length": 8})
    assert "the longest row has" in caught.value.cause


def test_a_share_of_dropped_rows_may_be_allowed(bench: Any) -> None:
    bench.dataset("toy", bench.chats(40))
    middle = sorted(row.tokens for row in bench.prepare().rows)[20]
    with pytest.raises(LimitExceeded):
        bench.prepare({"max_length": middle})
    prepared = bench.prepare({"max_length": middle, "limits": {"dropped": "60%"}})
    assert 0 < prepared.ledger.total("train").rows_kept < 40


def test_settings_left_open_are_decided_with_a_reason(bench: Any) -> None:
    plan = bench.prepare({"learning_rate": None, "steps": None}).plan
    assert plan["learning_rate"] == 2e-3
    assert "below 20 M" in plan.settings["learning_rate"].reason
    assert plan["epochs"] == 2.0 and plan["max_length"] == 128 and plan["threads"] == 1
    full = bench.prepare({"learning_rate": None, "adapter": {"kind": "full"}}).plan
    assert full["learning_rate"] == 2e-4


def test_the_plan_counts_parameters_from_the_headers_alone(bench: Any, tiny_model: Path) -> None:
    facts = read_facts(tiny_model)
    assert facts.tied_embeddings and facts.context == 128 and facts.hidden_size == 32
    assert bench.prepare({"adapter": {"kind": "full"}}).plan.trainable_parameters == (
        facts.parameters
    )
    # two layers of q, k, v, o and three of the MLP: r * (inputs + outputs)
    attention = (32 + 32) + 2 * (32 + 16) + (32 + 32)
    mlp = 3 * (32 + 64)
    plan = bench.prepare({"adapter": {"kind": "lora", "r": 4}}).plan
    assert plan.trainable_parameters == 2 * 4 * (attention + mlp)


def test_replayed_rows_and_epochs_are_counted(bench: Any) -> None:
    plan = bench.prepare(
        {"tempering": {"replay": {"dataset": "general", "share": 0.75}}, "steps": 10}
    ).plan
    train, replay = plan.sources
    assert (train.rows_seen, replay.rows_seen) == (20, 60)
    assert (train.epochs, replay.epochs) == (0.541, 3.0)
    assert any("20 of 37 rows" in warning for warning in plan.warnings)


def test_a_trainable_token_must_be_one_token(bench: Any) -> None:
    adapter = {"kind": "lora", "trainable_tokens": ["<|im_end|>"]}
    assert bench.prepare({"adapter": adapter}).plan.trainable_token_ids == [2]
    with pytest.raises(ModelError, match="is not one token") as caught:
        bench.prepare({"adapter": {"kind": "lora", "trainable_tokens": ["zebra"]}})
    assert "'z'" in caught.value.cause


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference rows"),
        ({"prompt": "a", "completion": "b", "label": True}, "good/bad label"),
        ({"prompt": "a", "answer": "4"}, "verifiable answer"),
        ({"story": "a"}, "these columns"),
    ],
)
def test_another_type_of_dataset_is_refused_with_its_name(
    bench: Any, row: dict[str, Any], message: str
) -> None:
    bench.dataset("toy", [{"id": "1", **row}])
    with pytest.raises(DataError, match=message) as caught:
        bench.prepare()
    assert "curate convert" in caught.value.cure


def test_prompt_and_completion_are_learnt_on_the_completion_only(bench: Any) -> None:
    bench.dataset("toy", [{"id": "1", "prompt": "card late", "completion": "refund"}])
    (row,) = bench.prepare().rows
    trained = row.input_ids[row.loss_mask].tolist()
    assert trained[-1] == 2 and row.row.row_id == "1"
    assert row.trained == len(trained) < row.tokens


def test_assistant_turns_of_a_prompt_are_not_learnt(bench: Any) -> None:
    prompt = [
        {"role": "user", "content": "card"},
        {"role": "assistant", "content": "login"},
        {"role": "user", "content": "late"},
    ]
    completion = [{"role": "assistant", "content": "refund"}]
    bench.dataset("toy", [{"id": "1", "prompt": prompt, "completion": completion}])
    (row,) = bench.prepare().rows
    tokenizer = ChatTokenizer.from_dir(bench.model)
    assert tokenizer.decode(row.input_ids[row.loss_mask].tolist()) == "refund"


def test_a_chat_without_an_assistant_turn_is_named(bench: Any) -> None:
    rows = bench.chats(5)
    rows[2]["messages"] = rows[2]["messages"][:1]
    bench.dataset("toy", rows)
    with pytest.raises(DataError, match="1 of 5 rows are without an assistant turn") as caught:
        bench.prepare()
    assert "train-0.jsonl:2 (id train-2)" in caught.value.cause


def test_a_null_content_is_named(bench: Any) -> None:
    rows = bench.chats(5)
    rows[4]["messages"][1]["content"] = None
    bench.dataset("toy", rows)
    with pytest.raises(DataError, match="1 of 5 rows are without content") as caught:
        bench.prepare()
    assert "id train-4" in caught.value.cause


def test_an_empty_or_damaged_dataset_is_named(bench: Any) -> None:
    path = bench.dataset("toy", bench.chats(3))
    (path / "train.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="not a readable Parquet"):
        bench.prepare()
    (path / "train.parquet").unlink()
    with pytest.raises(DataError, match=r"no train\.parquet"):
        bench.prepare()


def test_a_model_path_that_is_not_a_model_is_refused(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ModelError, match="not a model directory"):
        replace(bench, model=tmp_path / "nothing").prepare()


def test_a_damaged_safetensors_header_is_named(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "config.json").write_bytes((tiny_model / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match="damaged"):
        read_facts(tmp_path)


def test_the_micro_batch_that_computes_least_is_chosen(bench: Any) -> None:
    rows = bench.chats(64)
    for row in rows[::2]:
        row["messages"][0]["content"] += " card" * 40
    bench.dataset("toy", rows)
    chosen = bench.prepare({"batch_size": 32}).plan
    whole = bench.prepare({"batch_size": 32, "micro_batch_size": 32}).plan
    assert 1 < chosen["micro_batch_size"] < 32
    assert chosen.padding_share < whole.padding_share / 2
    assert "least padding" in chosen.settings["micro_batch_size"].reason


def test_weights_that_are_cut_short_are_found_before_torch(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(tiny_model, tmp_path / "cut")
    file = path / "model.safetensors"
    whole = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cut short") as caught:
        read_facts(path)
    assert f"{whole - 100:,} bytes; by its header it has {whole:,}" in caught.value.cause


def test_a_config_of_another_vocabulary_than_the_weights_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = shutil.copytree(tiny_model, tmp_path / "other")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "vocab_size": 9}))
    with pytest.raises(ModelError, match="does not fit its weights") as caught:
        read_facts(path)
    assert caught.value.where.endswith("vocab_size") and "Found 9" in caught.value.cause


@pytest.mark.parametrize("pads", [False, True])
def test_a_token_that_the_model_does_not_know_is_named_with_its_row(
    bench: Any, tmp_path: Path, pads: bool
) -> None:
    model = shutil.copytree(bench.model, tmp_path / "more_tokens")
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    known = read_facts(model).vocabulary
    content = "<|new pad|>" if pads else "rain:"
    like = tokenizer["added_tokens"][-1]
    added = {**like, "id": known + 1, "content": content, "special": pads}
    tokenizer["added_tokens"].append(added)
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    if pads:
        config = json.loads((model / "tokenizer_config.json").read_text())
        (model / "tokenizer_config.json").write_text(json.dumps({**config, "pad_token": content}))
    with pytest.raises(ModelError, match="does not know") as caught:
        replace(bench, model=model).prepare()
    assert (
        f"the model knows {known:,} tokens" in caught.value.cause and content in caught.value.cause
    )
    assert "padding" in caught.value.where if pads else "id " in caught.value.where


def test_plain_texts_are_learnt_whole_and_need_no_template(bench: Any, tmp_path: Path) -> None:
    model = Path(shutil.copytree(bench.model, tmp_path / "no-template"))
    (model / "chat_template.jinja").unlink()
    bench = replace(bench, model=model)
    bench.dataset("toy", [{"id": str(n), "text": "card late refund"} for n in range(3)])
    prepared = bench.prepare({"batch_size": 2})
    row = prepared.rows[0]
    assert row.loss_mask.all() and row.input_ids[-1] == 2
    proof = prove(prepared.rows, ChatTokenizer.from_dir(model))
    assert proof.passed and proof.turns_ending == 3
    bench.dataset("toy", bench.chats(3))
    with pytest.raises(ModelError, match="no chat template"):
        bench.prepare()
