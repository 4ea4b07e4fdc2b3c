import shutil

from tui.app import TemperApp
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen


async def test_a_run_opens_with_its_curve_facts_abilities_and_log(made, settled, text_of):
    run = made.run("tempered", steps=200)
    made.evaluation(run, "fail")
    (made.job_of(run) / "log.txt").write_text("first line\nlast line\n")
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, RunScreen)
        text = text_of(app)
        for expected in (
            run.name,
            "finished",
            "copying",
            "-0.549",
            "It is a fail.",
            "last line",
            "datasets/triage/1a2b3c4d",
            "temper.yaml · sft · lora",
        ):
            assert expected in text
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


async def test_an_open_run_follows_its_log_and_its_steps(made, settled, text_of):
    run = made.run("live", state="running", steps=10)
    log = made.job_of(run) / "log.txt"
    log.write_text("".join(f"line {number}\n" for number in range(500)))
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert "line 499" in text_of(app)
        with log.open("a") as stream:
            stream.write("a new line\n")
        made.train(run, [11])
        await settled(pilot)
        assert "a new line" in text_of(app)
        assert "11 of 200" in text_of(app)
        await pilot.press("g")
        assert "line 0 " in text_of(app)
        await pilot.press("G")
        assert "a new line" in text_of(app)


async def test_a_log_is_not_followed_after_going_back(made, settled):
    run = made.run("live", state="running", steps=10)
    (made.job_of(run) / "log.txt").write_text("line\n")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert app.poller.follows is not None
        await pilot.press("escape")
        await settled(pilot)
        assert app.poller.follows is None


async def test_a_run_deleted_while_open_stays_as_it_was_last_seen(made, settled, text_of):
    run = made.run("brief", steps=10)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        shutil.rmtree(run)
        await settled(pilot)
        assert "deleted" in text_of(app)
        await pilot.press("h")
        assert isinstance(app.screen, HomeScreen)


async def test_a_broken_run_can_be_opened_too(made, settled, text_of):
    (made.run("torn") / "run.json").write_text("{")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert "broken" in text_of(app)
        assert "cannot be read" in text_of(app)
