"""Rows with images: what is opened, what is refused, and what a vision trainer gets."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curate.formats.picture import PictureStore
from curate.formats.picture_bytes import Gallery
from curate.formats.picture_rows import check_places, has_pictures, with_marks
from curate.formats.raw import Misfit
from curate.images_out import parts_of
from curate.recipe import Images
from workspace.errors import DataError

Lines = Callable[..., Path]
Curate = Callable[..., Any]


def picture(colour: str, kind: str = "PNG", size: tuple[int, int] = (6, 4)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return stream.getvalue()


def url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def chat(*parts: dict[str, Any], answer: str = "A square.") -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*parts]}, {"role": "assistant", "content": answer}]


PLACE = {"type": "image"}
RED, BLUE = picture("red"), picture("blue", "JPEG")
IMAGE_URL = {"type": "image_url", "image_url": {"url": url(RED)}}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "red.png").write_bytes(RED)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "blue.jpg").write_bytes(BLUE)
    return tmp_path


def dropped(result: Any) -> dict[str, str]:
    table = pl.read_parquet(result.path / "dropped.parquet")
    return dict(table.select("reason", "detail").rows())


SHAPES: dict[str, dict[str, Any]] = {
    "places and a column": {"messages": chat(PLACE, text("What?")), "images": ["red.png"]},
    "one path": {"messages": chat(PLACE, text("What?")), "image": "red.png"},
    "OpenAI": {"messages": chat(IMAGE_URL, text("What?"))},
    "responses": {"messages": chat({"type": "input_image", "image_url": url(RED)}, text("What?"))},
    "an image in the part": {"messages": chat({**PLACE, "image": "red.png"}, text("What?"))},
    "base64": {
        "messages": chat(PLACE, text("What?")),
        "image": base64.b64encode(RED).decode() if len(RED) >= 64 else url(RED),
    },
    "LLaVA": {
        "image": "red.png",
        "conversations": [
            {"from": "human", "value": "<image>What?"},
            {"from": "gpt", "value": "A square."},
        ],
    },
    "no place said": {"instruction": "What?", "output": "A square.", "image": "red.png"},
    "prompt and completion": {"prompt": "What?", "completion": "A square.", "image": "red.png"},
    "a file URL": {"prompt": "What?", "completion": "A square.", "image": "FILE"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_way_to_give_an_image_makes_the_same_row(
    files: Path, lines: Lines, curate: Curate, shape: str
) -> None:
    row = dict(SHAPES[shape])
    if row.get("image") == "FILE":
        row["image"] = f"file://{files}/red.png"
    result = curate({"sources": [lines([row]).name]})
    (made,) = pl.read_parquet(result.path / "train.parquet").to_dicts()
    assert made["messages"][0]["content"] == [
        {"type": "image", "text": None},
        {"type": "text", "text": "What?"},
    ]
    assert made["messages"][1]["content"] == [{"type": "text", "text": "A square."}]
    assert [held["bytes"] for held in made["images"]] == [RED]


def test_the_published_rows_are_what_the_vision_trainers_take(
    files: Path, lines: Lines, curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(files / "cache"))
    import datasets
    from trl.data_utils import prepare_multimodal_messages

    rows = [
        {
            "messages": chat(text("A "), PLACE, text(" or "), PLACE),
            "images": ["red.png", "sub/blue.jpg"],
        },
        {"messages": chat(text("No image."))},
    ]
    result = curate({"sources": [lines(rows).name]})
    loaded = datasets.load_dataset(
        "parquet", data_files=str(result.path / "train.parquet"), cache_dir=str(files / "cache")
    )["train"]
    assert isinstance(loaded.features["images"].feature, datasets.Image)
    first, second = loaded
    turns = prepare_multimodal_messages(first["messages"], images=first["images"])
    images = [part["image"] for part in turns[0]["content"] if part["type"] == "image"]
    assert [image.format for image in images] == ["PNG", "JPEG"]
    assert images[0].getpixel((0, 0)) == (255, 0, 0)
    assert prepare_multimodal_messages(second["messages"], images=second["images"])
    names = [held["path"] for held in pl.read_parquet(result.path / "train.parquet")["images"][0]]
    assert names == ["red.png", "blue.jpg"]


def test_preference_rows_have_their_images_in_the_prompt(
    files: Path, lines: Lines, curate: Curate
) -> None:
    from trl.data_utils import prepare_multimodal_messages

    asked = {"role": "user", "content": [PLACE, text("What?")]}
    sides = {
        side: [asked, {"role": "assistant", "content": said}]
        for side, said in (("chosen", "A square."), ("rejected", "A cat."))
    }
    rows = [
        {"prompt": [asked], "chosen": "A square.", "rejected": "A cat.", "images": ["red.png"]},
        {"prompt": "Which?", "chosen": "Red.", "rejected": "Blue.", "image": "red.png"},
        {**sides, "images": ["sub/blue.jpg"]},
    ]
    result = curate({"sources": [lines(rows).name]})
    made = pl.read_parquet(result.path / "train.parquet").to_dicts()
    assert len(made) == 3
    for row in made:
        kinds = [part["type"] for turn in row["prompt"] for part in turn["content"]]
        assert kinds == ["image", "text"]
        prepare_multimodal_messages(row["prompt"], images=row["images"])
        assert {part["type"] for part in row["chosen"][0]["content"]} == {"text"}


@pytest.mark.parametrize(
    ("image", "reason", "said"),
    [
        ("../../etc/passwd", "image_refused", "leaves"),
        ("/etc/passwd", "image_refused", "outside: true"),
        ("link.png", "image_refused", "leaves"),
        ("file:///etc/passwd", "image_refused", "leaves"),
        ("https://example.org/a.png", "image_url", "nothing is fetched"),
        ("s3://bucket/a.png", "image_url", "nothing is fetched"),
        ("none.png", "no_image", "no file"),
        ("a\0b.png", "no_image", "null"),
        ("x" * 5000, "no_image", "long"),
        ("rows.jsonl", "bad_image", "begins with"),
        ("cut.png", "bad_image", "damaged"),
        ("huge.png", "bad_image", "pixels"),
        ("empty.png", "bad_image", "no bytes"),
        ("page.eps", "bad_image", "no image of"),
        ("data:image/png;base64,***", "bad_image", "base64"),
        ("data:image/png", "bad_image", "without data"),
        (7, "bad_image", "a number"),
        ({"height": 3}, "bad_image", "keys: height"),
    ],
)
def test_an_image_that_cannot_be_used_costs_its_row_and_says_why(
    files: Path, lines: Lines, curate: Curate, image: Any, reason: str, said: str
) -> None:
    (files / "link.png").symlink_to("/etc/passwd")
    (files / "cut.png").write_bytes(picture("red", size=(300, 300))[:150])
    (files / "empty.png").write_bytes(b"")
    (files / "page.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (files / "huge.png").write_bytes(bomb())
    rows = [{"prompt": "What?", "completion": "b", "image": one} for one in (image, "red.png")]
    result = curate({"sources": [lines(rows).name], "max_quarantine": 0.5})
    found = dropped(result)
    assert list(found) == [reason]
    assert said in found[reason]
    assert result.ledger.rows_kept == 1


def bomb() -> bytes:
    """A PNG of 60,000 × 60,000 pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_folder_and_outside_are_settings(files: Path, lines: Lines, curate: Curate) -> None:
    path = lines([{"prompt": "What?", "completion": "b", "image": "blue.jpg"}])
    result = curate({"sources": [{"path": path.name, "images": {"folder": "sub"}}]})
    assert result.ledger.rows_kept == 1
    path = lines([{"prompt": "What?", "completion": "b", "image": "../red.png"}])
    source = {"path": path.name, "images": {"folder": "sub", "outside": True}}
    assert curate({"sources": [source]}).ledger.rows_kept == 1


def test_images_that_are_not_read_are_columns_that_nothing_takes(
    files: Path, lines: Lines, curate: Curate
) -> None:
    path = lines([{"prompt": "What?", "completion": "b", "image": "https://example.org/a.png"}])
    result = curate({"sources": [{"path": path.name, "images": {"read": False}}]})
    assert result.ledger.sources[0]["ignored_columns"] == {"image": 1}
    assert "images" not in pl.read_parquet(result.path / "train.parquet").columns


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"messages": chat(PLACE, PLACE, text("a")), "images": ["red.png"]},
            "1 image for 2 places",
        ),
        ({"messages": chat(PLACE, text("a"))}, "0 images for 1 place"),
        (
            {"prompt": "<image>", "completion": "b", "images": ["red.png"] * 2},
            "2 images for 1 place",
        ),
        ({"prompt": "a", "completion": "b", "images": ["red.png"] * 257}, "at most 256"),
        ({"text": "a caption", "image": "red.png"}, "1 image"),
        ({"prompt": "a", "completion": chat(PLACE, text("a"))[1:], "image": "red.png"}, ""),
    ],
)
def test_as_many_images_as_places(
    files: Path, lines: Lines, curate: Curate, row: dict[str, Any], said: str
) -> None:
    good = {"prompt": "What?", "completion": "b", "image": "red.png"}
    result = curate({"sources": [lines([good, row]).name], "max_quarantine": 0.5})
    if said:
        assert list(dropped(result)) == ["image_count"]
        assert said in dropped(result)["image_count"]


def test_a_forged_mark_is_no_image(files: Path, lines: Lines, curate: Curate) -> None:
    store = PictureStore(None)
    mark = store.add(RED, "", Images()).mark
    rows = [
        {"prompt": f"What? {mark}", "completion": "b", "image": "red.png"},
        {"prompt": f"Only text {mark}", "completion": "b"},
        {"prompt": "What?", "completion": "b", "image": "red.png"},
    ]
    result = curate({"sources": [lines(rows).name], "max_quarantine": 0.5})
    assert list(dropped(result)) == ["image_count"]
    made = pl.read_parquet(result.path / "train.parquet")["messages"].to_list()
    assert made[0][0]["content"] == [text(f"Only text {mark}")]


def test_notes_and_statistics_count_images_and_show_no_digests(
    files: Path, lines: Lines, curate: Curate
) -> None:
    from curate.one_step import curated_rows, section_for
    from curate.statistics import describe

    rows: list[dict[str, Any]] = [
        {"prompt": "What?", "completion": "Red.", "image": "red.png"},
        {"prompt": "What?", "completion": "Red again.", "image": "red.png"},
        {"prompt": "No image?", "completion": "None."},
    ]
    path = lines(rows)
    result = curate({"sources": [path.name]})
    assert any(note.startswith("2 rows have 2 images, 1 of them ") for note in result.notes)
    with curated_rows(section_for([str(path)])) as curated:
        found = describe(curated)
    assert found["characters"]["prompt"]["most"] == len("No image?")
    [source] = found["sources"]
    assert source["detected"][0]["example"] == "[image] What? → Red."


def test_the_same_words_with_another_image_are_no_duplicate(
    files: Path, lines: Lines, curate: Curate
) -> None:
    import PIL.PngImagePlugin as png

    note = png.PngInfo()
    note.add_text("Comment", "saved again")
    Image.open(files / "red.png").save(files / "again.png", pnginfo=note)
    long = "Describe in detail everything that can be seen in this picture, and why. " * 4
    rows = [
        {"prompt": asked, "completion": "A square of one colour.", "image": image}
        for asked in ("What?", long)
        for image in ("red.png", "sub/blue.jpg", "again.png", "red.png")
    ]
    steps = ["exact_duplicates", {"near_duplicates": {"threshold": 0.8}}]
    section = {"sources": [lines(rows).name], "steps": steps, "circuit_breaker": 1.0}
    result = curate(section)
    assert result.ledger.rows_kept == 4
    table = pl.read_parquet(result.path / "dropped.parquet")
    assert sorted(table["row"]) == [3, 4, 7, 8]
    assert set(table["reason"]) == {"exact_duplicate"}  # pixel by pixel, not byte by byte


def test_rows_that_show_one_image_stay_in_one_split(
    files: Path, lines: Lines, curate: Curate
) -> None:
    for number in range(20):
        (files / f"{number}.png").write_bytes(picture("red", size=(number + 1, 3)))
    rows = [
        {"prompt": asked, "completion": f"answer {number}", "image": f"{number}.png"}
        for asked in ("What is shown here?", "Which colour has the large square on the left?")
        for number in range(20)
    ]
    result = curate({"sources": [lines(rows).name], "split": {"test": 0.3}})
    assert set(result.ledger.splits) == {"train", "test"}
    shown = {
        name: {
            held[0]["bytes"] for held in pl.read_parquet(result.path / f"{name}.parquet")["images"]
        }
        for name in ("train", "test")
    }
    assert not shown["train"] & shown["test"]
    assert len(shown["test"]) == 6


def test_a_prompt_with_its_image_is_not_unseen(files: Path, lines: Lines, curate: Curate) -> None:
    asked = "Describe this image."
    rows = [
        {"prompt": asked, "completion": "b", "image": "red.png"},
        {"prompt": asked, "completion": "b"},
    ]
    section = {"sources": [lines(rows).name], "steps": [{"filter": {"unseen": True}}]}
    result = curate(section)
    assert list(dropped(result)) == ["unseen_image"]
    assert result.ledger.rows_kept == 1


def test_repairing_and_redacting_leave_images_where_they_are(
    files: Path, lines: Lines, curate: Curate
) -> None:
    parts = [text("donâ€™t write to jane.doe@example.org "), PLACE, text(" donâ€™t")]
    rows = [{"messages": chat(*parts), "images": ["red.png"]}]
    result = curate({"sources": [lines(rows).name], "steps": ["repair", "redact"]})
    (made,) = pl.read_parquet(result.path / "train.parquet")["messages"].to_list()
    said = [part["text"] for part in made[0]["content"]]
    assert said == ["don’t write to <EMAIL_1> ", None, " don’t"]


def test_images_go_round_through_lines_and_parquet(
    files: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curate import read
    from curate.files_out import write_out
    from curate.one_step import curated_rows, section_for

    monkeypatch.chdir(files)
    lines([{"messages": chat(text("a"), PLACE), "images": [{"bytes": None, "path": "red.png"}]}])
    name = "rows.jsonl"
    for out in ("a.parquet", "b.jsonl", "c.parquet"):
        section = section_for([name])
        with curated_rows(section) as curated:
            write_out(curated, out, {}, "")
        name = out
    first, last = (pl.read_parquet(name) for name in ("a.parquet", "c.parquet"))
    assert first["messages"].to_list() == last["messages"].to_list()
    assert first["content_hash"].to_list() == last["content_hash"].to_list()
    assert first["images"][0][0]["bytes"] == last["images"][0][0]["bytes"] == RED
    with curated_rows(section_for([name])) as curated, pytest.raises(DataError, match="CSV"):
        write_out(curated, "d.csv", {}, "")
    frame = read(name).frame.collect()
    assert frame["images"][0][0]["bytes"] == RED


def test_images_as_hugging_face_stores_them_are_read(files: Path, curate: Curate) -> None:
    import datasets

    rows = {"prompt": ["a", "b"], "completion": ["c", "d"], "image": [str(files / "red.png"), None]}
    features = datasets.Features(
        {
            "prompt": datasets.Value("string"),
            "completion": datasets.Value("string"),
            "image": datasets.Image(),
        }
    )
    made = datasets.Dataset.from_dict(rows, features=features)
    made.to_parquet(str(files / "rows.parquet"))
    result = curate({"sources": ["rows.parquet"]})
    held = pl.read_parquet(result.path / "train.parquet")["images"].to_list()
    assert [len(images) for images in held] == [1, 0]


def test_what_reads_text_alone_refuses_a_dataset_with_images(
    files: Path, lines: Lines, curate: Curate
) -> None:
    from curate.explaining import find_row
    from curate.synth.seeds import seeds_of
    from train.data import read_dataset

    path = lines([{"prompt": "What?", "completion": "A square.", "image": "red.png"}])
    result = curate({"sources": [path.name]})
    with pytest.raises(DataError, match="`method: sft` reads text alone"):
        read_dataset(result.path, "train", accepts=("messages",), method="sft")
    with pytest.raises(DataError, match="rows with images"):
        seeds_of(pl.scan_parquet(result.path / "train.parquet"), "messages")
    story = find_row(result.path, "rows.jsonl:1")
    assert "user: [image] What?" in " ".join(map(str, story.values()))


def test_copies_of_rows_keep_their_images(files: Path, lines: Lines, curate: Curate) -> None:
    rows = [
        {"prompt": f"What is {n}?", "completion": f"It is {n}.", "image": "red.png", "topic": topic}
        for n, topic in enumerate("aaab")
    ]
    steps = [{"balance": {"by": "label", "upsample": "max", "count": "rows"}}]
    result = curate({"sources": [lines(rows).name], "steps": steps})
    table = pl.read_parquet(result.path / "train.parquet")
    assert table.height == 6
    assert [held[0]["bytes"] for held in table["images"].to_list()] == [RED] * 6


_PART = st.one_of(
    st.just(PLACE),
    st.text(max_size=8).map(text),
    st.sampled_from([{"type": "video"}, {"type": "image_url", "image_url": {"url": url(RED)}}, 3]),
)
_VALUE = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.binary(max_size=12),
    st.just(RED),
    st.just(url(BLUE)),
    st.integers(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PART, max_size=4), st.lists(_VALUE, max_size=3), st.text(max_size=10))
def test_any_row_has_a_place_for_each_image_or_is_set_aside(
    parts: list[Any], images: list[Any], answer: str
) -> None:
    from curate.formats.detect import normalise

    row = {"messages": chat(*parts, answer=answer), "images": images}
    if not has_pictures(row):
        return
    store = PictureStore(None)
    try:
        value, pictures = with_marks(row, Gallery(None, Images()), store)
        _, made = normalise(value)
        check_places(made, pictures)
    except Misfit:
        return
    assert made.messages is not None
    shown = parts_of(made.messages[0]["content"], marked=True)
    assert sum(part["type"] == "image" for part in shown) == len(pictures)
