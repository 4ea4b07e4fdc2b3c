"""What follows from a verdict."""

from evalsuite.next_steps import next_steps
from tests.evalsuite.report.conftest import document, scores


def steps_of(results, place):
    comparison = results.comparisons[place]
    return [(step.why, step.command) for step in next_steps(results, comparison, "my run")]


def test_a_loss_asks_for_a_scale_that_keeps_and_an_undecided_one_for_more_items():
    steps = steps_of(document(scores(120, 0)), 0)
    commands = [command for _, command in steps]
    assert commands[0] == "temper dial 'my run'"
    assert "capitals" in steps[0][0]
    assert "temper eval 'my run' --top-up" in commands
    assert not any("export" in command for command in commands)


def test_an_invalid_measurement_asks_for_nothing_else():
    found = steps_of(document(scores(120, 0), broken=True), 0)
    assert [command for _, command in found] == ["temper eval 'my run'"]


def test_a_pass_can_be_taken_out():
    results = document(scores(4000, 0))
    passed = [n for n, one in enumerate(results.comparisons) if one.verdict.status == "pass"]
    assert passed
    assert steps_of(results, passed[0]) == [
        ("It passed: take it out.", "temper export 'my run' --to merged")
    ]
