"""A draft: undo, redo, and saving that loses nothing."""

from __future__ import annotations

import pytest

from tui.form.draft import ChangedOnDisk, Draft
from workspace.errors import TemperError, UsageError


def test_undo_and_redo(file, recipe_text):
    draft = Draft.read(file)
    assert not draft.is_changed and not draft.undo()
    draft.change("a")
    draft.change("b")
    assert draft.undo() and draft.text == "a"
    assert draft.redo() and draft.text == "b"
    assert draft.undo() and draft.undo() and draft.text == recipe_text and not draft.is_changed
    draft.change("c")
    assert not draft.redo()


def test_saving_refuses_where_the_file_has_changed(file, recipe_text):
    draft = Draft.read(file)
    draft.change(recipe_text.replace("epochs: 8", "epochs: 3"))
    file.write_text(recipe_text.replace("epochs: 8", "epochs: 5"))
    with pytest.raises(ChangedOnDisk) as raised:
        draft.save()
    assert "-  epochs: 5" in raised.value.difference and "+  epochs: 3" in raised.value.difference
    assert "epochs: 5" in file.read_text() and draft.is_changed
    draft.save(over=True)
    assert "epochs: 3" in file.read_text() and not draft.is_changed
    file.unlink()
    draft.change("name: b\n")
    with pytest.raises(ChangedOnDisk):
        draft.save()


def test_what_is_on_disk_can_be_taken_and_undone(file, recipe_text):
    draft = Draft.read(file)
    draft.change("mine")
    file.write_text("theirs")
    assert draft.look() == "theirs"
    draft.take("theirs")
    assert not draft.is_changed
    draft.undo()
    assert draft.text == "mine" and draft.is_changed


def test_line_ends_and_links_stay(tmp_path):
    real = tmp_path / "real.yaml"
    real.write_bytes(b"name: a\r\nplan: {}\r\n")
    link = tmp_path / "temper.yaml"
    link.symlink_to(real)
    draft = Draft.read(link)
    draft.change(draft.text.replace("a", "b", 1))
    draft.save()
    assert link.is_symlink()
    assert real.read_bytes() == draft.text.encode() and b"\r\n" in real.read_bytes()


def test_what_cannot_be_read_is_said(tmp_path):
    for make in (lambda path: path.write_bytes(b"\xff\xfe"), lambda path: path.mkdir()):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        make(path)
        with pytest.raises(UsageError):
            Draft.read(path)
    with pytest.raises(TemperError, match="no such file"):
        Draft.read(tmp_path / "none.yaml")
