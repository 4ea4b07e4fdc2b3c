"""A finished run in its workspace, and verdicts on it, for tests of what ships."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalsuite.report import ComparisonRecord, Results, SuiteRecord, write_results
from evalsuite.report.document import ModelRecord
from evalsuite.verdict import AbilityResult, Verdict
from tests.train.conftest import SECTIONS, chats, write_dataset
from train.export.base import Options
from train.export.run import Exported, export_run
from train.export.shipment import Shipment, open_shipment
from train.run import run_train
from workspace.jobs import run_job
from workspace.layout import Workspace
from workspace.recipe import load_recipe


@dataclass(frozen=True)
class Yard:
    """A workspace with one trained run."""

    root: Path
    run: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    def open(self, **options: Any) -> Shipment:
        return open_shipment(str(self.run), self.workspace, **options)

    def export(self, target: Any, out: Path, *, override: str = "", **options: Any) -> Exported:
        return export_run(self.open(), target, Options(out=str(out), **options), override=override)

    def judge(self, status: Any, *, number: int = 0, **changes: Any) -> Path:
        """Write an evaluation of the run with this verdict."""
        return judge(self.open(), status, number=number, **changes)


def judge(
    shipment: Shipment,
    status: Any,
    *,
    number: int = 0,
    suites: tuple[str, ...] = ("gain", "keep"),
    weights: str | None = None,
    base: str | None = None,
    dtype: str = "float32",
    paths: dict[str, str] | None = None,
) -> Path:
    subject = shipment.subject
    adapter = subject.kind == "adapter"
    mine = weights or subject.digest
    base_digest = base or shipment.base.digest
    tuned = ModelRecord(
        name="toy", role="tuned", path=str(subject.path),
        digest=base_digest if adapter else mine, adapter_digest=mine if adapter else None,
        dtype=dtype,
    )  # fmt: skip
    ability = AbilityResult(
        name="reverse `x` | y", purpose="target", verdict="pass", sentence="", state="measured",
        n=600, base=0.1, tuned=0.9, difference=0.8, low=0.75, high=0.85,
    )  # fmt: skip
    exit_codes = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 5}
    results = Results(
        id=f"20261121-00000{number}-toy-aaaa",
        created="2026-11-21T10:00:00+00:00",
        models=[
            ModelRecord(name="base", role="base", path="base", digest=base_digest, dtype=dtype),
            tuned,
        ],
        suites=[
            SuiteRecord(
                name=name, purpose="target", path=(paths or {}).get(name, "gone.yaml"),
                digest="d", items=600, tasks=1, margin=0.05, alpha=0.05, min_items=500,
            )
            for name in suites
        ],
        comparisons=[
            ComparisonRecord(
                base="base", tuned="toy",
                verdict=Verdict(status, exit_codes[status], f"It is a {status}.", (), (ability,)),
            )
        ],
    )  # fmt: skip
    directory = shipment.workspace.make(shipment.workspace.evals) / results.id
    directory.mkdir(exist_ok=True)
    write_results(directory, results)
    return directory


def train(root: Path, model: Path, settings: dict[str, Any]) -> Path:
    dataset = write_dataset(root / "datasets" / "toy" / "11112222", chats(37))
    pq.write_table(pa.Table.from_pylist(chats(12, start=50)), dataset / "validation.parquet")
    (dataset.parent / "current").symlink_to(dataset.name)
    document = {
        "name": "toy",
        "model": {"path": str(model)},
        "train": {"batch_size": 8, "steps": 24, "learning_rate": 0.01, **settings},
    }
    (root / "temper.yaml").write_text(json.dumps(document))
    recipe = load_recipe(root / "temper.yaml", SECTIONS, [])
    with run_job(Workspace(root), "train", ["temper", "train"]) as job:
        return run_train(recipe, Workspace(root), job)
