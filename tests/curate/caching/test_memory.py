"""The rows are the same with a cache and without, whatever was changed in between."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.curating import CurateResult, run_curate
from curate.recipe import CurateSection
from evalsuite.models import ModelSection
from workspace.layout import Workspace
from workspace.recipe import load_recipe

Curate = Callable[..., CurateResult]
Lines = Callable[..., Path]
LONG = "open the app and choose the button with the plus sign on the first screen to begin with"
SUITE = """\
schema_version: 1
name: held
purpose: retention
tasks:
  - {name: capital, ability: capital, kind: generation, data: items.jsonl, prompt: "{{ q }}",
     gold: "{{ a }}", scorer: {kind: exact}}
"""
ASKS = st.sampled_from(
    [
        "how do I top up my account",
        "how do I top up my account now",
        "what is 3 * 4 + 2",
        "what is 3 * 2 + 4",
        "what is the capital of France",
        "write to me at a.b@example.org",
        "",
    ]
)
SAYS = st.sampled_from(["Paris", "paris.", "14", f"{LONG}.", f"{LONG} it", "", "I cannot help."])
ROW = st.builds(
    lambda ask, say, label: {"prompt": ask, "completion": say, "category": label},
    ASKS,
    SAYS,
    st.sampled_from(["a", "b"]),
)
STEP = st.one_of(
    st.sampled_from(
        ["exact_duplicates", "empty_answers", "contradictions", "repeated_prompts", "redact"]
    ),
    st.sampled_from([0.7, 0.75, 0.8, 0.95]).map(lambda at: {"near_duplicates": {"threshold": at}}),
    st.integers(1, 40).map(lambda least: {"filter": {"length": {"min_characters": least}}}),
    st.integers(1, 6).map(lambda rows: {"select": {"rows": rows}}),
    st.integers(1, 3).map(lambda most: {"repeated_answers": {"most": most, "least_tokens": 1}}),
    st.just({"balance": {"by": "label", "count": "rows", "temperature": 2}}),
    st.just({"balance": {"by": "topic", "topics": {"count": 2}, "count": "rows", "cap": 3}}),
    st.sampled_from([1, 3]).map(lambda count: {"topics": {"count": count}}),
    st.just({"semantic_duplicates": {"embedder": "lexical", "threshold": 0.7}}),
    st.just({"select": {"rows": 4, "method": "k_centre"}}),
    st.just({"consistency": {"share": 0.7}}),
    st.just("repair"),
    st.just({"decontaminate": {"files": [{"path": "items.jsonl", "field": "q", "answer": "a"}]}}),
)


def logical(result: CurateResult) -> dict[str, Any]:
    """Return the ledger but for seconds and where a result came from."""
    document = result.ledger.document()
    document.pop("from_cache")
    for step in document["steps"]:
        del step["seconds"], step["from_cache"]
    return document


def run(root: Path, section: dict[str, Any], *, cache: bool, model: bool = False) -> CurateResult:
    recipe = root / "temper.yaml"
    whole: dict[str, Any] = {"name": "made", "curate": section}
    if model:
        whole["model"] = {"path": "builtin"}
    recipe.write_text(json.dumps(whole), encoding="utf-8")
    loaded = load_recipe(recipe, {"curate": CurateSection, "model": ModelSection})
    return run_curate(loaded, Workspace(root), cache=cache, dry_run=True)


def write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def outcome(root: Path, section: dict[str, Any], *, cache: bool, model: bool = False) -> object:
    """Return what a curation came to, an error by its words."""
    from workspace.errors import TemperError

    try:
        result = run(root, section, cache=cache, model=model)
    except TemperError as error:
        return type(error).__name__, str(error)
    return result.digest, logical(result)


Chain = list[tuple[list[Any], list[dict[str, Any]], dict[str, Any], bool]]
"""Recipes one after the other: steps, rows, split, and whether a model counts tokens."""


@st.composite
def edits(draw: st.DrawFn) -> Chain:
    """Draw a recipe and rows, then a few changes of either, some of them back to what was."""
    steps = draw(st.lists(STEP, max_size=4))
    rows = draw(st.lists(ROW, min_size=3, max_size=14))
    split: dict[str, Any] = {}
    model = draw(st.booleans())
    out = [(steps, rows, split, model)]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["step", "rows", "split", "model", "back", "drop"]))
        if kind == "back":
            out.append(out[0])
            continue
        if kind == "step":
            place = draw(st.integers(0, len(steps)))
            steps = [*steps[:place], draw(STEP), *steps[place + 1 :]]
        elif kind == "drop":
            steps = steps[1:]
        elif kind == "rows":
            rows = [*rows, draw(ROW)]
        elif kind == "split":
            split = {"validation": draw(st.sampled_from([0, 0.2])), "test": 0.2}
        else:
            model = not model
        out.append((steps, rows, split, model))
    return out


@pytest.mark.slow
@given(edits())
@settings(max_examples=4, deadline=None)
def test_a_chain_of_edits_gives_the_same_with_and_without_the_cache(chain: Chain) -> None:
    check_chain(chain)


@pytest.mark.slow
@given(edits())
@settings(max_examples=100, deadline=None)
def test_many_chains_of_edits_give_the_same_with_and_without_the_cache(chain: Chain) -> None:
    check_chain(chain)


def check_chain(chain: Chain) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root / "items.jsonl", [{"q": "what is the capital of France", "a": "Paris"}])
        for steps, rows, split, model in chain:
            write(root / "rows.jsonl", rows)
            section = {"sources": ["rows.jsonl"], "steps": steps, "split": split}
            section |= {"circuit_breaker": 1}
            cached = outcome(root, section, cache=True, model=model)
            again = outcome(root, section, cache=True, model=model)
            fresh = outcome(root, section, cache=False, model=model)
            assert cached == fresh
            assert again == fresh


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    made = [{"prompt": f"{LONG} number {n % 7}", "completion": f"{LONG} {n}"} for n in range(60)]
    write(tmp_path / "rows.jsonl", [*made, {"prompt": "mail a.b@example.org", "completion": "ok"}])
    return tmp_path


def section(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"sources": ["rows.jsonl"], "steps": [*steps], "circuit_breaker": 1, **more}


def recalled(result: CurateResult) -> set[str]:
    return set(result.ledger.from_cache)


def test_an_unchanged_recipe_computes_nothing_again(rows: Path) -> None:
    wanted = section("exact_duplicates", "near_duplicates", "redact", split={"test": 5})
    first = run(rows, wanted, cache=True, model=True)
    assert recalled(first) == set()
    again = run(rows, wanted, cache=True, model=True)
    assert again.digest == first.digest
    assert list(again.ledger.from_cache) == [
        "reading", "token counts", "exact duplicates", "near duplicates", "redact", "split",
    ]  # fmt: skip
    steps = {step["step"]: step for step in again.ledger.document()["steps"]}
    assert steps["near_duplicates"]["from_cache"] and steps["read"]["from_cache"]
    assert any(note.startswith("From the cache: reading, token counts") for note in again.notes)


def test_another_threshold_takes_the_comparison_from_the_cache(rows: Path) -> None:
    split = {"test": 5}
    run(rows, section({"near_duplicates": {"threshold": 0.8}}, split=split), cache=True)
    near = {"near_duplicates": {"threshold": 0.99}}
    again = run(rows, section(near, split=split), cache=True)
    assert "rows alike (from 0.7)" in recalled(again)
    assert "near duplicates" not in recalled(again)
    assert again.digest == run(rows, section(near, split=split), cache=False).digest


def test_a_later_step_leaves_the_earlier_ones_alone(rows: Path) -> None:
    run(rows, section("exact_duplicates", "redact"), cache=True)
    last = {"filter": {"length": {"min_characters": 3}}}
    again = run(rows, section("exact_duplicates", "redact", last), cache=True)
    assert recalled(again) == {"reading", "exact duplicates", "redact"}


def test_a_step_that_changes_nothing_leaves_the_later_ones_alone(rows: Path) -> None:
    def filtered(least: int) -> dict[str, Any]:
        length = {"filter": {"length": {"min_characters": least}}}
        return section(length, "near_duplicates")

    run(rows, filtered(1), cache=True)
    assert "near duplicates" in recalled(run(rows, filtered(2), cache=True))


def test_a_changed_source_is_read_again(rows: Path) -> None:
    wanted = section("near_duplicates")
    run(rows, wanted, cache=True)
    state = (rows / "rows.jsonl").stat()
    text = (rows / "rows.jsonl").read_text().replace("number 1", "number 9")
    (rows / "rows.jsonl").write_text(text)
    os.utime(rows / "rows.jsonl", ns=(state.st_atime_ns, state.st_mtime_ns))  # same size and time
    assert recalled(run(rows, wanted, cache=True)) == set()


def test_a_changed_suite_or_file_of_items_is_looked_for_again(rows: Path) -> None:
    (rows / "suites").mkdir()
    (rows / "suites" / "held.yaml").write_text(SUITE)
    write(rows / "suites" / "items.jsonl", [{"id": "1", "q": "unknown to all rows", "a": "x"}])
    wanted = section({"decontaminate": {"suites": ["held"]}})
    first = run(rows, wanted, cache=True)
    assert "decontaminate" in recalled(run(rows, wanted, cache=True))
    asked = json.loads((rows / "rows.jsonl").read_text().splitlines()[0])["prompt"]
    write(rows / "suites" / "items.jsonl", [{"id": "1", "q": asked, "a": "x"}])
    then = run(rows, wanted, cache=True)
    assert "decontaminate" not in recalled(then)
    assert then.ledger.rows_dropped > first.ledger.rows_dropped == 0


def test_another_tokenizer_counts_again_and_makes_another_dataset(rows: Path) -> None:
    from evalsuite.models import resolve_model

    builtin = resolve_model(ModelSection(path="builtin"), rows).path
    shutil.copytree(builtin, rows / "mine")
    template = rows / "mine" / "chat_template.jinja"

    def made() -> CurateResult:
        recipe = rows / "temper.yaml"
        whole = {"name": "made", "model": {"path": "mine"}, "curate": section()}
        recipe.write_text(json.dumps(whole), encoding="utf-8")
        loaded = load_recipe(recipe, {"curate": CurateSection, "model": ModelSection})
        return run_curate(loaded, Workspace(rows))

    first = made()
    assert "token counts" in recalled(made())
    template.write_text("Please: " + template.read_text())
    then = made()
    assert "token counts" not in recalled(then) and "reading" in recalled(then)
    assert then.digest != first.digest
    counts = [one.ledger.splits["train"].tokens or 0 for one in (first, then)]
    assert counts[1] > counts[0]


def test_a_template_that_trains_other_turns_balances_again_whatever_stands_before(
    rows: Path,
) -> None:
    from evalsuite.models import resolve_model

    shutil.copytree(resolve_model(ModelSection(path="builtin"), rows).path, rows / "mine")
    template = rows / "mine" / "chat_template.jinja"
    balance = {"balance": {"by": "length", "upsample": "max"}}
    recipe = {"name": "made", "model": {"path": "mine"}, "curate": section("topics", balance)}
    (rows / "temper.yaml").write_text(json.dumps(recipe), encoding="utf-8")

    def made(*, cache: bool) -> object:
        loaded = load_recipe(rows / "temper.yaml", {"curate": CurateSection, "model": ModelSection})
        return logical(run_curate(loaded, Workspace(rows), cache=cache, dry_run=True))

    made(cache=True)
    # As many tokens as before, none of them marked: the rows on disk are the same, byte for byte.
    text = template.read_text()
    template.write_text(
        text.replace(" generation ", " if true ").replace(" endgeneration ", " endif ")
    )
    assert template.read_text() != text
    assert made(cache=True) == made(cache=False)


def test_topics_by_an_embedder_are_found_again(rows: Path) -> None:
    from curate.steps.balance import BalanceStep
    from curate.steps.balancing.configs import Balance
    from curate.steps.base import StepContext

    context = StepContext(pl.LazyFrame(), "messages", Workspace(rows), rows)
    for embedder, kept in (("models/mine", False), ("lexical", True)):
        topics = {"embedder": embedder}
        config = Balance.model_validate({"by": "topic", "topics": topics, "cap": 3})
        assert (BalanceStep(config).depends_on(context) is not None) == kept


def test_all_code_that_decides_about_rows_is_in_the_names_of_results() -> None:
    import ast

    from curate.caching import code

    root = Path(code.__file__).parents[2]
    names = ("models", "tasks", "similarity", "embedding", "scorers")
    rooms = {f"evalsuite/{room}" for room in names}
    assert rooms <= set(code._ROOMS)
    for file in (root / "curate").rglob("*.py"):
        inside = file.relative_to(root / "curate").as_posix()
        if inside.startswith((*code._ONLY_SHOWN, "covering/", "card", "enough", "api")):
            continue
        if inside.startswith("steps/scoring/"):  # scores have a cache of their own
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evalsuite."):
                room = "/".join(str(node.module).split(".")[:2])
                assert room in rooms or room in ("evalsuite/stats", "evalsuite/report"), inside


def test_a_map_of_personal_data_is_written_each_time_and_never_cached(rows: Path) -> None:
    wanted = section({"redact": {"map": "private.jsonl"}})
    recipe = rows / "temper.yaml"
    recipe.write_text(json.dumps({"name": "made", "curate": wanted}), encoding="utf-8")
    for _ in range(2):
        loaded = load_recipe(recipe, {"curate": CurateSection})
        result = run_curate(loaded, Workspace(rows))
        assert "a.b@example.org" in (rows / "private.jsonl").read_text()
        (rows / "private.jsonl").unlink()
        assert "redact" not in recalled(result)


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_damage_costs_time_and_is_told(rows: Path, harm: str) -> None:
    wanted = section("exact_duplicates", "near_duplicates", "redact", split={"test": 5})
    first = run(rows, wanted, cache=True)
    files = [path for path in (rows / "cache" / "steps").glob("*/*") if path.is_file()]
    for number, file in enumerate(sorted(files)):
        if number % 2:
            continue
        if harm == "flip":
            data = bytearray(file.read_bytes() or b"x")
            data[len(data) // 2] ^= 1
            file.write_bytes(bytes(data))
        elif harm == "cut":
            os.truncate(file, file.stat().st_size // 2)
        else:
            file.unlink()
    again = run(rows, wanted, cache=True)
    assert again.digest == first.digest and logical(again) == logical(first)
    assert harm == "remove" or any("Damaged entries" in note for note in again.notes)
    assert recalled(run(rows, wanted, cache=True)) >= {"reading", "near duplicates", "split"}


def test_a_cache_that_cannot_be_written_costs_no_run(rows: Path) -> None:
    (rows / "cache").write_text("in the way")
    result = run(rows, section("near_duplicates"), cache=True)
    assert result.digest == run(rows, section("near_duplicates"), cache=False).digest
    assert any("could not be kept" in note for note in result.notes)


@pytest.mark.slow
def test_two_runs_at_once_and_one_killed_end_the_same(rows: Path) -> None:
    wanted = section("exact_duplicates", "near_duplicates", split={"test": 5})
    (rows / "temper.yaml").write_text(json.dumps({"name": "made", "curate": wanted}))
    command = [sys.executable, "-P", "-m", "tui", "curate", "--json"]
    children = [
        subprocess.Popen(command, cwd=rows, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(3)
    ]
    children[2].kill()
    digests = {json.loads(child.communicate()[0])["digest"] for child in children[:2]}
    children[2].communicate()
    assert digests == {run(rows, wanted, cache=False).digest}


def test_a_single_step_uses_a_cache_only_where_there_is_one(
    rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curate.one_step import curated_rows, section_for

    monkeypatch.chdir(rows)
    (rows / "temper.yaml").write_text("name: made\n")
    asked = section_for(["rows.jsonl"], steps=["near_duplicates"])
    with curated_rows(asked) as curated:
        first = curated.kept.select("id").collect()
    assert not (rows / "cache").exists()
    run(rows, section("near_duplicates"), cache=True)
    with curated_rows(asked) as curated:
        assert "near duplicates" in curated.ledger.from_cache
        assert curated.kept.select("id").collect().equals(first)


def test_an_entry_of_another_shape_is_computed_again(rows: Path) -> None:
    from curate.caching.store import Store

    wanted = section("near_duplicates")
    first = run(rows, wanted, cache=True)
    root = rows / "cache" / "steps"
    for path in root.glob("step-*"):
        key = path.name
        Store(root).discard(key)
        Store(root).put(key, lambda directory: pl.DataFrame().write_csv(directory / "x.csv"))
    again = run(rows, wanted, cache=True)
    assert again.digest == first.digest and "near duplicates" not in recalled(again)
