"""What an evaluation of served models is asked to measure. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalsuite.prompting.arms import Prompting
from evalsuite.recipe import EvalSection
from evalsuite.served.section import ServedSection
from evalsuite.tasks import LoadedSuite
from evalsuite.tasks.wanted import demand_examples, demand_suites


@dataclass(frozen=True)
class ServedRequest:
    """What is to be measured."""

    name: str
    """Names the evaluation's directory."""
    served: ServedSection
    suites: tuple[LoadedSuite, ...]
    settings: EvalSection = field(default_factory=EvalSection)
    command: str = ""
    """What was typed."""
    prompting: Prompting = field(default_factory=Prompting)
    """What counts as trying prompts, for earlier evaluations of the same base."""

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UsageError: no suite, or a name that two suites share; a key that is not set; a
                benchmark of lm_eval; a judge that is one of the models.
            DataError: examples are wanted that a task does not have.
        """
        from evalsuite.benchmarks.names import refuse_benchmarks
        from evalsuite.opinions.checks import check_judges_of_served
        from workspace.secrets import secret_of

        demand_suites(self.suites)
        if self.settings.few_shot:
            demand_examples(self.suites)
        refuse_benchmarks(self.suites, "--served")
        endpoints = (self.served.base, *self.served.tuned.values())
        for endpoint in endpoints:
            if endpoint.api_key:
                secret_of(endpoint.api_key)
        check_judges_of_served(self.suites, [endpoint.model for endpoint in endpoints])

    def model_names(self) -> list[str]:
        """Return the name of each tuned model, in order."""
        return list(self.served.tuned)
