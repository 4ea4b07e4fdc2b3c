"""What may be shown as an example, which are shown, and how prompts of the user's are put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.prompting import examples
from evalsuite.prompting.arms import Arms, Prompting
from evalsuite.prompting.examples import Example, HeldOut, Pool, dataset_pool, without_leaks
from evalsuite.prompting.nearest import nearest
from evalsuite.prompting.own import read_prompts
from evalsuite.prompting.section import PromptSection, UserPrompt
from evalsuite.tasks import Item, LoadedSuite, load_suite
from evalsuite.tasks.item import Message
from evalsuite.tasks.schema import Task
from workspace.errors import DataError, ModelError, UsageError

QUESTION = "Please book a table for {} people on the terrace of the restaurant by the river"


def chat(question: Any, answer: Any) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def dataset(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), path / "train.parquet")
    return path


def held_out(*questions: str) -> HeldOut:
    items = tuple(
        Item(str(place), (Message("user", question),), "IT")
        for place, question in enumerate(questions)
    )
    return HeldOut(items, ("mine",) * len(items))


@pytest.fixture
def suites(tmp_path: Path, suite_writer: Callable[[Path], list[Path]]) -> list[LoadedSuite]:
    return [load_suite(path) for path in suite_writer(tmp_path / "suites")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "2 + 2", "completion": "4"},
        {"prompt": [{"role": "user", "content": "2 + 2"}],
         "completion": [{"role": "assistant", "content": "4"}]},
        {"prompt": "2 + 2", "chosen": "4", "rejected": "5"},
        {"prompt": "2 + 2", "completion": "4", "label": True},
        {"prompt": "2 + 2", "answer": "4"},
        chat("2 + 2", "4"),
    ],
)  # fmt: skip
def test_rows_of_every_type_become_solved_questions(tmp_path: Path, row: dict[str, Any]) -> None:
    pool = dataset_pool(dataset(tmp_path / "d", [row]), "d", seed=0)
    (found,) = pool.examples
    assert found.turns == (Message("user", "2 + 2"), Message("assistant", "4"))
    assert (found.question, pool.notes) == ("2 + 2", ())


def test_rows_that_are_no_examples_are_counted(tmp_path: Path) -> None:
    rows = [chat("2 + 2", "4"), chat("2 + 3", None), chat("", "5"), chat("2 + 4", " ")]
    rows.append({"messages": [{"role": "user", "content": "and?"}]})
    pool = dataset_pool(dataset(tmp_path / "d", rows), "d", seed=0)
    assert len(pool.examples) == 1
    assert "4 training rows of d passed over" in pool.notes[0]
    bad = dataset(tmp_path / "bad", [{"prompt": "2 + 2", "completion": "5", "label": False}])
    assert dataset_pool(bad, "bad", seed=0).examples == ()
    texts = dataset(tmp_path / "texts", [{"text": "once"}])
    assert dataset_pool(texts, "texts", seed=0).examples == ()


def test_of_many_rows_a_seeded_draw_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MOST", 5)
    where = dataset(tmp_path / "d", [chat(f"q {number}", "a") for number in range(40)])
    one, again, other = (dataset_pool(where, "d", seed=seed) for seed in (1, 1, 2))
    assert one.examples == again.examples != other.examples
    assert len(one.examples) == 5 and "5 of 40 training rows" in one.notes[0]


def damage(file: Path, column: str) -> None:
    """Overwrite the first page of a column."""
    group = pq.read_metadata(file).row_group(0)
    found = next(
        group.column(place)
        for place in range(group.num_columns)
        if group.column(place).path_in_schema.startswith(column)
    )
    start = found.dictionary_page_offset or found.data_page_offset
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xff" * 40)


def test_only_what_examples_are_made_of_is_read(tmp_path: Path) -> None:
    rows = [
        {**chat(f"q {number}", "a"), "images": [b"x" * 90], "meta": {"source": "s", "row": 1}}
        for number in range(3)
    ]
    where = dataset(tmp_path / "d", rows)
    damage(where / "train.parquet", "images")
    found = dataset_pool(where, "d", seed=0).examples
    assert [(one.question, one.source) for one in found] == [(f"q {n}", "s") for n in range(3)]
    damage(where / "train.parquet", "messages")
    with pytest.raises(DataError, match="cannot be read"):
        dataset_pool(where, "d", seed=0)


def test_a_dataset_without_training_rows_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        dataset_pool(tmp_path, "d", seed=0)


def test_test_items_and_their_near_copies_are_never_shown(tmp_path: Path) -> None:
    asked = QUESTION.format("four")
    rows = [
        chat(asked, "booked"),
        chat(asked.upper() + "!", "booked"),
        chat(asked.replace("river", "rivers"), "booked"),
        chat("How late does the museum close on a Sunday in winter?", "At five."),
    ]
    pool = dataset_pool(dataset(tmp_path / "d", rows), "d", seed=0)
    clean = without_leaks(pool, held_out(asked))
    assert [one.question for one in clean.examples] == [rows[3]["messages"][1]["content"]]
    assert "3 of 4 from the training rows of d passed over" in clean.notes[0]
    assert without_leaks(clean, held_out("else")) is clean


def test_a_search_that_was_cut_short_is_told() -> None:
    same = "please tell me where the nearest office of your company is"
    rows = (f"{same} now", "How late does the museum close on a Sunday in winter?")
    shown = [Example((Message("user", row), Message("assistant", "At five."))) for row in rows]
    clean = without_leaks(
        Pool("rows", tuple(shown)), held_out(*(same + "!" * n for n in range(70)))
    )
    assert clean.notes[-1].startswith("WARNING: examples: 1 texts from rows look like more items")


THINGS = [f"{colour} {thing}" for colour in ("red", "blue", "old") for thing in
          ("printer", "phone", "router", "screen")]  # fmt: skip


@pytest.mark.parametrize("item", ["{}", "Which team should answer this? {}", "Question: {}\nTeam:"])
@pytest.mark.parametrize("row", ["{}", "Name the team for this ticket: {} Team?"])
def test_items_are_found_whatever_template_is_around_them(item: str, row: str) -> None:
    tickets = [f"My {thing} is broken since Monday" for thing in THINGS]
    other = [f"How late does the {thing} shop close today" for thing in THINGS]
    pool = Pool(
        "rows",
        tuple(
            Example((Message("user", row.format(text)), Message("assistant", "IT")), "a.jsonl")
            for text in (*tickets, *other)
        ),
    )
    clean = without_leaks(pool, held_out(*(item.format(text) for text in tickets)))
    assert [one.question for one in clean.examples] == [row.format(text) for text in other]


def test_the_nearest_share_rare_words_and_come_first() -> None:
    there = [
        "my card was declined at the airport",
        "the printer does not print",
        "my card was declined in the shop",
        "how do I change my printer's paper",
    ]
    found = nearest(["my card was declined at the airport shop", "printer paper"], there, 2)
    assert found.tolist() == [[0, 2], [3, 1]]
    assert nearest(["x"], there, 9).shape == (1, 4)
    assert nearest(["", "the"], ["a", "a", "b"], 2).tolist()[0] == [0, 1]


def prompting(path: Path, **section: Any) -> Prompting:
    settings = PromptSection(**section)
    rows = [chat(f"{word} question about {word}", word) for word in ("amber", "birch", "cedar")]
    return Prompting(settings, read_prompts(settings, path), dataset(path / "d", rows), "d")


def test_every_way_of_asking_is_made_and_the_nearest_stands_last(
    tmp_path: Path, suites: list[LoadedSuite]
) -> None:
    (tmp_path / "Careful.md").write_text("Think of {{ question }} twice.\n")
    (tmp_path / "terse.txt").write_text("Answer in a word.")
    user = ["Careful.md", UserPrompt(file="terse.txt", name="my terse", examples="retrieved")]
    arms = Arms(prompting(tmp_path, examples=2, user=user), suites, lambda task, item: True)
    found = [arm for arm in arms.all() if arm.task.spec.kind == "generation"]
    names = ["zero-shot", "few-shot", "retrieved", "careful", "my terse"]
    assert [arm.name for arm in found] == names
    plain, few, near, careful, terse = (arm.task.items for arm in found)
    assert plain == suites[0].tasks[0].items
    roles = ["user", "assistant"] * 2 + ["user"]
    assert all([turn.role for turn in item.messages] == roles for item in few)
    assert len({item.messages[:-1] for item in few}) == 1
    assert careful[0].question == f"Think of {plain[0].question} twice."
    assert [turn.role for turn in terse[0].messages] == ["system", *roles]
    assert terse[0].messages[1:] == near[0].messages
    assert [item.id for item in terse] == [item.id for item in plain]


def test_retrieved_examples_follow_the_question(tmp_path: Path, suites: list[LoadedSuite]) -> None:
    task = suites[0].tasks[0]
    items = tuple(
        Item(word, (Message("user", f"tell me about {word}"),), "x", cluster=word)
        for word in ("cedar", "amber")
    )
    given = [
        LoadedSuite(suites[0].spec, suites[0].path, (type(task)(task.spec, items),)),
    ]
    arms = Arms(prompting(tmp_path, examples=1), given, lambda task, item: True)
    (near,) = [arm for arm in arms.all() if arm.name == "retrieved"]
    assert [item.messages[1].content for item in near.task.items] == ["cedar", "amber"]


def test_examples_that_do_not_fit_are_left_out_from_the_farthest_and_counted(
    tmp_path: Path, suites: list[LoadedSuite]
) -> None:
    def fits(task: Task, item: Item) -> bool:
        return len(item.messages) <= 3

    arms = Arms(prompting(tmp_path, examples=3), suites, fits)
    found = [arm for arm in arms.all() if arm.task.spec.kind == "generation"]
    for kind in found[1:]:
        assert {len(item.messages) for item in kind.task.items} == {3}
    assert any("few-shot shows 24 of 24 items fewer than 3 examples" in one for one in arms.notes)
    arms = Arms(prompting(tmp_path / "suites", examples=1), suites, lambda task, item: False)
    assert {arm.name for arm in arms.all()} == {"zero-shot"}
    assert any("few-shot was not tried: item items-0 would be longer" in one for one in arms.notes)


def refusing(task: Task, item: Item) -> bool:
    """Read chats without a system turn whose roles take turns, as some templates demand."""
    if "system" in {turn.role for turn in item.messages}:
        raise ModelError("refused", cause="System role not supported.")
    roles = [turn.role for turn in item.messages]
    if any(one == other for one, other in pairwise(roles)):
        raise ModelError("refused", cause="roles must alternate.")
    return True


def test_an_example_that_the_template_refuses_is_passed_over_and_counted(
    tmp_path: Path, suites: list[LoadedSuite]
) -> None:
    asked = prompting(tmp_path, examples=9)
    odd = chat("and then", "amber")
    odd["messages"].insert(1, {"role": "user", "content": "first question about elms"})
    rows = [odd, chat("birch question about birch", "birch")]
    (tmp_path / "mixed").mkdir()
    asked = replace(asked, dataset=dataset(tmp_path / "mixed" / "d", rows))
    arms = Arms(asked, suites[:1], refusing)
    found = [arm for arm in arms.all() if arm.task.spec.kind == "generation"]
    few, near = (arm for arm in found if arm.name != "zero-shot")
    assert few.task.items[0].messages[0].content == "birch question about birch"
    assert {len(item.messages) for item in (*few.task.items, *near.task.items)} == {3}
    (note,) = [note for note in arms.notes if "passed over" in note]
    assert note == (
        "examples: 1 of 2 from the training rows of d passed over: the model does not take them "
        "(roles must alternate)"
    )
    asked = replace(asked, dataset=dataset(tmp_path / "odd", [odd]))
    arms = Arms(asked, suites[:1], refusing)
    assert {arm.name for arm in arms.all()} == {"zero-shot"}
    assert any("retrieved was not tried: no row of the training" in note for note in arms.notes)


def test_a_prompt_that_the_template_refuses_leaves_the_other_ways(
    tmp_path: Path, suites: list[LoadedSuite]
) -> None:
    (tmp_path / "terse.txt").write_text("Answer in a word.")
    (tmp_path / "twice.txt").write_text("Think of {{ question }} twice.")
    user = ["terse.txt", UserPrompt(file="twice.txt", name="twice", examples="few-shot")]
    arms = Arms(prompting(tmp_path, examples=2, user=user), suites[:1], refusing)
    write = suites[0].tasks[0].spec.name
    names = [arm.name for arm in arms.all() if arm.task.spec.name == write]
    assert names == ["zero-shot", "few-shot", "retrieved", "twice"]
    assert f"{write}: terse was not tried: System role not supported" in arms.notes


@pytest.mark.parametrize("room", range(6))
def test_as_many_examples_are_kept_as_fit(
    tmp_path: Path, suites: list[LoadedSuite], room: int
) -> None:
    asked = prompting(tmp_path, examples=3)
    arms = Arms(asked, suites[:1], lambda task, item: len(item.messages) <= 2 * room + 1)
    few = next(arm for arm in arms.all() if arm.name == "few-shot")
    whole = next(
        arm
        for arm in Arms(asked, suites[:1], lambda task, item: True).all()
        if arm.name == "few-shot"
    )
    kept = min(room, 3)
    assert few.task.items[0].messages == whole.task.items[0].messages[2 * (3 - kept) :]


def test_without_a_dataset_the_examples_of_the_suite_are_shown(suites: list[LoadedSuite]) -> None:
    arms = Arms(Prompting(PromptSection(examples=2)), suites, lambda task, item: True)
    names = [(arm.name, arm.task.spec.name) for arm in arms.all()]
    write, choose = "gain-write", "gain-choose"
    assert names == [
        ("zero-shot", write), ("few-shot", write), ("retrieved", write), ("zero-shot", choose)
    ]  # fmt: skip
    assert [note for note in arms.notes if "gain-choose: few-shot was not tried" in note]


def test_a_pool_that_leaks_whole_leaves_zero_shot_alone(
    tmp_path: Path, suites: list[LoadedSuite]
) -> None:
    rows = [chat(item.question, item.gold or "x") for item in suites[0].tasks[0].items]
    asked = Prompting(PromptSection(), (), dataset(tmp_path / "d", rows), "d")
    arms = Arms(asked, suites, lambda task, item: True)
    assert {arm.name for arm in arms.all()} == {"zero-shot"}
    assert any("no row of the training rows of d may be shown" in note for note in arms.notes)
    assert Pool("nothing").examples == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this prompt is empty"),
        ("About {{ ticket }}", "not a template of the question alone"),
        ("About {{ question", "not a template of the question alone"),
        ("About {{ question.upper.no }}{{ question / 2 }}", "not a template of the question"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_told_with_its_file(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "mine.md").write_text(text)
    with pytest.raises(DataError, match=message) as found:
        read_prompts(PromptSection(user=["mine.md"]), tmp_path)
    assert found.value.where.endswith("mine.md")


def test_prompts_that_are_missing_or_share_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_prompts(PromptSection(user=["gone.md"]), tmp_path)
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match="cannot be read"):
        read_prompts(PromptSection(user=["latin.md"]), tmp_path)
    (tmp_path / "few-shot.md").write_text("Now.")
    with pytest.raises(UsageError, match="two ways of asking are called 'few-shot'"):
        read_prompts(PromptSection(user=["few-shot.md"]), tmp_path)
    renamed = PromptSection(user=[UserPrompt(file="few-shot.md", name="mine")])
    assert [one.name for one in read_prompts(renamed, tmp_path)] == ["mine"]


def test_a_prompt_without_a_question_takes_the_place_of_the_system_turn(tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text('Answer as {"team": …}, {% raw %}{{never}}{% endraw %}.')
    (mine,) = read_prompts(PromptSection(user=["mine.md"]), tmp_path)
    told = mine.around((Message("system", "Old."), Message("user", "Hi")))
    assert told == (
        Message("system", 'Answer as {"team": …}, {{never}}.'), Message("user", "Hi"),
    )  # fmt: skip
