"""Scores by other models in plain words, the same in terminal, HTML and Markdown."""

from __future__ import annotations

from evalsuite.report.judgements import JudgeRecord, WinRateRecord
from evalsuite.sentences import change, p_value, score

_GIVEN = {"judge": "graded by", "pairwise": "compared by", "reward_model": "rewarded by"}


def judge_sentence(record: JudgeRecord) -> str:
    """Say who scored a task, how steadily, and how far people agree."""
    parts = [f"{record.task}: {_GIVEN[record.kind]} {record.judge}"]
    if record.votes > 1:
        spread = (
            f", variance {record.vote_variance:.3g}" if record.vote_variance is not None else ""
        )
        parts.append(f"{record.votes} votes each{spread}")
    if record.ungraded:
        parts.append(f"{record.ungraded:,} without a score ({record.problem})")
    elif record.problem:
        parts.append(record.problem)
    if record.kind != "reward_model":
        parts.append(_calibration(record))
    return "; ".join([*parts, *([record.spent] if record.spent else [])])


def _calibration(record: JudgeRecord) -> str:
    if not record.human_labels:
        return "uncalibrated: nothing that people judged was put to it"
    kappa = "not defined" if record.kappa is None else f"{record.kappa:.2f}"
    return (
        f"agrees with people on {score(record.agreement)} of {record.human_labels:,} labels "
        f"(Cohen's kappa {kappa})"
    )


def win_sentence(record: WinRateRecord) -> str:
    """Say how often a tuned model wins, and what position and length have to do with it."""
    said = (
        f"{record.task}: {record.tuned} wins {score(record.rate)} against the base (95 % interval "
        f"{score(record.low)} to {score(record.high)}; {record.wins:,} won, {record.ties:,} tied, "
        f"{record.losses:,} lost; sign test p {p_value(record.sign_p)})"
    )
    if record.controlled_rate is not None:
        said += (
            f"; {score(record.controlled_rate)} at equal length (its answers are "
            f"{_longer(record.length_difference or 0.0)})"
        )
    if record.consistency is not None and record.first_position_bias is not None:
        said += (
            f"; both orders agree on {score(record.consistency)}, what comes first gets "
            f"{change(record.first_position_bias)} points"
        )
    return said


def _longer(difference: float) -> str:
    characters = round(abs(difference))
    if not characters:
        return "as long"
    return f"{characters:,} characters {'longer' if difference > 0 else 'shorter'} in the mean"
