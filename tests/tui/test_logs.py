"""Logs: by offset, forwards and backwards, with a mini-language, in a thread, whatever the size."""

import queue
import time

import pytest

from tests.tui.keys import until
from tui.app import TemperApp
from tui.logs.file import CHUNK, LogFile
from tui.logs.folding import folded
from tui.logs.index import BLOCK, LineIndex
from tui.logs.query import BadQuery, parse
from tui.logs.reader import LogReader
from tui.screens.log import LogScreen


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    return LogFile(path)


def texts(lines):
    return [line.text for line in lines]


def test_lines_are_read_from_both_ends_without_the_rest(log):
    assert log.size() > 4 * CHUNK
    assert texts(log.after(0, 3)) == ["line 0", "line 1", "line 2"]
    last = log.before(log.size(), 40_000)
    assert texts(last) == [f"line {number}" for number in range(60_000, 100_000)]
    assert texts(log.before(last[0].offset, 2)) == ["line 59998", "line 59999"]
    assert texts(log.after(last[5].offset, 2)) == ["line 60005", "line 60006"]
    assert log.before(0, 5) == []


def test_bars_are_split_at_their_returns(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"begin\r\n\r 1%\r 2%\r 3%\nend\n\nlast, unfinished")
    assert texts(LogFile(path).after(0, 10)) == [
        "begin", " 1%", " 2%", " 3%", "end", "", "last, unfinished",
    ]  # fmt: skip
    assert texts(LogFile(path).before(path.stat().st_size, 3)) == ["end", "", "last, unfinished"]


def test_a_line_without_end_is_shown_in_pieces_and_ends(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * (3 * CHUNK + 5) + b"\nafter\n")
    file = LogFile(path)
    assert len(file.after(0, 10)) == 5
    assert texts(file.before(file.size(), 1)) == ["after"]
    assert len(file.before(file.size(), 50)) >= 4
    assert LogFile(tmp_path / "none").after(0, 5) == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("loss", ["a loss", "A LOSS 2", "loss nan"]),
        ("LOSS", ["A LOSS 2"]),
        ("loss !nan", ["a loss", "A LOSS 2"]),
        ('"a loss"', ["a loss", "A LOSS 2"]),
        (r"/loss \d/", ["A LOSS 2"]),
        (r"loss !/\d/ !nan", ["a loss"]),
        ("", ["a loss", "A LOSS 2", "loss nan", "other"]),
    ],
)
def test_the_language_of_searches(query, wanted):
    lines = ["a loss", "A LOSS 2", "loss nan", "other"]
    found = parse(query)
    assert [line for line in lines if found.matches(line)] == wanted
    assert found.may_be_in("\n".join(wanted).encode())


def test_what_is_no_expression_is_told():
    with pytest.raises(BadQuery, match="no regular expression"):
        parse("/[/")


def test_lines_are_counted_block_by_block(tmp_path):
    path = tmp_path / "log.txt"
    line = b"0123456789abcdef" * 64 + b"\n"
    count = 2 * BLOCK // len(line) + 100
    path.write_bytes(line * count + b"unfinished")
    index = LineIndex(LogFile(path))
    assert index.total() is None
    assert index.line_number(2 * BLOCK) is None
    while index.extend(1):
        pass
    assert index.total() == count + 1
    assert index.line_number(1500 * len(line)) == 1501


class Screen:
    """What a screen does with a reader."""

    def __init__(self, path, height=10):
        self.views = queue.Queue()
        self.reader = LogReader(path, self.views.put)
        self.reader.start()
        self.ask(self.reader.resize, height)

    def ask(self, what, *arguments):
        self.reader.ask(lambda: what(*arguments))

    def wait(self, until):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            view = self.views.get(timeout=20)
            if until(view):
                return view
        raise AssertionError(view)


@pytest.fixture
def screen(log):
    made = Screen(log.path)
    yield made
    made.reader.stop()


def test_a_log_is_followed_moved_in_searched_and_filtered(log, screen):
    view = screen.wait(lambda view: len(view.lines) == 10 and view.line_number)
    assert texts(view.lines)[-1] == "line 99999"
    assert (view.line_number, view.total) == (99_991, 100_000)
    screen.ask(screen.reader.move, -5)
    view = screen.wait(lambda view: not view.is_following)
    assert texts(view.lines)[0] == "line 99985"
    screen.ask(screen.reader.search, parse('"line 777"'), -1)
    view = screen.wait(lambda view: view.lines[0].text == "line 77799")
    screen.ask(screen.reader.search, parse("line 12345"), 1)
    assert screen.wait(lambda view: view.said).said == "No line below has: line 12345"
    screen.ask(screen.reader.first)
    screen.ask(screen.reader.search, parse("line 12345"), 1)
    screen.wait(lambda view: view.lines[0].text == "line 12345")
    screen.ask(screen.reader.filter, parse("line !1 !2 !3 /77$/"))
    view = screen.wait(lambda view: view.matches is not None and not view.is_searching)
    wanted = [
        f"line {n}"
        for n in range(100_000)
        if f"{n}".endswith("77") and not set(f"{n}") & set("123")
    ]
    assert view.matches == len(wanted)
    assert texts(view.lines) == wanted[-10:]
    with log.path.open("ab") as stream:
        stream.write(b"line 5577\nline 4")
    view = screen.wait(lambda view: view.matches == len(wanted) + 1)
    assert texts(view.lines)[-1] == "line 5577"
    screen.ask(screen.reader.first)
    view = screen.wait(lambda view: view.lines and view.lines[0].text == "line 77")
    screen.ask(screen.reader.filter, None)
    view = screen.wait(lambda view: view.matches is None)
    assert texts(view.lines)[-2:] == ["line 5577", "line 4"]
    log.path.write_bytes(b"anew\n")
    view = screen.wait(lambda view: view.size == 5)
    assert texts(view.lines) == ["anew"]
    log.path.unlink()
    screen.wait(lambda view: view.size == 0)


@pytest.mark.slow
def test_a_search_among_filtered_lines_is_told_and_gives_way(log, monkeypatch):
    views = []
    reader = LogReader(log.path, views.append)
    reader.resize(10)
    reader.filter(parse("line !1 !2 !3 !4 !5 !6"))
    while reader._left:
        reader._work()
    monkeypatch.setattr("tui.logs.reader._SHOWN_EVERY_SECONDS", 0.0)
    reader.search(parse("nothing"), -1)
    assert reader._said == "No line above has: nothing"
    assert views[0].is_searching and 0 < views[0].share_done < 1
    views.clear()
    reader._said = ""
    reader.ask(lambda: None)
    reader.search(parse("nothing"), -1)
    assert reader._said == "" and not views


def test_a_log_of_gigabytes_opens_at_its_end_at_once(tmp_path):
    path = tmp_path / "log.txt"
    with path.open("wb") as stream:  # sparse: five gigabytes that take no room
        stream.truncate(5 << 30)
        stream.seek(0, 2)
        stream.write(b"\n" + b"".join(b"step %d\n" % number for number in range(1000)))
    made = Screen(path)
    began = time.monotonic()
    view = made.wait(lambda view: view.lines)
    assert time.monotonic() - began < 5
    assert texts(view.lines)[-1] == "step 999"
    made.ask(made.reader.search, parse("500"), -1)
    made.wait(lambda view: view.lines[0].text == "step 500")
    made.reader.stop()


async def test_the_log_screen_searches_and_filters_by_keys(made, settled, text_of):
    run = made.run("live", state="running", steps=10)
    log = made.job_of(run) / "log.txt"
    lines = [f"step {n} \x1b[31mloss\x1b[0m {n / 10}" for n in range(500)]
    log.write_text("\n".join(lines) + "\n\r 10%\r 20%\n")
    app = TemperApp(made.root)

    async def until(wanted):
        for _ in range(400):
            await pilot.pause(0.02)
            if wanted in text_of(app):
                return text_of(app)
        raise AssertionError(text_of(app))

    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter", "L")
        assert isinstance(app.screen, LogScreen)
        text = await until("following")
        assert " 20%" in text and "\\x1b[31mloss" in text and "\x1b" not in text
        await pilot.press("g")
        assert "step 0 " in await until("not following")
        await pilot.press("G")
        await until(" 20%")
        await pilot.press(
            "slash", *"step space 1 2 3".replace(" ", "").replace("space", ""), "enter"
        )
        await until("search: step123")
        await until("No line above has")
        await pilot.press("escape", "slash", *"123", "enter")
        text = await until("\u258c step 123 ")
        await pilot.press("ampersand", *"!loss", "enter")
        shown = (await until("only: !loss (2 lines)")).splitlines()
        assert [line.strip() for line in shown if line.strip().endswith("%")] == ["10%", "20%"]
        assert not any("loss" in line for line in shown if "only:" not in line)
        await pilot.press("escape", "escape")
        await settled(pilot)
        assert not isinstance(app.screen, LogScreen)


NOTES = (
    "2026-11-22 02:09:41,935 WARNING bitsandbytes.ops: Failed to load gemm_4bit\n"
    "2026-11-22 02:09:49,734 WARNING py.warnings: /lib/torch/_script.py:365: deprecated\n"
    "    |   warnings.warn(\n"
)
ERROR = "2026-11-22 02:09:50,000 ERROR torch.cuda: out of memory\n"


def test_what_libraries_log_is_counted_between_the_own_lines():
    lines = f"    | of before\nloading\n{NOTES}training\n{ERROR}{NOTES}".splitlines()
    assert folded(lines, "elsewhere") == [
        "- 1 message of libraries, elsewhere",
        "loading",
        "- 2 messages of libraries, elsewhere",
        "training",
        ERROR.strip(),
        "- 2 messages of libraries, elsewhere",
    ]
    assert folded([], "elsewhere") == []


async def test_the_run_shows_its_own_lines_and_its_log_all_of_them(made, settled, text_of):
    run = made.run("live", state="running", steps=10)
    log = made.job_of(run) / "log.txt"
    log.write_text(f"loading torch\n{NOTES}training …\n{ERROR}")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        text = text_of(app)
        assert "gemm_4bit" not in text and "warnings.warn" not in text
        places = [
            text.index(one)
            for one in ("loading torch", "- 2 messages of libraries", "training", "out of memory")
        ]
        assert places == sorted(places)

        await pilot.press("L")
        await until(pilot, lambda: "gemm_4bit" in text_of(app))
        await pilot.press("f")
        await until(pilot, lambda: "without libraries (3 lines)" in text_of(app))
        assert "gemm_4bit" not in text_of(app) and "out of memory" in text_of(app)
        await pilot.press("ampersand", *"training", "enter")
        await until(pilot, lambda: "without libraries, only: training (1 line)" in text_of(app))
        await pilot.press("f", "ampersand", *(["backspace"] * 8), *"warning", "enter")
        await until(pilot, lambda: "only: warning (3 lines)" in text_of(app))
        await pilot.press("f", "escape")
        await until(pilot, lambda: "warnings.warn" in text_of(app))
        assert "without" not in text_of(app) and isinstance(app.screen, LogScreen)
    assert log.read_text() == f"loading torch\n{NOTES}training …\n{ERROR}"
