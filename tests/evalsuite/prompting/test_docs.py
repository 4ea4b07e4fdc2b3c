"""The example of docs/prompts.md runs as it stands."""

from __future__ import annotations

import json
import random
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evalsuite.builtin.abilities import Split, ability
from tui.command_line import app
from workspace.errors import DataError

TEXT = (Path(__file__).parents[3] / "docs" / "prompts.md").read_text(encoding="utf-8")
SUITE = """\
schema_version: 1
name: moods
purpose: target
min_items: 10
tasks:
  - {name: moods, kind: generation, data: moods.jsonl, prompt: "{{ q }}", gold: "{{ a }}",
     scorer: exact, max_new_tokens: 4}
"""


def drawn(count: int, split: Split) -> list[tuple[str, str]]:
    rng, found = random.Random(0), {}
    while len(found) < count:
        one = ability("sentiment").draw_from(rng, split)
        found[one.fields["sentence"]] = one.answer
    return list(found.items())


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (recipe,) = re.findall(r"^```yaml\n(# prompts\.yaml\n.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    Path("prompts.yaml").write_text(recipe)
    Path("asked.md").write_text("Sentiment: {{ question }}")
    Path("suites").mkdir()
    Path("suites/moods.yaml").write_text(SUITE)
    lines = [
        json.dumps({"id": str(place), "q": q, "a": a}) + "\n"
        for place, (q, a) in enumerate(drawn(40, Split.RETENTION))
    ]
    Path("suites/moods.jsonl").write_text("".join(lines))
    rows = [{"prompt": q, "completion": a} for q, a in drawn(60, Split.TRAINING)]
    where = Path("datasets/reviews/0123abcd")
    where.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), where / "train.parquet")
    (where / "ledger.json").write_text("{}")
    (where.parent / "current").symlink_to(where.name)
    arguments = shlex.split(command)[1:]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    for told in ("the base by prompts alone", "asked and shown", "tokens per 1,000 requests"):
        assert told in done.output
    (results,) = Path("evals").glob("*/results.json")
    found = json.loads(results.read_text())
    names = [one["name"] for one in found["prompt_baselines"]]
    assert names == ["zero-shot", "few-shot", "retrieved", "asked", "asked and shown"]
    assert found["recommendations"][0]["sentence"] in done.output
    assert "Is tuning needed?" in results.with_name("report.html").read_text()

    missing = [*arguments, "--set", "evaluate.prompts.dataset=gone"]
    gone = CliRunner().invoke(app, missing).exception
    assert isinstance(gone, DataError) and "no dataset called 'gone'" in gone.title
    Path("asked.md").write_text("{{ ticket }}")
    refused = CliRunner().invoke(app, arguments).exception
    assert isinstance(refused, DataError) and "template of the question alone" in refused.title


def test_every_key_is_documented() -> None:
    from evalsuite.prompting.section import PromptSection

    assert all(f"{key}:" in TEXT or f"`{key}`" in TEXT for key in PromptSection.model_fields)
