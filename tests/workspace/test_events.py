"""The event log: whole lines only, last attempts win."""

from pathlib import Path

from workspace.events import EventLog, last_attempts, read_events


def test_a_torn_last_line_means_not_yet(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path, attempt=1).append("metrics", step=1, loss=2.0)
    with path.open("a") as stream:
        stream.write('{"kind": "metr')
    events, offset = read_events(path)
    assert [event["step"] for event in events] == [1]
    assert read_events(path, offset) == ([], offset)
    EventLog(path, attempt=2).append("metrics", step=2, loss=1.0)
    assert [event["step"] for event in read_events(path, offset)[0]] == [2]


def test_the_last_attempt_of_a_step_is_what_happened(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for attempt, step, loss in [(1, 1, 3.0), (1, 2, 2.5), (2, 2, 2.0), (2, 3, 1.5)]:
        EventLog(path, attempt=attempt).append("metrics", step=step, loss=loss)
    assert [event["loss"] for event in last_attempts(read_events(path)[0])] == [3.0, 2.0, 1.5]


def test_nan_is_written_as_json_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).append("metrics", step=1, loss=float("nan"))
    assert '"loss": "nan"' in path.read_text()


def test_no_file_is_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == ([], 0)
