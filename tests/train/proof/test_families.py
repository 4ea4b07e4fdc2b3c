"""Templates of many families from rows to a run: proved, trained, published as they were."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalsuite.models import ChatTokenizer
from train.proof import prove
from workspace.errors import DataError, LimitExceeded

_FILE = Path(__file__).parents[2] / "evalsuite" / "models" / "families.py"
_SPEC = importlib.util.spec_from_file_location("chat_families_of_train", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
families = importlib.util.module_from_spec(_SPEC)
sys.modules["chat_families_of_train"] = families  # dataclasses look their module up
_SPEC.loader.exec_module(families)
FAMILIES = families.FAMILIES


@pytest.fixture
def of_family(bench: Any, tmp_path: Path) -> Callable[[str], Any]:
    """A bench whose model has the tokenizer and template of a family."""

    def make(name: str) -> Any:
        path = shutil.copytree(bench.model, tmp_path / "models" / name)
        for stale in ("special_tokens_map.json", "added_tokens.json"):
            (path / stale).unlink(missing_ok=True)
        families.write_family(path, FAMILIES[name])
        return replace(bench, model=path)

    return make


def talk(*texts: str) -> list[dict[str, str]]:
    """Messages of user and assistant in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_of_one_and_two_answers_are_proved(of_family: Callable[[str], Any], name: str) -> None:
    bench = of_family(name)
    rows = [
        {"id": f"r{number}", "messages": talk("two plus two", "four")} for number in range(4)
    ] + [{"id": f"s{n}", "messages": talk("two", "four", "three", "six")} for n in range(4)]
    bench.dataset("toy", rows)
    prepared = bench.prepare()
    proof = prove(prepared.rows, ChatTokenizer.from_dir(bench.model))
    proof.enforce()
    learnt = 4 + 4 * FAMILIES[name].learnt
    assert proof.passed and proof.turns == proof.turns_ending == proof.prompts_equal == learnt
    assert proof.prompts_differ == 0 and sum(proof.turns_left_out.values()) == 12 - learnt
    assert proof.template["way"] == "prompts" and not proof.template["problem"]


def test_a_mask_behind_another_prompt_is_disproved(of_family: Callable[[str], Any]) -> None:
    bench = of_family("chatml")
    bench.dataset("toy", [{"id": "1", "messages": talk("two plus two", "four")}])
    row = bench.prepare().rows[0]
    ids = row.input_ids.copy()
    ids[2] += 1  # a letter of the question
    other = replace(row, sequences=(replace(row.sequences[0], input_ids=ids),))
    proof = prove([other], ChatTokenizer.from_dir(bench.model))
    assert proof.prompts_differ == 1
    assert [fault.problem for fault in proof.faults] == ["not the prompt of generation"]


def test_thoughts_are_proved_and_stripped_ones_counted(of_family: Callable[[str], Any]) -> None:
    bench = of_family("qwen3")
    thought = "<think>two and two</think>four"
    rows = [
        {"id": "one", "messages": talk("two", thought)},
        {"id": "two", "messages": talk("two", thought, "three", "six")},
    ]
    bench.dataset("toy", rows)
    prepared = bench.prepare()
    assert any("empty one, as the template writes" in one for one in prepared.plan.warnings)
    proof = prove(prepared.rows, ChatTokenizer.from_dir(bench.model))
    proof.enforce()
    assert proof.turns == 2
    assert proof.turns_left_out == {"the template leaves out the thought before the answer": 1}


def test_rows_without_a_learnable_answer_are_dropped_with_the_reason(
    of_family: Callable[[str], Any],
) -> None:
    bench = of_family("chatml")
    rows = [{"id": f"r{n}", "messages": talk("two", "four")} for n in range(30)]
    call = {"type": "function", "function": {"name": "add", "arguments": {"left": 2}}}
    silent = {"role": "assistant", "content": "", "tool_calls": [call]}
    rows = [
        {**row, "messages": [{**m, "tool_calls": None} for m in row["messages"]]} for row in rows
    ]
    rows.append({"id": "calls", "messages": [*talk("two"), silent]})
    bench.dataset("toy", rows)
    dropped = bench.prepare().ledger.total("train").rows_dropped
    assert dict(dropped) == {"calls_left_out": 1}
    bench.dataset("toy", [rows[-1], rows[0]])
    with pytest.raises(LimitExceeded):
        bench.prepare()


def test_a_row_that_the_template_refuses_is_named(of_family: Callable[[str], Any]) -> None:
    bench = of_family("gemma-2")
    system = [{"role": "system", "content": "Be brief"}, *talk("two", "four")]
    bench.dataset("toy", [{"id": "1", "messages": system}])
    with pytest.raises(DataError, match="refuses") as caught:
        bench.prepare()
    assert "System role not supported" in caught.value.cause


@pytest.mark.parametrize("name", ["llama-3", "glm-4"])
def test_a_run_learns_and_publishes_the_template_as_it_was(
    of_family: Callable[[str], Any], losses: Callable[[Path], list[float]], name: str
) -> None:
    bench = of_family(name)
    rows = [{"id": f"r{n}", "messages": talk("two plus two", "four")} for n in range(16)]
    bench.dataset("toy", rows)
    run = bench.train({"steps": 12, "adapter": {"kind": "full"}, "learning_rate": 0.01})
    found = losses(run)
    assert found[-1] < 0.5 * found[0]
    for file in ("chat_template.jinja", "tokenizer.json"):
        assert (run / "model" / file).read_bytes() == (bench.model / file).read_bytes()
    proof = json.loads((run / "proof.json").read_text())
    assert proof["passed"] and proof["template"]["way"] == "prompts"
    changed = [line for one in proof["template"]["samples"] for line in one["difference"]]
    assert bool(changed) == (name == "glm-4")


def test_preference_pairs_are_proved_without_marks(of_family: Callable[[str], Any]) -> None:
    bench = of_family("deepseek-r1")
    rows = [
        {
            "id": f"p{n}",
            "prompt": talk("two plus two"),
            "chosen": talk("", "four")[1:],
            "rejected": talk("", "six")[1:],
        }
        for n in range(4)
    ]
    bench.dataset("toy", rows)
    prepared = bench.prepare({"method": "dpo"})
    proof = prove(prepared.rows, ChatTokenizer.from_dir(bench.model), method="dpo")
    proof.enforce()
    assert proof.turns == proof.prompts_equal == 8


def test_preview_shows_how_the_template_is_read(
    of_family: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from tui.command_line import app

    bench = of_family("glm-4")
    bench.recipe()
    monkeypatch.chdir(bench.root)
    result = CliRunner().invoke(app, ["preview", "--template"])
    assert result.exit_code == 0, result.output
    assert "has no {% generation %} marks" in result.stdout
    assert "⟦" in result.stdout and "+'It is four.<|user|>'" in result.stdout
    document = json.loads(CliRunner().invoke(app, ["preview", "--template", "--json"]).stdout)
    assert document["way"] == "prompts" and document["end"] == "<|user|>"
