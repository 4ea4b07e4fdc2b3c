"""Adapter and merged exports: parity, gate, card, and what goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from evalsuite.models import ChatTokenizer
from train.checkpoints import fault_of
from workspace.errors import (
    DiskFullError,
    EvaluationInvalid,
    GateFailed,
    GateInconclusive,
    LimitExceeded,
    ModelError,
    UsageError,
)


@pytest.fixture(scope="module")
def merged(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "merged"
    trained.export("merged", out, override="for `me` | <b>you</b>\n# now")
    return out


def test_a_merged_model_says_what_the_run_says(trained: Any, merged: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from evalsuite.models.load import load_adapter, load_model

    model = AutoModelForCausalLM.from_pretrained(merged, dtype="auto")
    assert model.dtype == torch.bfloat16
    ids = torch.tensor([[1, 20, 30, 2]])
    shipment = trained.open()
    tuned = load_adapter(load_model(shipment.base.path), shipment.subject.path)
    with torch.no_grad():
        ours = tuned(input_ids=ids).logits
        theirs = model.float()(input_ids=ids).logits
    assert (ours - theirs).abs().max() < 0.05 < (ours - ours.mean()).abs().max()
    own, other = ChatTokenizer.from_dir(merged), shipment.tokenizer
    assert own.digest == other.digest and own.eos_ids == other.eos_ids
    assert fault_of(merged) is None
    assert not list(merged.glob("adapter*")) and not list(merged.glob("*.bin"))


def test_parity_is_measured_against_the_noise_of_the_precision(merged: Path) -> None:
    parity = json.loads((merged / "parity.json").read_text())
    assert parity["status"] == "pass" and parity["ids_differing"] == []
    assert parity["prompts"] == 12 and "validation" in parity["source"]
    assert 0 < parity["floor"]["kl_mean"] < 1e-2
    assert parity["artefact"]["kl_mean"] <= 3 * parity["floor"]["kl_mean"] + 1e-6
    assert parity["effect"]["kl_mean"] > 20 * parity["artefact"]["kl_mean"]
    assert parity["artefact"]["tokens"] >= 12


def test_in_float32_nothing_but_the_order_of_sums_differs(trained: Any, tmp_path: Path) -> None:
    done = trained.export("merged", tmp_path / "m", override="x", precision="float32")
    assert done.parity.artefact.kl_mean < 1e-6 and done.parity.artefact.other_top_tokens == 0
    assert done.parity.texts_differing == 0


def test_an_adapter_is_exported_with_its_bases_identity(trained: Any, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    out = tmp_path / "adapter"
    done = trained.export("adapter", out, override="x")
    shipment = trained.open()
    name = "adapter_model.safetensors"
    assert (out / name).read_bytes() == (shipment.subject.path / name).read_bytes()
    assert json.loads((out / "base.json").read_text())["sha256"] == shipment.base.digest
    assert done.parity.artefact.kl_mean == 0.0 and done.parity.texts_differing == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers an old way
        AutoPeftModelForCausalLM.from_pretrained(out)
    assert ChatTokenizer.from_dir(out).digest == shipment.tokenizer.digest


def test_a_wrong_merge_is_not_exported(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.models.load import load_model
    from train.adapters import merging

    # the adapter is forgotten
    monkeypatch.setattr(merging, "merged", lambda base, adapter: load_model(base))
    with pytest.raises(LimitExceeded, match="nats per token") as caught:
        trained.export("merged", tmp_path / "m", override="x")
    assert caught.value.exit_code == 6
    assert list(tmp_path.iterdir()) == []


def test_another_template_in_the_export_is_not_exported(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train.export import merged as module

    before = module.fill_model

    def spoilt(directory: Path, *arguments: Any, **options: Any) -> None:
        before(directory, *arguments, **options)
        file = directory / "chat_template.jinja"
        file.write_text(file.read_text().replace("assistant\n", "assistant: "))

    monkeypatch.setattr(module, "fill_model", spoilt)
    with pytest.raises(LimitExceeded, match="12 prompts get other token ids"):
        trained.export("merged", tmp_path / "m", override="x")
    assert list(tmp_path.iterdir()) == []


# ---- the gate


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("fail", GateFailed, 1),
        ("inconclusive", GateInconclusive, 3),
        ("invalid", EvaluationInvalid, 5),
        (None, GateInconclusive, 3),
    ],
)
def test_what_did_not_pass_is_not_exported(
    yard: Any, tmp_path: Path, status: str | None, error: Any, code: int
) -> None:
    if status:
        yard.judge(status)
    with pytest.raises(error) as caught:
        yard.export("adapter", tmp_path / "out")
    assert caught.value.exit_code == code and "--override" in caught.value.cure
    assert not (tmp_path / "out").exists()


def test_what_passed_is_exported_without_an_override(yard: Any, tmp_path: Path) -> None:
    yard.judge("pass")
    done = yard.export("adapter", tmp_path / "out", override="not needed")
    assert done.standing.passed and done.standing.override == ""
    assert "**Passed its gate.**" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("change", [{"weights": "0" * 64}, {"base": "0" * 64}])
def test_a_verdict_on_other_weights_does_not_count(yard: Any, change: Any) -> None:
    yard.judge("pass", **change)
    assert yard.open().standing().status == "missing"


def test_a_suite_that_was_failed_is_not_cleared_by_another(yard: Any) -> None:
    yard.judge("fail", number=1)
    yard.judge("pass", number=2, suites=("easy",))
    assert yard.open().standing().status == "fail"
    yard.judge("pass", number=3, suites=("gain", "keep"))
    assert yard.open().standing().status == "pass"
    yard.judge("inconclusive", number=4, suites=("keep",))
    assert yard.open().standing().status == "inconclusive"


def test_a_damaged_evaluation_is_counted_and_passed_over(yard: Any) -> None:
    yard.judge("pass", number=1)
    (yard.judge("pass", number=2) / "results.json").write_text("{")
    found = yard.open().standing()
    assert found.status == "pass" and len(found.unreadable) == 1


# ---- the card


def test_the_card_has_everything_and_hostile_text_is_inert(merged: Path) -> None:
    text = (merged / "README.md").read_text()
    _, front, body = re.split(r"^---$", text, maxsplit=2, flags=re.MULTILINE)
    document = YAML(typ="safe").load(front)
    assert document["tags"] == ["merged", "sft", "welltempered"]
    assert document["library_name"] == "transformers"
    assert (
        "It was exported nevertheless, for this reason: ``for `me` \\| <b>you</b>⏎# now``" in body
    )
    for section in ("Use", "Measured", "Data", "Parity", "Proof", "Cost", "Recipe"):
        assert re.search(rf"^## {section}", body, re.MULTILINE), section
    assert "Mask proof passed: " in body and "24 steps; " in body
    assert "learning_rate: 0.01" in body
    assert "no row was compared with any test item" in body
    assert "THIS_DIRECTORY" not in body and "{{" not in body


def test_the_table_of_the_card_has_intervals(yard: Any, tmp_path: Path) -> None:
    yard.judge("pass")
    yard.export("adapter", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    row = next(line for line in text.splitlines() if "reverse" in line)
    assert "``reverse `x` \\| y``" in row
    assert "| 600 | 10.0\u202f% | 90.0\u202f% | +80.0 | +75.0 … +85.0 | ✅ pass |" in row


def test_a_secret_in_a_reason_does_not_reach_the_card(yard: Any, tmp_path: Path) -> None:
    secret = "hf_" + "a" * 30
    yard.export("adapter", tmp_path / "out", override=f"key {secret}")
    for file in (tmp_path / "out").iterdir():
        assert secret.encode() not in file.read_bytes(), file.name


# ---- what goes wrong


def test_another_base_is_refused(yard: Any, tiny_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-3}))
    with pytest.raises(ModelError, match="not the one that this run was trained from"):
        yard.open(base=str(other))
    assert yard.open(base=str(tiny_model)).base.path == tiny_model.resolve()


def test_a_base_that_moved_is_asked_for_and_found(
    yard: Any, tiny_model: Path, tmp_path: Path
) -> None:
    record = json.loads((yard.run / "run.json").read_text())
    record["base"] |= {"path": "/nowhere/at/all", "name": "/nowhere/at/all"}
    (yard.run / "run.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="base of this run is gone") as caught:
        yard.open()
    assert "--base" in caught.value.cure
    moved = tmp_path / "moved"
    shutil.copytree(tiny_model, moved)
    assert yard.open(base=str(moved)).base.digest == record["base"]["digest"]


def test_changed_weights_and_unfinished_runs_are_refused(yard: Any) -> None:
    file = yard.run / "model" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\1\2\3\4")
    with pytest.raises(ModelError, match="not the one that was trained"):
        yard.open()
    shutil.rmtree(yard.run / "model")
    with pytest.raises(ModelError, match="no finished model") as caught:
        yard.open()
    assert "temper resume" in caught.value.cure


def test_an_existing_name_and_a_full_disk_are_refused_before_weights_load(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="something is there already"):
        trained.export("merged", tmp_path, override="x")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(DiskFullError, match="too small"):
        trained.export("merged", tmp_path / "m", override="x")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from train.export import merged
from train.export.base import Options
from train.export.run import export_run
from train.export.shipment import open_shipment
from workspace.layout import Workspace

before = merged.fill_model
def killed(directory, *arguments, **options):
    before(directory, *arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
merged.fill_model = killed
shipment = open_shipment(sys.argv[1], Workspace(Path(sys.argv[2])))
export_run(shipment, "merged", Options(out=sys.argv[3]), override="x")
"""


@pytest.mark.slow
def test_kill_9_leaves_nothing_under_the_final_name(trained: Any, tmp_path: Path) -> None:
    out = tmp_path / "m"
    arguments = [sys.executable, "-P", "-c", KILLED, str(trained.run), str(trained.root), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists() and [path.name[:7] for path in tmp_path.iterdir()] == [".m.tmp-"]
    said: list[str] = []
    trained.export("merged", out, override="x", note=said.append)
    assert fault_of(out) is None and any("killed" in line for line in said)
