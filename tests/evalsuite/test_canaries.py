"""A check that cannot fail checks nothing: each one is made to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from evalsuite.canaries import (
    Noise,
    base_is_itself,
    merged_is_unmerged,
    probe,
    spoken_to_as_trained,
    tuned_is_active,
)
from evalsuite.engine.merging import check_merging
from evalsuite.engine.sides import Resident
from evalsuite.engine.subjects import (
    AtTraining,
    Subject,
    common_base,
    common_tokenizer,
    find_subject,
)
from evalsuite.models import ChatTokenizer
from evalsuite.models.load import Placement
from evalsuite.models.source import directory_source
from workspace.errors import ModelError, UsageError
from workspace.layout import Workspace


@pytest.fixture
def subject(tiny_model: Path) -> Subject:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    trained = AtTraining(
        directory_source(tiny_model, name="b").digest,
        tokenizer.digest,
        tokenizer.template_digest,
        tokenizer.eos_ids,
    )
    return Subject("run", None, "full", tiny_model, "d", tiny_model, None, trained)


def test_equal_logits_mean_that_the_tuned_model_is_not_active() -> None:
    logits = torch.arange(6.0).reshape(2, 3)
    assert tuned_is_active(logits, logits.clone()).status == "fail"
    assert tuned_is_active(logits, logits + 1e-6).status == "pass"
    assert tuned_is_active(logits, torch.zeros(2, 4)).status == "fail"


def test_the_base_under_an_adapter_must_be_bit_equal() -> None:
    logits = torch.arange(6.0).reshape(2, 3)
    assert base_is_itself(logits, logits.clone()).status == "pass"
    other = logits.clone()
    other[1, 2] += 1e-6
    assert base_is_itself(logits, other).status == "fail"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("base_digest", "x", "base model"), ("tokenizer_digest", "x", "tokenizer"),
        ("template_digest", "x", "chat template"), ("eos_ids", frozenset([1]), "end token"),
    ],
)  # fmt: skip
def test_each_change_since_training_is_named(
    subject: Subject, tiny_model: Path, field: str, value: Any, said: str
) -> None:
    tokenizer, base = ChatTokenizer.from_dir(tiny_model), directory_source(tiny_model, name="b")
    assert spoken_to_as_trained(subject, tokenizer, base).status == "pass"
    assert subject.trained is not None
    changed = replace(subject, trained=replace(subject.trained, **{field: value}))
    canary = spoken_to_as_trained(changed, tokenizer, base)
    assert canary.status == "fail"
    assert said in canary.detail
    assert spoken_to_as_trained(replace(subject, trained=None), tokenizer, base).status == "not_run"


@pytest.mark.parametrize(
    ("scored", "flips", "margin", "status"),
    [
        (16, 2, 0.05, "pass"), (64, 0, 0.05, "pass"), (64, 6, 0.05, "pass"),
        (64, 7, 0.05, "fail"), (64, 7, 0.1, "pass"), (0, 0, 0.05, "pass"),
    ],
)  # fmt: skip
def test_only_flips_that_certainly_exceed_the_smallest_margin_void_the_numbers(
    scored: int, flips: int, margin: float, status: str
) -> None:
    noise = Noise(64, flips, 1e-6, scored, margin)
    assert noise.canary.status == status
    assert bool(noise.note) == (flips > 0 and status == "pass")


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    # 2 of 16: qbeta(0.05, 2, 15) = 0.0226.
    assert Noise(16, 2, 0.0, 16, 0.05).lowest_rate == pytest.approx(0.02265, abs=1e-4)


def test_a_base_that_numbers_its_tokens_otherwise_is_refused(
    subject: Subject, tiny_model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    file = other / "tokenizer.json"
    text = file.read_text()
    file.write_text(text.replace('"A": ', '"~A": ').replace('"B": ', '"A": ').replace("~A", "B"))
    with pytest.raises(ModelError, match="different tokenizers"):
        common_tokenizer([subject], directory_source(other, name="other"))


def test_a_base_that_moved_is_only_missed_where_it_is_needed(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path, run_writer: Callable[..., Path]
) -> None:
    run = run_writer(tmp_path / "runs" / "20261120-000000-mine-abcd", tiny_model, tiny_adapter)
    record = json.loads((run / "run.json").read_text())
    record["base"]["path"] = str(tmp_path / "gone")
    (run / "run.json").write_text(json.dumps(record))
    moved = find_subject(str(run), Workspace(tmp_path))
    with pytest.raises(ModelError, match="base of this run is gone") as caught:
        common_base([moved])
    assert "--base" in caught.value.cure
    tokenizer, _ = common_tokenizer([moved], directory_source(tiny_model, name="tiny"))
    assert tokenizer.eos_ids == {2}


def test_one_base_in_several_places_is_one(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path, run_writer: Callable[..., Path]
) -> None:
    subjects = []
    for name in ("one", "two"):
        run = run_writer(tmp_path / f"runs/20261120-000000-{name}-abcd", tiny_model, tiny_adapter)
        shutil.copytree(tiny_model, run / "start")
        record = json.loads((run / "run.json").read_text())
        record["base"]["path"] = str(run / "start")
        (run / "run.json").write_text(json.dumps(record))
        subjects.append(find_subject(str(run), Workspace(tmp_path)))
    assert common_base(subjects).path == subjects[0].path.parent / "start"
    shutil.rmtree(subjects[0].path.parent / "start")
    assert common_base(subjects).path == subjects[1].path.parent / "start"


def test_a_run_that_has_moved_finds_what_it_began_with(
    tiny_model: Path, tiny_adapter: Path, tmp_path: Path, run_writer: Callable[..., Path]
) -> None:
    run = run_writer(tmp_path / "runs" / "20261120-000000-mine-abcd", tiny_model, tiny_adapter)
    shutil.copytree(tiny_model, run / "start")
    record = json.loads((run / "run.json").read_text())
    record |= {"begins": {}, "base": {**record["base"], "path": str(tmp_path / "gone")}}
    (run / "run.json").write_text(json.dumps(record))
    moved = find_subject(str(run), Workspace(tmp_path))
    assert common_base([moved]).path == run / "start"
    parent = run.parent / "20260101-000000-parent-aaaa"
    parent.mkdir()
    (run / "start").rename(parent / "start")
    record["base"]["path"] = f"/gone/runs/{parent.name}/start"
    (run / "run.json").write_text(json.dumps(record))
    assert common_base([find_subject(str(run), Workspace(tmp_path))]).path == parent / "start"


def test_the_base_of_plain_directories_must_be_named(subject: Subject) -> None:
    with pytest.raises(UsageError, match="the base model is not known"):
        common_base([subject])


def test_logits_that_are_no_numbers_are_said_to_be_none_and_where() -> None:
    logits = torch.arange(6.0).reshape(2, 3)
    broken = logits.clone()
    broken[1, 0] = float("nan")
    canary = tuned_is_active(logits, broken)
    assert canary.status == "fail"
    assert canary.detail == "logits of the tuned model are no numbers at probe 2"
    assert "the base are no numbers" in tuned_is_active(broken, logits).detail


def test_merging_may_round_but_not_change_and_must_be_undone() -> None:
    logits = torch.arange(1.0, 7.0).reshape(2, 3)
    assert merged_is_unmerged(logits, logits + 5e-3, logits, "float32").status == "pass"
    assert merged_is_unmerged(logits, logits + 7e-3, logits, "float32").status == "fail"
    assert merged_is_unmerged(logits, logits + 7e-3, logits, "bfloat16").status == "pass"
    assert merged_is_unmerged(logits, logits, logits + 1e-6, "float32").status == "fail"
    assert merged_is_unmerged(logits, logits * float("nan"), logits, "float32").status == "fail"


@pytest.mark.parametrize("tokens", [False, True])
def test_an_adapter_is_merged_looked_at_and_taken_out_bit_for_bit(
    tiny_model: Path, adapter_maker: Callable[..., Path], tmp_path: Path, tokens: bool
) -> None:
    path = adapter_maker(tiny_model, tmp_path / "adapter", tokens=tokens)
    resident = Resident.load(
        directory_source(tiny_model, name="base"), Placement("cpu", "float32", "a test"), 0
    )
    before = {name: weight.clone() for name, weight in resident.model.named_parameters()}
    prompts = [[5, 10, 11, 12], [10, 9]]
    with resident.wearing(find_subject(str(path), Workspace(tmp_path))) as worn:
        on = probe(worn.engine, prompts)
        looked: list[torch.Tensor] = []

        def look() -> torch.Tensor:
            looked.append(probe(worn.engine, prompts))
            return looked[-1]

        assert check_merging(worn, look, on, "float32", None).status == "pass"
        merged, undone = looked
        assert undone.equal(on)
        assert not merged.equal(on)  # it was merged: sums are rounded otherwise
        assert torch.allclose(merged, on, atol=1e-4)
        for module in worn.tuned.modules():  # an adapter that is merged at another strength
            if hasattr(module, "get_delta_weight") and hasattr(module, "scaling"):
                weight = module.get_delta_weight
                module.get_delta_weight = lambda name, weight=weight: 1.5 * weight(name)
        assert check_merging(worn, look, on, "float32", None).status == "fail"
        assert check_merging(worn, look, on, "float32", "nf4").status == "not_run"
    after = dict(resident.model.named_parameters())
    assert all(weight.equal(after[name]) for name, weight in before.items())
