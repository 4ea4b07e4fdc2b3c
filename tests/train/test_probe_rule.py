"""The best step by its probes: numbers in, a step out."""

from __future__ import annotations

from pathlib import Path

from train.checkpoints import CheckpointStore
from train.probe.rule import Ability, Probed, Rule
from train.probe.suites import spread
from train.probe.watch import history_of

RULE = Rule(
    [
        Ability("t/triage", "target", 0.05),
        Ability("r/add", "retention", 0.05),
        Ability("r/copy", "retention", 0.1),
    ],
    {"t/triage": 0.0, "r/add": 0.8, "r/copy": 0.9},
)


def at(step: int, triage: float, add: float, copy: float) -> Probed:
    return Probed(step, {"t/triage": triage, "r/add": add, "r/copy": copy})


def best(*history: Probed, rule: Rule = RULE) -> int:
    found = rule.best(history)
    assert found is not None
    return found.step


def test_the_highest_target_among_steps_that_kept_everything_is_the_best() -> None:
    assert best(at(1, 0.5, 0.8, 0.9), at(2, 0.9, 0.8, 0.85), at(3, 1.0, 0.7, 0.9)) == 2


def test_of_equals_the_earlier_is_the_best() -> None:
    assert best(at(1, 0.9, 0.8, 0.9), at(2, 0.9, 0.8, 0.9)) == 1


def test_a_fall_of_exactly_the_margin_is_kept() -> None:
    edge = at(2, 0.9, 0.8 - 0.05, 0.9 - 0.1)
    assert RULE.beyond(edge) == [] and RULE.violation(edge) == 0.0
    assert best(at(1, 0.5, 0.8, 0.9), edge) == 2


def test_where_nothing_is_kept_the_least_violation_is_the_best() -> None:
    """The worst ability counts, beyond its own margin."""
    history = [at(1, 1.0, 0.5, 0.9), at(2, 0.2, 0.8, 0.7), at(3, 0.9, 0.65, 0.9)]
    assert [round(RULE.violation(one), 9) for one in history] == [0.25, 0.1, 0.1]
    assert best(*history) == 2
    assert [one.name for one in RULE.beyond(history[1])] == ["r/copy"]
    assert RULE.why(history).startswith("no step kept every ability")


def test_a_gain_is_no_violation() -> None:
    assert best(at(1, 0.5, 1.0, 1.0)) == 1 and RULE.violation(at(1, 0.5, 1.0, 1.0)) == 0.0


def test_without_a_target_the_latest_that_kept_everything_is_the_best() -> None:
    rule = Rule(RULE.abilities[1:], RULE.base)
    assert best(at(1, 0, 0.8, 0.9), at(2, 0, 0.8, 0.9), at(3, 0, 0.5, 0.9), rule=rule) == 2
    assert RULE.best([]) is None


def test_probes_since_the_best_are_counted() -> None:
    history = [at(1, 0.9, 0.8, 0.9), at(2, 0.8, 0.8, 0.9), at(3, 0.9, 0.8, 0.9)]
    assert RULE.since_best(history) == 2
    assert RULE.since_best([*history, at(4, 0.95, 0.8, 0.9)]) == 0
    assert RULE.since_best([]) == 0


def test_history_is_what_counts_at_a_checkpoint() -> None:
    """The latest attempt of each step, of this probe, no later than the checkpoint."""
    events = [
        {"kind": "probe", "step": 0, "digest": "a", "scores": {"t": 0.0}},
        {"kind": "probe", "step": 2, "digest": "a", "scores": {"t": 0.1}},
        {"kind": "metrics", "step": 2, "loss": 1.0},
        {"kind": "probe", "step": 4, "digest": "a", "scores": {"t": 0.2}},
        {"kind": "probe", "step": 2, "digest": "b", "scores": {"t": 0.9}},
        {"kind": "probe", "step": 2, "digest": "a", "scores": {"t": 0.3}},
    ]
    assert history_of(events, "a", until=3) == [Probed(2, {"t": 0.3})]
    assert [one.step for one in history_of(events, "a", until=4)] == [2, 4]


def test_items_are_spread_over_the_task() -> None:
    assert spread(range(500), 4) == [0, 125, 250, 375]
    assert spread([1, 2], 5) == [1, 2]


def test_a_protected_checkpoint_is_kept_beside_the_newest(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints", keep=1)
    for step in range(1, 5):
        with store.writing(step) as directory:
            (directory / "weights").write_text(str(step))
        store.protected = 2 if step >= 2 else None
    assert sorted(path.name for path in store.directory.iterdir()) == ["step-2", "step-4"]
    newest = store.newest()
    assert newest is not None and newest.step == 4


def test_nothing_is_chosen_of_nothing() -> None:
    assert RULE.why([]) == "nothing was probed"
