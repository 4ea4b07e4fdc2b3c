"""Rows with images before anything is loaded: tokens, parts that learn, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from train.batch_rows import _rows as step_rows
from train.methods import METHODS
from train.proof import prove
from workspace.errors import DataError, LimitExceeded, ModelError, UsageError

from .pictured import asked, held, looking, make_llava, picture, preferring, said

FULL = {"adapter": {"kind": "full"}}


@pytest.fixture
def looks(tmp_path: Path, make_bench: Any, tiny_llava: Path) -> Any:
    """A workspace with rows to look at, for a LLaVA."""
    bench = make_bench(tmp_path, tiny_llava)
    bench.dataset("toy", [looking(number) for number in range(24)])
    return bench


def test_a_row_has_its_images_tokens_and_learns_none_of_them(looks: Any) -> None:
    from evalsuite.models import ChatTokenizer

    rows = [looking(0), looking(1, messages=[*asked(1, images=2), *said("angry")])]
    rows[1]["images"] = [held(picture("red")), held(picture("blue", size=(50, 9)))]
    rows.append({**looking(2), "images": [], "messages": [*asked(2, images=0), *said("late")]})
    looks.dataset("toy", rows)
    prepared = looks.prepare()
    tokenizer = ChatTokenizer.from_dir(looks.model)
    texts = [tokenizer.decode(row.input_ids.tolist(), special=True) for row in prepared.rows]
    head = "<|im_start|>user\n"
    one, two = "<image>" * 4 + "\n", ("<image>" * 4 + "\n") * 2
    assert texts == [
        f"{head}{one}card card<|im_end|>\n<|im_start|>assistant\nhappy<|im_end|>\n",
        f"{head}{two}order card<|im_end|>\n<|im_start|>assistant\nangry<|im_end|>\n",
        f"{head}plan card<|im_end|>\n<|im_start|>assistant\nlate<|im_end|>\n",
    ]
    learnt = [tokenizer.decode(row.input_ids[row.loss_mask].tolist()) for row in prepared.rows]
    assert learnt == ["happy", "angry", "late"]
    assert [len(row.pictures) for row in prepared.rows] == [1, 2, 0]
    account = prepared.ledger.total("train")
    assert account.balances() and account.tokens_in == sum(row.tokens for row in prepared.rows)


def test_the_rows_of_a_step_are_read_again_with_their_images(looks: Any) -> None:
    from evalsuite.models import ChatTokenizer

    prepared = looks.prepare()
    planned = {row.row_id: row.input_ids.tolist() for row in list(prepared.rows)[3:5]}
    record = {"method": "sft", "settings": {"train": {"method": "sft"}}}
    plan = {"settings": {"max_length": {"value": 64}}}
    dataset = looks.dataset("again", [looking(number) for number in range(24)])
    tokenizer = ChatTokenizer.from_dir(looks.model)
    rows = step_rows(dataset, "train", set(planned), record, plan, tokenizer)
    assert {row.row_id: row.input_ids.tolist() for row in rows} == planned


@pytest.mark.parametrize("kind", ["llava", "qwen"])
def test_the_mask_is_proved_behind_images(
    kind: str, tmp_path: Path, make_bench: Any, tiny_llava: Path, tiny_qwen: Path
) -> None:
    """Both ways: what is trained is what was said, behind what generation would be given."""
    bench = make_bench(tmp_path, {"llava": tiny_llava, "qwen": tiny_qwen}[kind])
    from evalsuite.models import ChatTokenizer

    tokenizer = ChatTokenizer.from_dir(bench.model)
    for method, make in (("sft", looking), ("dpo", preferring)):
        bench.dataset("toy", [make(number) for number in range(8)])
        rows = bench.prepare({"method": method, **FULL}).rows
        proof = prove(rows, tokenizer, method=method)
        turns = 8 * rows.per_row
        assert (proof.passed, proof.turns, proof.prompts_equal) == (True, turns, turns)
        image = tokenizer.vision.token_id if tokenizer.vision else -1
        for row in rows:
            for one in row.sequences:
                assert (one.input_ids == image).sum() == 4
                assert not one.loss_mask[one.input_ids == image].any()


def test_another_image_is_another_plan(looks: Any) -> None:
    before = looks.prepare().plan
    rows = [looking(number) for number in range(24)]
    rows[3]["images"] = [held(picture("blue", 39))]
    looks.dataset("toy", rows)
    after = looks.prepare().plan
    assert before.schedule_digest != after.schedule_digest
    assert before.tokens_seen == after.tokens_seen


def test_only_the_language_model_learns_unless_asked(looks: Any) -> None:
    """r 4 on q, o (32, 32), k, v (32, 16), gate, up, down (32, 64) of two layers, and so on."""
    lora = {"adapter": {"kind": "lora", "r": 4}}
    counts = {}
    for vision in ("frozen", "projector", "all"):
        for name, adapter in (("lora", lora), ("full", FULL)):
            plan = looks.prepare({**adapter, "vision": vision}).plan
            assert plan["vision"] == vision
            counts[name, vision] = plan.trainable_parameters
    projector, tower = 2 * (32 * 32 + 32), 0
    language = 2 * 4 * (2 * 64 + 2 * 48 + 3 * 96)
    tower = 2 * 4 * (4 * 64 + 2 * 96)
    assert counts["lora", "frozen"] == language
    assert counts["lora", "projector"] == language + 2 * 4 * 64
    assert counts["lora", "all"] == language + 2 * 4 * 64 + tower
    assert counts["full", "projector"] - counts["full", "frozen"] == projector
    assert counts["full", "all"] == looks.prepare(FULL).plan.model_parameters
    saved = {"adapter": {**lora["adapter"], "modules_to_save": ["multi_modal_projector"]}}
    plan = looks.prepare({**saved, "vision": "projector"}).plan
    assert plan.trainable_parameters == language + projector
    with pytest.raises(ModelError, match="no module 'multi_modal_projector'"):
        looks.prepare(saved)


def test_layers_are_those_of_the_language_model(looks: Any) -> None:
    plan = looks.prepare({"adapter": {"kind": "lora", "r": 4, "layers": {"last": 1}}}).plan
    assert plan.trainable_parameters == 4 * (2 * 64 + 2 * 48 + 3 * 96)
    only = {"kind": "full", "only": {"layers": [1]}}
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32
    assert looks.prepare({"adapter": only}).plan.trainable_parameters == layer


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "packing": ({"packing": "bfd"}, ModelError, "rows of this model cannot be packed"),
    "padding_free": ({"padding_free": "on"}, ModelError, "cannot lie in one sequence"),
    "kl": ({"tempering": {"kl": {"weight": 0.1, "on": "all"}}}, UsageError, "that have images"),
    "neftune": ({"neftune": 5}, UsageError, "that have images"),
    "peft": ({"adapter": {"kind": "peft", "tuner": "IA3"}}, ModelError, "vision-language"),
    "loftq": ({"adapter": {"kind": "qlora", "init": "loftq"}}, ModelError, "init: loftq"),
    "selective": ({"speed": {"checkpointing": "selective"}}, ModelError, "cannot be selective"),
    "kto": ({"method": "kto"}, DataError, "`method: kto`"),
    "layer_rates": (
        {"vision": "all", "tempering": {"layer_rates": {"decay": 0.9}}},
        ModelError,
        "for a frozen vision tower",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_rows_with_images_do_not_have_is_refused(looks: Any, name: str) -> None:
    train, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        looks.prepare(train)


def test_methods_of_text_alone_say_so(looks: Any) -> None:
    assert {name for name, method in METHODS.items() if method.reads_images} == {"sft", "dpo"}
    with pytest.raises(DataError, match="`method: orpo` reads text alone") as caught:
        looks.dataset("toy", [preferring(number) for number in range(8)])
        looks.prepare({"method": "orpo"})
    assert "sft or dpo" in caught.value.cure


def test_a_text_model_is_refused_before_an_image_is_opened(bench: Any) -> None:
    broken = [looking(number, images=[held(b"nothing")]) for number in range(4)]
    bench.dataset("toy", broken)
    with pytest.raises(ModelError, match="this model reads no images") as caught:
        bench.prepare()
    assert "images: {read: false}" in caught.value.cure
    bench.dataset("toy", bench.chats(8))
    with pytest.raises(ModelError, match="no vision tower"):
        bench.prepare({"vision": "all"})


def test_a_vision_model_without_its_processor_is_refused(looks: Any, tmp_path: Path) -> None:
    path = tmp_path / "bare"
    shutil.copytree(looks.model, path)
    (path / "processor_config.json").unlink()
    looks.model = path
    with pytest.raises(ModelError, match="no processor files") as caught:
        looks.prepare()
    assert "Copy them from the model's own repository" in caught.value.cure


def test_replayed_rows_may_have_images_or_not(looks: Any) -> None:
    looks.dataset("toy", looks.chats(8))
    looks.dataset("general", [looking(number) for number in range(8)])
    prepared = looks.prepare({"tempering": {"replay": {"dataset": "general", "share": 0.5}}})
    assert [len(part[0].pictures) for part in prepared.rows.parts] == [0, 1]


@pytest.mark.parametrize(
    ("images", "said_of_it"),
    [
        ([held(b"")], "row 1, images[0]: no bytes"),
        ([held(b"hello, world")], "which is no known image format"),
        ([held(picture("red")[:60])], "row 1, images[0]:"),
        ([{"bytes": None, "path": None}], "neither bytes nor a path"),
        ([{"bytes": None, "path": "gone.png"}], "gone.png: No such file"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(
    looks: Any, images: list[Any], said_of_it: str
) -> None:
    looks.dataset("toy", [looking(0), looking(1, images=images), looking(2)])
    with pytest.raises(DataError, match="1 image cannot be read") as caught:
        looks.prepare()
    assert said_of_it in caught.value.cause


@pytest.mark.parametrize(
    ("changes", "said_of_it"),
    [
        ({"messages": [*asked(1, images=2), *said("happy")]}, "1 image for 2 places"),
        ({"messages": [*asked(1, images=0), *said("happy")]}, "1 image for 0 places"),
        ({"images": []}, "0 images for 1 place"),
        (
            {
                "messages": [
                    *asked(1, images=0),
                    {"role": "assistant", "content": [{"type": "image", "text": None}]},
                ]
            },
            "an assistant's turn has an image",
        ),
    ],
)
def test_other_numbers_of_images_than_places_are_named(
    looks: Any, changes: dict[str, Any], said_of_it: str
) -> None:
    looks.dataset("toy", [looking(0), looking(1, **changes), looking(2)])
    with pytest.raises(DataError, match="1 of 3 rows are with misplaced images") as caught:
        looks.prepare()
    assert "looks.jsonl:1" in caught.value.cause and said_of_it in caught.value.cause


def test_an_image_token_in_a_text_is_refused_with_its_row(looks: Any) -> None:
    row = looking(1)
    row["messages"][0]["content"][1] = {"type": "text", "text": "a literal <image> here"}
    looks.dataset("toy", [looking(0), row])
    with pytest.raises(DataError, match="number of image places") as caught:
        looks.prepare()
    assert "looks.jsonl:1" in caught.value.where


def test_a_row_is_not_cut_through_its_image(looks: Any) -> None:
    """A cut after the images is a cut; one that takes image tokens drops the row."""
    late = looking(1)
    late["messages"][0]["content"].reverse()
    late["messages"][0]["content"][0] = {"type": "text", "text": "card " * 12}
    looks.dataset("toy", [*(looking(number) for number in range(24)), late])
    prepared = looks.prepare({"max_length": 19, "too_long": "cut", "limits": {"cut": 1}})
    account = prepared.ledger.total("train")
    assert dict(account.rows_dropped) == {"image_cut": 1}
    assert account.rows_cut == account.rows_kept == 24


def test_too_many_dropped_rows_stop_the_run(looks: Any) -> None:
    with pytest.raises(LimitExceeded):
        looks.prepare({"max_length": 10})


def test_an_image_may_be_a_file_beside_the_dataset(looks: Any) -> None:
    rows = [looking(number) for number in range(4)]
    rows[2]["images"] = [{"bytes": None, "path": "red.png"}]
    path = looks.dataset("toy", [looking(0)])
    (path / "red.png").write_bytes(picture("red"))
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path / "train.parquet")
    prepared = looks.prepare()
    held_in = prepared.rows.parts[0].dataset.pictures
    assert held_in.of(2) == [picture("red")]
    (path / "red.png").write_bytes(picture("blue"))
    with pytest.raises(DataError, match="not the one that was planned"):
        held_in.of(2)
    (path / "red.png").unlink()
    with pytest.raises(DataError, match="not the one that was planned"):
        held_in.of(2)


def test_the_plan_of_images_imports_no_torch(looks: Any) -> None:
    import subprocess
    import sys

    code = (
        "import sys, train.plan, train.plan.vision, evalsuite.models.vision, train.pictures;"
        "assert not {'torch', 'trl', 'polars', 'transformers', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_template_that_ignores_images_is_refused(
    looks: Any, tiny_model: Path, tmp_path: Path
) -> None:
    template = (tiny_model / "chat_template.jinja").read_text()
    looks.model = make_llava(tmp_path / "deaf", tiny_model, template=template)
    with pytest.raises(DataError, match="number of image places") as caught:
        looks.prepare()
    assert "<image> not once for 1 image" in caught.value.cause


def test_the_preview_counts_an_images_tokens_instead_of_repeating_them(
    looks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from evalsuite.models import ChatTokenizer
    from train.terminal import print_row

    print_row(looks.prepare().rows[0], ChatTokenizer.from_dir(looks.model), "sft")
    shown = "".join(capsys.readouterr())
    assert "<image>×4" in shown and "⟦happy<|im_end|>⟧" in shown
