"""All answers with all scores: by the models that are measured, and by those that judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.engine.request import BASE, EvalRequest, Watch
from evalsuite.served.request import ServedRequest

if TYPE_CHECKING:
    from evalsuite.engine.measured import Measured


def answered(request: EvalRequest | ServedRequest, evals: Path, watch: Watch) -> Measured:
    """Put every question to every model, and every answer that waits for it to its judge.

    Args:
        request: checked.
        evals: the workspace's directory of evaluations, below which answers are kept.
        watch: told after each batch; may raise to stop.

    Raises: as `evalsuite.run.run_evaluation`.
    """
    measured = _measured(request, evals, watch)
    _judge(request, measured, evals, watch)
    return measured


def _measured(request: EvalRequest | ServedRequest, evals: Path, watch: Watch) -> Measured:
    if isinstance(request, ServedRequest):
        from evalsuite.served.measure import measure_served

        return measure_served(request, evals, watch)
    from evalsuite.engine.measure import measure

    return measure(request, evals, watch)


def _judge(
    request: EvalRequest | ServedRequest, measured: Measured, evals: Path, watch: Watch
) -> None:
    """Put the scores that other models give into `measured`.

    Models with a failed check are not judged: it would cost, and no number of theirs is told.
    """
    from evalsuite.engine.measured import CACHE
    from evalsuite.opinions.stage import with_opinions

    alone = isinstance(request, EvalRequest) and request.alone
    sound = {
        name: measured.samples[name]
        for name in ([BASE] if alone else request.model_names())
        if not any(one.status == "fail" for one in measured.checks(name))
    }
    if not sound:
        return
    whole = {BASE: measured.samples[BASE], **sound}
    judged = with_opinions(request.suites, whole, evals / CACHE, watch.doing)
    measured.samples |= judged.samples
    measured.judges, measured.win_rates = judged.judges, judged.win_rates
