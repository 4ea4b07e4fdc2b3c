"""Requests against a server that misbehaves: none lost, none paid twice, none over budget."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from curate.synth.recipe import Budget
from evalsuite.asking.backends.configs import EndpointConfig
from evalsuite.asking.backends.endpoint import EndpointBackend
from evalsuite.asking.desk import Desk, Interrupted, RequestFailed
from evalsuite.asking.log import open_log
from evalsuite.asking.purse import BudgetGone, Purse
from evalsuite.asking.requests import ChatRequest, Reply, Turn, Usage
from workspace.errors import UsageError, WorkError

Served = Any
"""The fixture of conftest.py: `url`, `script`, `backend(**settings)`."""
Work = Callable[[Desk], Coroutine[Any, Any, Any]]


def request(number: int, **changes: Any) -> ChatRequest:
    fields = {"temperature": 0.5, "top_p": 1.0, "max_tokens": 20, "seed": number} | changes
    return ChatRequest((Turn("user", f"question {number}"),), **fields)


def at_desk(
    served: Served, directory: Path, work: Work, budget: Budget | None = None, **settings: Any
) -> tuple[Any, Desk]:
    """Run some work at a desk whose log is in `directory`."""

    async def run() -> tuple[Any, Desk]:
        backend = EndpointBackend(EndpointConfig(**served.backend(**settings)))
        with open_log(directory) as log:
            purse = Purse(budget or Budget(), spent=log.spent, unsure=log.unsure)
            desk = Desk(backend, log, purse)
            try:
                return await work(desk), desk
            finally:
                await backend.close()

    return asyncio.run(run())


def ask_all(numbers: range) -> Work:
    async def work(desk: Desk) -> list[Reply]:
        found = await asyncio.gather(*(desk.ask(request(number)) for number in numbers))
        return [reply for reply, _ in found]

    return work


def test_an_answer_is_in_the_log_and_is_not_asked_again(served: Served, tmp_path: Path) -> None:
    first, _ = at_desk(served, tmp_path, ask_all(range(5)))
    second, desk = at_desk(served, tmp_path, ask_all(range(5)))
    assert first == second
    assert desk.counts.remembered == 5
    assert len(served.script.requests) == 5
    assert set(served.script.paid.values()) == {1}


def test_the_same_question_at_once_is_asked_once(served: Served, tmp_path: Path) -> None:
    async def work(desk: Desk) -> Any:
        return await asyncio.gather(*(desk.ask(request(1)) for _ in range(10)))

    at_desk(served, tmp_path, work)
    assert len(served.script.requests) == 1


def test_model_prompt_parameters_seed_and_sample_are_all_in_the_key() -> None:
    keys = {
        request(1).key("a"),
        request(2).key("a"),
        request(1).key("b"),
        request(1, temperature=0.6).key("a"),
        request(1, top_p=0.9).key("a"),
        request(1, max_tokens=21).key("a"),
        request(1, sample=1).key("a"),
    }
    assert len(keys) == 7


@pytest.mark.slow
def test_a_storm_of_429_loses_no_request(served: Served, tmp_path: Path) -> None:
    served.script.trouble = lambda nth, tries, body: "429" if nth < 120 else ""
    # A machine under load may be slow to read an answer; that would rightly be asked again.
    patience = {"timeout_seconds": 60, "stall_seconds": 60}
    found, desk = at_desk(
        served, tmp_path, ask_all(range(40)), concurrency=8, retries=2, **patience
    )
    assert len(found) == 40
    assert set(served.script.paid.values()) == {1}
    assert len(served.script.paid) == 40
    assert desk.counts.retried == 120


@pytest.mark.parametrize("trouble", ["500", "half", "nonsense", "empty", "null", "drop", "stall"])
def test_a_request_that_went_wrong_is_tried_again(
    served: Served, tmp_path: Path, trouble: str
) -> None:
    served.script.trouble = lambda nth, tries, body: trouble if tries == 0 else ""
    found, desk = at_desk(served, tmp_path, ask_all(range(4)))
    assert [reply.text for reply in found] == ["an answer"] * 4
    assert set(served.script.paid.values()) == {1}
    assert desk.counts.failed == 0


def test_everything_at_once_loses_nothing_and_pays_nothing_twice(
    served: Served, tmp_path: Path
) -> None:
    kinds = ["429", "500", "half", "empty", "drop", "503", "", ""]
    served.script.trouble = lambda nth, tries, body: kinds[(nth * 5) % 8] if tries < 4 else ""
    found, _ = at_desk(served, tmp_path, ask_all(range(60)), concurrency=12)
    assert len(found) == 60
    assert set(served.script.paid.values()) == {1}


def test_a_request_that_always_fails_costs_only_itself(served: Served, tmp_path: Path) -> None:
    def trouble(nth: int, tries: int, body: dict[str, Any]) -> str:
        return "500" if body["messages"][0]["content"] == "question 3" else ""

    served.script.trouble = trouble

    async def work(desk: Desk) -> Any:
        asks = (desk.ask(request(number)) for number in range(6))
        return await asyncio.gather(*asks, return_exceptions=True)

    found, _ = at_desk(served, tmp_path, work, retries=2)
    assert [isinstance(one, RequestFailed) for one in found] == [False] * 3 + [True] + [False] * 2
    assert "500" in str(found[3])


def test_a_bad_request_is_not_tried_again(served: Served, tmp_path: Path) -> None:
    served.script.trouble = lambda nth, tries, body: "400"
    with pytest.raises(RequestFailed, match="400"):
        at_desk(served, tmp_path, ask_all(range(1)))
    assert len(served.script.requests) == 1


@pytest.mark.parametrize("trouble", ["401", "404", "redirect"])
def test_an_endpoint_that_refuses_everybody_stops_the_job(
    served: Served, tmp_path: Path, trouble: str
) -> None:
    served.script.trouble = lambda nth, tries, body: trouble
    with pytest.raises(WorkError, match="does not answer") as caught:
        at_desk(served, tmp_path, ask_all(range(1)))
    assert served.url in caught.value.where
    assert len(served.script.requests) == 1


def test_an_endpoint_that_is_gone_stops_the_job_when_patience_ends(
    served: Served, tmp_path: Path
) -> None:
    gone = type(served)("http://127.0.0.1:9/v1", served.script)
    with pytest.raises(WorkError, match="does not answer"):
        at_desk(gone, tmp_path, ask_all(range(1)), patience_seconds=0.3)


def test_an_endpoint_that_breaks_for_all_stops_the_job(served: Served, tmp_path: Path) -> None:
    served.script.trouble = lambda nth, tries, body: "500" if nth >= 5 else ""

    async def work(desk: Desk) -> Any:
        for number in range(100):
            try:
                await desk.ask(request(number))
            except RequestFailed:
                continue

    with pytest.raises(WorkError, match="does not answer"):
        at_desk(served, tmp_path, work, retries=0)
    assert len(served.script.requests) == 5 + 24


def test_retry_after_is_observed_by_all(served: Served, tmp_path: Path) -> None:
    served.script.retry_after = "0.5"
    served.script.trouble = lambda nth, tries, body: "429" if nth == 0 else ""

    async def work(desk: Desk) -> float:
        clock = asyncio.get_running_loop().time
        begun = clock()
        first = asyncio.create_task(desk.ask(request(1)))
        await asyncio.sleep(0.2)
        await desk.ask(request(2))
        await first
        return clock() - begun

    seconds, _ = at_desk(served, tmp_path, work, concurrency=1)
    assert 0.5 <= seconds < 3.0


def test_a_date_in_retry_after_is_understood() -> None:
    import email.utils
    import time

    from evalsuite.asking.backends.endpoint import _retry_after

    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 27 < (_retry_after({"retry-after": date}) or 0) <= 30
    assert _retry_after({"retry-after-ms": "250"}) == 0.25
    assert _retry_after({"retry-after": "soon"}) is None


@pytest.mark.parametrize(
    "wait",
    ["inf", "1e400", "nan", "Fri, 31 Dec 99999 23:59:59 GMT", "Fri, 1 Jan 209999999999 0:0:0"],
)
def test_a_wait_that_no_clock_knows_is_not_waited_for(
    served: Served, tmp_path: Path, wait: str
) -> None:
    served.script.retry_after = wait
    served.script.trouble = lambda nth, tries, body: "429" if tries < 1 else ""
    replies, _ = at_desk(served, tmp_path, ask_all(range(4)))
    assert len(replies) == 4


@pytest.mark.timeout(30)
@pytest.mark.parametrize("status", ["429", "503", "500"])
def test_a_wait_beyond_patience_stops_the_job(served: Served, tmp_path: Path, status: str) -> None:
    served.script.retry_after, served.script.always_wait = "99999999", True
    served.script.trouble = lambda nth, tries, body: status
    with pytest.raises(WorkError, match="does not answer"):
        at_desk(served, tmp_path, ask_all(range(4)), concurrency=2)


@pytest.mark.parametrize(
    "usage", [(-10_000, 5), (10, -10_000), (None, None), ("many", 5), (10, 10**40), (1e300, 5)]
)
def test_what_a_server_cannot_have_used_is_counted_at_its_worst(
    served: Served, tmp_path: Path, usage: Any
) -> None:
    served.script.usage = usage
    replies, desk = at_desk(served, tmp_path, ask_all(range(2)))
    worst = [desk.backend.worst(request(number)).tokens for number in range(2)]
    assert desk.purse.spent.tokens == sum(worst)
    assert [reply.reported for reply in replies] == [False, False]
    assert len(served.script.requests) == 2


def test_no_more_are_under_way_than_allowed(served: Served, tmp_path: Path) -> None:
    served.script.seconds = 0.02
    at_desk(served, tmp_path, ask_all(range(20)), concurrency=3)
    assert 1 < served.script.most_under_way <= 3


def test_no_more_begin_in_a_minute_than_allowed(served: Served, tmp_path: Path) -> None:
    async def work(desk: Desk) -> float:
        clock = asyncio.get_running_loop().time
        begun = clock()
        await ask_all(range(9))(desk)
        return clock() - begun

    seconds, _ = at_desk(served, tmp_path, work, requests_per_minute=1200)
    assert seconds >= 8 * 0.05


def test_the_budget_is_never_exceeded(served: Served, tmp_path: Path) -> None:
    price = {"input": 1.0, "output": 10.0}
    served.script.usage = (40, 20)
    one = (40 * 1.0 + 20 * 10.0) / 1e6

    async def work(desk: Desk) -> Any:
        asks = (desk.ask(request(number)) for number in range(100))
        return await asyncio.gather(*asks, return_exceptions=True)

    found, desk = at_desk(served, tmp_path, work, Budget(money=one * 12), price=price)
    answered = sum(not isinstance(one, BaseException) for one in found)
    assert all(isinstance(one, tuple | BudgetGone) for one in found)
    # What is left has no room for the worst case of one more: bytes as tokens, the longest answer.
    worst = desk.backend.worst(request(1)).money
    assert desk.purse.spent.money == pytest.approx(answered * one)
    assert one * 12 - worst < desk.purse.spent.money <= one * 12
    assert answered == sum(served.script.paid.values())


def test_the_budget_counts_what_earlier_runs_spent(served: Served, tmp_path: Path) -> None:
    async def work(desk: Desk) -> Any:
        asks = (desk.ask(request(number)) for number in range(20))
        return await asyncio.gather(*asks, return_exceptions=True)

    budget = Budget(requests=7)
    at_desk(served, tmp_path, work, budget)
    found, _ = at_desk(served, tmp_path, work, budget)
    assert len(served.script.requests) == 7
    assert sum(isinstance(one, tuple) for one in found) == 7


def test_an_unknown_outcome_counts_as_spent(served: Served, tmp_path: Path) -> None:
    served.script.trouble = lambda nth, tries, body: "drop"

    async def work(desk: Desk) -> Any:
        with pytest.raises(RequestFailed):
            await desk.ask(request(1))
        return desk.purse.unsure

    unsure, desk = at_desk(served, tmp_path, work, retries=1)
    worst = desk.backend.worst(request(1))
    assert unsure == worst + worst
    with open_log(tmp_path) as log:
        assert log.unsure == unsure
        assert log.spent == Usage()


def test_a_stop_sends_nothing_more_and_keeps_what_is_under_way(
    served: Served, tmp_path: Path
) -> None:
    served.script.seconds = 0.2

    async def work(desk: Desk) -> Any:
        asks = [asyncio.create_task(desk.ask(request(number))) for number in range(8)]
        await asyncio.sleep(0.1)
        desk.stopping.set()
        return await asyncio.gather(*asks, return_exceptions=True)

    found, _ = at_desk(served, tmp_path, work, concurrency=2)
    assert [isinstance(one, tuple) for one in found] == [True] * 2 + [False] * 6
    assert all(isinstance(one, Interrupted) for one in found[2:])
    with open_log(tmp_path) as log:
        assert len(log) == 2


def test_a_stop_sends_nothing_that_waited_for_room_in_the_budget(
    served: Served, tmp_path: Path
) -> None:
    served.script.seconds = 0.2

    async def work(desk: Desk) -> Any:
        asks = [asyncio.create_task(desk.ask(request(number))) for number in range(2)]
        await asyncio.sleep(0.1)
        desk.stopping.set()
        found = await asyncio.gather(*asks, return_exceptions=True)
        return found, desk.purse.reserved, desk.purse.under_way

    room = Budget(tokens=180)  # for one request at its worst and one as it turns out
    (found, reserved, under_way), _ = at_desk(served, tmp_path, work, room)
    assert isinstance(found[0], tuple) and isinstance(found[1], Interrupted)
    assert len(served.script.requests) == 1
    assert reserved == Usage() and under_way == 0


def test_the_key_goes_to_the_server_and_nowhere_else(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-value-of-a-key-0123456789"
    monkeypatch.setenv("SOME_API_KEY", canary)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-mine")
    served.script.trouble = lambda nth, tries, body: "500" if tries == 0 else ""
    at_desk(served, tmp_path, ask_all(range(2)), api_key="env:SOME_API_KEY")
    assert served.script.headers[0]["authorization"] == f"Bearer {canary}"
    assert not any("org-of-mine" in str(headers) for headers in served.script.headers)
    assert canary not in (tmp_path / "requests.jsonl").read_text(encoding="utf-8")


def test_a_key_that_is_not_set_is_told_before_anything_is_sent(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_API_KEY", raising=False)
    with pytest.raises(UsageError, match="SOME_API_KEY is not set"):
        at_desk(served, tmp_path, ask_all(range(1)), api_key="env:SOME_API_KEY")


def test_a_key_written_out_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="env:NAME") as caught:
        EndpointConfig(base_url="http://x/v1", model="m", api_key="my own secret")
    assert "my own secret" not in str(caught.value)


def test_a_wanted_form_goes_to_servers_that_enforce_it(served: Served, tmp_path: Path) -> None:
    async def work(desk: Desk) -> Any:
        return await desk.ask(request(1, form=("Question", json.dumps({"type": "object"}))))

    at_desk(served, tmp_path, work, response_format="json_schema")
    wanted = served.script.requests[0]["response_format"]
    assert wanted["json_schema"] == {
        "name": "Question",
        "schema": {"type": "object"},
        "strict": True,
    }
