"""One run of the loop that makes rows, with the models it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.synth.cells import Cell
from curate.synth.generators.base import Bench, Generator
from curate.synth.made import Making, Standing
from curate.synth.making import Maker
from curate.synth.material import Material
from curate.synth.novelty import Novelty
from curate.synth.recipe import AugmentSection
from curate.synth.templates import Prompts
from curate.synth.verify import Verifier
from evalsuite.asking.backends.base import Backend
from evalsuite.asking.backends.opening import open_backend
from evalsuite.asking.desk import Counts, Desk
from evalsuite.asking.log import RequestLog
from evalsuite.asking.purse import Purse


@dataclass(frozen=True)
class Reporter:
    """How an augmentation says what it is doing; every call may be ignored."""

    tell: Callable[[str], None] = lambda text: None
    """A stage begins."""
    standing: Callable[[Standing], None] = lambda standing: None
    """How far it is; after every answer."""
    stop_requested: Callable[[], bool] = lambda: False
    """Whether a signal asked for a stop."""


class Work:
    """One run of the loop with the models it asks; lives in one event loop."""

    def __init__(
        self,
        section: AugmentSection,
        material: Material,
        cells: Sequence[Cell],
        generators: Sequence[Generator],
        prompts: Prompts,
        base_dir: Path,
        log: RequestLog,
        report: Reporter,
    ) -> None:
        self.section = section
        self.material = material
        self.cells = cells
        self.generators = generators
        self.prompts = prompts
        self.base_dir = base_dir
        self.log = log
        self.report = report
        self.purse = Purse(section.budget, spent=log.spent, unsure=log.unsure)
        self.counts = Counts()

    async def run(self) -> Making:
        """Open the models, make rows, close the models."""
        section = self.section
        stopping = asyncio.Event()
        maker: Maker | None = None
        opened: list[Backend] = []

        def told() -> None:
            if maker is not None:
                maker.tell()

        def desk(config: Any) -> Desk | None:
            if config is None:
                return None
            opened.append(open_backend(config, self.base_dir))
            return Desk(
                opened[-1], self.log, self.purse, counts=self.counts, stopping=stopping, told=told
            )

        try:
            writer = desk(section.backend)
            check = section.verify.judge
            judge = desk(check.backend) if check and check.backend else writer
            self.report.tell("comparing with what is known")
            novelty = Novelty(
                self.material.seeds,
                {generator.new_in for generator in self.generators},
                self.material.held,
                threshold=section.novelty.threshold,
                leak_threshold=section.novelty.leak_threshold,
            )
            self.report.tell("making rows")
            maker = Maker(
                self.cells,
                Bench(self.prompts, section.repairs, writer, judge),
                Verifier(
                    section.verify, self.prompts, writer, judge, section.repairs, section.seed
                ),
                novelty,
                self.purse,
                counts=self.counts,
                stopping=stopping,
                batch=section.batch_rows,
                at_once=max((one.concurrency for one in opened), default=section.batch_rows),
                give_up=section.give_up,
                stop_requested=self.report.stop_requested,
                told=self.report.standing,
            )
            return await maker.run()
        finally:
            for backend in opened:
                await backend.close()


def in_event_loop(run: Callable[[], Any]) -> Any:
    """Run a coroutine to its end, also where a loop runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(run())).result()
