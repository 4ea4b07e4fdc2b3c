"""Images as tokens: what is planned without torch is what transformers' processors make."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from evalsuite.models import ChatTokenizer
from evalsuite.models.pictures import BadPicture, check_picture, open_picture
from evalsuite.models.vision import demand_vision, part_of
from tests.train.conftest import make_tiny_model
from tests.train.pictured import LLAVA_TEMPLATE, make_llava, make_qwen
from workspace.errors import ModelError

SIZES = [(20, 16), (8, 8), (1, 1), (31, 40), (300, 7), (64, 64), (500, 333), (12, 20)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    base = make_tiny_model(root / "base")
    return {
        "text": base,
        "llava": make_llava(root / "llava", base),
        "qwen": make_qwen(root / "qwen", base),
    }


def chat(*sizes: tuple[int, int], answer: str = "happy") -> list[dict[str, Any]]:
    images = [{"type": "image", "size": size} for size in sizes]
    return [
        {"role": "user", "content": [*images, {"type": "text", "text": "late card"}]},
        {"role": "assistant", "content": answer},
    ]


def test_llava_rows_are_the_tokens_of_its_processor(models: Any) -> None:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(models["llava"], backend="pil")
    tokenizer = ChatTokenizer.from_dir(models["llava"])
    for sizes in [(), SIZES[:1], SIZES[3:5]]:
        row = tokenizer.encode_chat(chat(*sizes))
        parts = [{"type": "image", "image": Image.new("RGB", size)} for size in sizes]
        made = processor.apply_chat_template(
            [
                {"role": "user", "content": [*parts, {"type": "text", "text": "late card"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "happy"}]},
            ],
            tokenize=True,
            return_dict=True,
        )
        assert row.input_ids == list(made["input_ids"][0])
        assert row.input_ids.count(320) == 4 * len(sizes)
        learnt = [i for i, carries in zip(row.input_ids, row.loss_mask, strict=True) if carries]
        assert tokenizer.decode(learnt, special=True) == "happy<|im_end|>"


def test_qwen_images_are_as_many_tokens_as_its_processor_makes_patches(models: Any) -> None:
    from evalsuite.models.load import load_image_processor

    processor = load_image_processor(models["qwen"])
    vision = ChatTokenizer.from_dir(models["qwen"]).vision
    assert vision is not None
    made = processor(images=[Image.new("RGB", size) for size in SIZES], return_tensors="pt")
    grids = made["image_grid_thw"].prod(-1) // 4
    assert [vision.count(size) for size in SIZES] == grids.tolist()
    assert len(set(grids.tolist())) > 3


def test_a_template_without_marks_is_learnt_behind_images_too(models: Any) -> None:
    """Qwen2-VL's own template; the tokens of the image are read and never learnt."""
    tokenizer = ChatTokenizer.from_dir(models["qwen"])
    row = tokenizer.encode_chat(chat((31, 40), answer="angry"))
    learnt = [one for one, carries in zip(row.input_ids, row.loss_mask, strict=True) if carries]
    assert tokenizer.decode(learnt, special=True) == "angry<|im_end|>"
    assert row.input_ids.count(322) == 12  # 24 x 32 pixels in squares of 8 x 8
    start, end = row.turns[0]
    assert row.input_ids[:start] == tokenizer.encode_prompt(chat((31, 40))[:1])
    assert row.input_ids[start:end] == learnt


def test_an_image_token_that_somebody_wrote_is_not_taken_for_an_image(models: Any) -> None:
    tokenizer = ChatTokenizer.from_dir(models["llava"])
    messages = chat((20, 16))
    messages[0]["content"][1]["text"] = "what is <image>?"
    with pytest.raises(ModelError, match="number of image places") as caught:
        tokenizer.encode_chat(messages)
    assert "writes <image> 2 times for 1 image:" in caught.value.cause


def test_an_image_too_long_for_its_width_is_refused(models: Any) -> None:
    with pytest.raises(ModelError, match="refuses an image") as caught:
        ChatTokenizer.from_dir(models["qwen"]).encode_chat(chat((3000, 10)))
    assert "3000 × 10" in caught.value.cause


def _copy(source: Path, target: Path, **changes: Any) -> Path:
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, **changes}))
    return target


def _demand(path: Path) -> Any:
    return demand_vision(path, ChatTokenizer.from_dir(path).tokenizer)


def test_models_that_read_no_images_say_why(models: Any, tmp_path: Path) -> None:
    assert ChatTokenizer.from_dir(models["text"]).vision is None
    with pytest.raises(ModelError, match="reads no images"):
        _demand(models["text"])
    other = _copy(models["llava"], tmp_path / "other", model_type="idefics9")
    with pytest.raises(ModelError, match="not known how") as caught:
        _demand(other)
    assert "known are llava, qwen2_vl, qwen2_5_vl" in caught.value.cause
    pixtral = _copy(models["llava"], tmp_path / "px", vision_config={"model_type": "pixtral"})
    with pytest.raises(ModelError, match="not known how"):
        _demand(pixtral)
    bare = _copy(models["qwen"], tmp_path / "bare")
    (bare / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="no processor files"):
        _demand(bare)
    strange = _copy(models["qwen"], tmp_path / "strange", image_token_id=9_999)
    with pytest.raises(ModelError, match="no image token"):
        _demand(strange)
    lacking = _copy(models["llava"], tmp_path / "lacking")
    (lacking / "processor_config.json").write_text('{"image_processor": {"size": {"longest": 3}}}')
    with pytest.raises(ModelError, match="give no number of tokens"):
        _demand(lacking)


def test_a_text_template_in_a_vision_model_gets_texts_and_shows_no_images(
    models: Any, tmp_path: Path
) -> None:
    text = ChatTokenizer.from_dir(models["text"]).template
    assert text is not None
    path = _copy(models["llava"], tmp_path / "text")
    (path / "chat_template.jinja").write_text(text.source)
    tokenizer = ChatTokenizer.from_dir(path)
    assert not tokenizer.takes_parts and tokenizer.reading.problem == ""
    assert tokenizer.render(chat()[1:]).text == "<|im_start|>assistant\nhappy<|im_end|>\n"
    with pytest.raises(ModelError, match="number of image places"):
        tokenizer.encode_chat(chat((20, 16)))


def test_the_older_file_of_a_processors_template_is_read(models: Any, tmp_path: Path) -> None:
    path = _copy(models["llava"], tmp_path / "older")
    (path / "chat_template.jinja").unlink()
    (path / "chat_template.json").write_text(json.dumps({"chat_template": LLAVA_TEMPLATE}))
    older, newer = ChatTokenizer.from_dir(path), ChatTokenizer.from_dir(models["llava"])
    assert older.encode_chat(chat((8, 8))) == newer.encode_chat(chat((8, 8)))
    assert older.digest == newer.digest != ChatTokenizer.from_dir(models["text"]).digest


def test_other_image_settings_are_another_tokenizer_to_a_run(models: Any, tmp_path: Path) -> None:
    path = _copy(models["qwen"], tmp_path / "larger")
    file = path / "preprocessor_config.json"
    document = {**json.loads(file.read_text()), "size": {"shortest_edge": 64, "longest_edge": 4096}}
    file.write_text(json.dumps(document))
    larger, before = ChatTokenizer.from_dir(path), ChatTokenizer.from_dir(models["qwen"])
    assert larger.digest != before.digest
    assert larger.vision is not None and before.vision is not None
    assert (larger.vision.count((200, 200)), before.vision.count((200, 200))) == (64, 16)


def _encoded(kind: str, size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    stream = io.BytesIO()
    image = Image.effect_noise(size, 60).convert("RGB")
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_a_photo_is_seen_as_it_was_held() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    data = _encoded("JPEG", exif=turned)
    assert check_picture(data) == (30, 40) == open_picture(data).size
    assert check_picture(_encoded("PNG")) == (40, 30)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_images_that_are_cut_short_are_found(kind: str) -> None:
    data = _encoded(kind, (200, 150))
    check_picture(data)
    for cut in (b"", data[:10], data[: len(data) // 2]):
        with pytest.raises(BadPicture):
            check_picture(cut)
        with pytest.raises(BadPicture):
            open_picture(cut)


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_way_of_holding_a_camera_is_turned_back(turn: int) -> None:
    held = Image.Exif()
    held[0x0112] = turn
    stream = io.BytesIO()
    image = Image.new("RGB", (40, 30), "white")
    image.paste((0, 0, 255), (0, 0, 10, 10))
    image.save(stream, "PNG", exif=held)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(stream.getvalue())))
    found = open_picture(stream.getvalue())
    assert found.tobytes() == expected.convert("RGB").tobytes()
    assert check_picture(stream.getvalue()) == found.size


def test_a_photo_whose_other_notes_are_damaged_is_turned_all_the_same() -> None:
    held = Image.Exif()
    held[0x0112], held[0x010E] = 6, "a description of what is seen"
    data = _encoded("JPEG", exif=held)
    damaged = data.replace(b"\x01\x0e\x00\x02", b"\x01\x0e\x00\x0c", 1)
    damaged = damaged.replace(b"\x0e\x01\x02\x00", b"\x0e\x01\x0c\x00", 1)
    assert damaged != data
    assert open_picture(damaged).size == check_picture(damaged) == (30, 40)


def test_no_other_program_is_run_for_an_image() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    for look in (check_picture, open_picture):
        with pytest.raises(BadPicture, match="no known image format"):
            look(postscript)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_images_of_more_than_eight_bits_are_refused_not_made_white(mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (3, 2), 30_000).save(stream, "TIFF")
    with pytest.raises(BadPicture, match="more than 8 bits"):
        check_picture(stream.getvalue())


def test_settings_that_a_processor_refuses_are_told_before_loading(
    models: Any, tmp_path: Path
) -> None:
    for number, change in enumerate(
        ({"size": {"min_pixels": 4, "max_pixels": 400}}, {"do_resize": False})
    ):
        path = _copy(models["qwen"], tmp_path / str(number))
        file = path / "preprocessor_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
        with pytest.raises(ModelError, match="give no number of tokens"):
            _demand(path)


def test_images_are_rgb_whatever_they_were() -> None:
    for mode in ("L", "P", "RGBA", "CMYK", "1"):
        stream = io.BytesIO()
        Image.new(mode, (3, 2)).save(stream, "TIFF")
        assert open_picture(stream.getvalue()).mode == "RGB"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.language_model.layers.0.mlp.up_proj", "language"),
        ("model.layers.0.self_attn.q_proj.weight", "language"),
        ("lm_head.weight", "language"),
        ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight", "tower"),
        ("visual.blocks.0.attn.qkv.weight", "tower"),
        ("base_model.model.model.visual.merger.mlp.0.weight", "projector"),
        ("multi_modal_projector.linear_1.bias", "projector"),
    ],
)
def test_weights_are_told_apart_by_part(name: str, part: str) -> None:
    assert part_of(name) == part
