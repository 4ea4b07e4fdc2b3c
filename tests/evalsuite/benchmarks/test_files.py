"""Directories of lm_eval's tasks: what would run Python is refused before anything reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.benchmarks.files import refuse_code
from workspace.errors import DataError

GOOD = "task: a\ninclude: base.yaml\nmetric_list: [{metric: acc}]\nx: &x {y: 1}\nz: {<<: *x}\n"


def looked_at(directory: Path, content: str | bytes) -> None:
    """Look at a directory with one task of this text."""
    (directory / "base.yaml").write_text("output_type: multiple_choice\n")
    (directory / "_template").write_text("process_docs: !function utils.evil\n")
    data = content.encode() if isinstance(content, str) else content
    (directory / "task.yaml").write_bytes(data)
    refuse_code(directory, {"acc"})


def test_plain_tasks_are_read(tmp_path: Path) -> None:
    looked_at(tmp_path, GOOD)
    looked_at(tmp_path, "include: [base.yaml]\nloop: &l [1, *l]\n")
    looked_at(tmp_path, "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: !function utils.evil", "!function"),
        ("a: !%66unction utils.evil", "!function"),
        ("%TAG !e! !func\n---\na: !e!tion utils.evil", "!function"),
        ("a: [{b: !function utils.evil}]".encode("utf-16"), "!function"),
        ("a: !!python/name:os.system", "python/name"),
        ("'class': x", "class:"),
        ('"un\\x73afe_code": true', "unsafe_code:"),
        ("include: _template", "include: _template"),
        ("include: [base.yaml, _template]", "include: _template"),
        ("include: ../base.yaml", "include: ../base.yaml"),
        ("include: /base.yaml", "include: /base.yaml"),
        ("include: gone.yaml", "include: gone.yaml"),
        ("include: {a: b}", "include"),
        ("metric_list: [{metric: 'someone/on_the_hub'}]", "metric someone/on_the_hub"),
        ("metric_list: [{metric: !function u.f}]", "!function"),
    ],
)
def test_what_names_code_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(DataError, match="names code") as caught:
        looked_at(tmp_path, content)
    assert said in caught.value.cause
    assert "task.yaml:" in caught.value.where


def test_what_is_no_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        looked_at(tmp_path, "a: [")
