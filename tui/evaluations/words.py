"""An evaluation in words: the pages beside the picture, made of what the reports say too.

Imported in a worker when the first evaluation is opened: it reads pydantic models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalsuite.next_steps import next_steps
from evalsuite.overfitting.records import OverfittingRecord
from evalsuite.overfitting.wording import drift_lines, nats
from evalsuite.prompting.telling import over_prompt
from evalsuite.report.document import ComparisonRecord, Results
from evalsuite.report.judgement_words import judge_sentence, win_sentence
from evalsuite.sentences import ability_sentence, change, p_value, score, size, unit
from evalsuite.triage.records import TriageRecord
from evalsuite.verdict import AbilityResult
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import ROLES, Glyphs
from tui.widgets.rows import fit, right

_RECITED_SHOWN = 5
_NEXT, _FACT = "next", "muted"


class Wording:
    """Says everything about one comparison of an evaluation."""

    def __init__(
        self, results: Results, comparison: ComparisonRecord, run: str, glyphs: Glyphs
    ) -> None:
        self._results, self._comparison, self._run = results, comparison, run
        self._glyphs = glyphs

    def verdict(self) -> Iterator[Paragraph]:
        """Yield the headline, what it rests on and what to do next."""
        verdict = self._comparison.verdict
        yield self._marked(verdict.headline, verdict.status, role="strong")
        yield Paragraph("")
        yield from self.steps()
        if verdict.reasons:
            yield Paragraph("")
            yield Paragraph("Because", "strong")
        yield from (Paragraph(one, mark=self._glyphs.dot) for one in verdict.reasons)

    def steps(self) -> Iterator[Paragraph]:
        """Yield what to do next, each with its command."""
        for step in next_steps(self._results, self._comparison, self._run):
            yield Paragraph(step.why, mark="next", mark_role="accent")
            if step.command:
                yield Paragraph(step.command, "accent", self._glyphs.prompt, "accent", indent=5)

    def ability(self, result: AbilityResult) -> Iterator[Paragraph]:
        """Yield the evidence on one ability, what was lost of it and what failed."""
        yield self._marked(f"{result.name}: {ability_sentence(result)}", result.verdict)
        facts = _facts(result)
        if facts:
            yield Paragraph(f" {self._glyphs.dot} ".join(facts), _FACT)
        key = self._comparison.key
        gains = [one for one in self._results.prompt_gains if one.tuned == key]
        if any(one.ability == result.name for one in gains):
            yield Paragraph(f"Over the best prompt: {over_prompt(gains, key, result)} points.")
        for record in self._results.triage_of(key):
            if record.ability == result.name:
                yield from self._triage(record)
        yield from self._failures(result.name)

    def _triage(self, record: TriageRecord) -> Iterator[Paragraph]:
        yield Paragraph(record.sentence, mark=f"loss: {record.kind}", mark_role="warn")
        yield Paragraph(record.advice, mark=_NEXT, mark_role="accent")
        for way in record.ways:
            asked = fit(way.name, 30, self._glyphs.ellipsis)
            scores = f"{right(score(way.base), 8, '')}{right(score(way.tuned), 9, '')}"
            yield Paragraph(
                f"{asked}{right(f'{way.items:,}', 6, '')} items{scores}", _FACT, indent=2
            )

    def _failures(self, ability: str) -> Iterator[Paragraph]:
        groups = [
            one
            for one in self._results.failures
            if one.ability == ability and one.model == self._comparison.key
        ]
        if groups:
            yield Paragraph("What failed, in groups", "strong")
        for group in groups:
            reason = f": {group.reason}" if group.reason else ""
            yield Paragraph(
                f"{len(group.items):,} items{reason}", mark=f"{self._glyphs.dot} {group.name}",
                mark_role="accent",
            )  # fmt: skip
            for row in group.rows:
                yield Paragraph(f"{row.similarity:.2f}  {row.text}", _FACT, indent=4)

    def own_data(self) -> Iterator[Paragraph]:
        """Yield whether it learned or memorised, with the figures and drift."""
        record = self._results.own_data_of(self._comparison.key)
        if record is None:
            yield Paragraph("What it makes of its own training rows was not asked for.", _FACT)
            yield Paragraph("evaluate: {overfitting: {}} in the recipe asks for it.", _FACT)
            return
        if record.words:
            yield Paragraph(", ".join(record.words).capitalize() + ".", "strong")
        for text in (record.sentence, record.detail):
            if text:
                yield Paragraph(f"{text[:1].upper()}{text[1:]}")
        for line in [*record.evidence, *drift_lines(record)]:
            yield Paragraph(line, mark=self._glyphs.dot)
        for line in record.advice:
            yield Paragraph(line, mark=_NEXT, mark_role="accent")
        yield from self._losses(record)
        yield from self._recited(record)

    def _losses(self, record: OverfittingRecord) -> Iterator[Paragraph]:
        if not record.losses:
            return
        yield Paragraph("")
        titles = ("rows", "tokens", "base", "tuned", "change")
        yield Paragraph(
            f"{'loss per token on':<22}{''.join(f'{one:>10}' for one in titles)}", _FACT
        )
        for part in record.losses:
            numbers = (
                f"{part.rows:,}", f"{part.tokens:,}", nats(part.base), nats(part.tuned),
                nats(part.change.value),
            )  # fmt: skip
            yield Paragraph(f"{part.part:<22}{''.join(f'{one:>10}' for one in numbers)}")

    def _recited(self, record: OverfittingRecord) -> Iterator[Paragraph]:
        if record.recited:
            yield Paragraph("")
            yield Paragraph("Rows of training that it writes word by word", "strong")
        for one in record.recited[:_RECITED_SHOWN]:
            seen = f"seen {one.seen}x, {one.base_bits:,.0f} bits to the base"
            yield Paragraph(f"{one.text}", mark=f"{one.row_id[:12]} ({seen})", mark_role=_FACT)

    def checks(self) -> Iterator[Paragraph]:
        """Yield whether the measurement can be trusted, and how to have it again."""
        results, verdict = self._results, self._comparison.verdict
        yield from checks_of(results, self._glyphs)
        for canary in verdict.canaries:
            if canary in results.canaries:
                continue
            yield self._marked(f"{canary.name}. {canary.detail}", canary.status)
        yield from ending(results, self._glyphs)

    def _marked(self, text: str, verdict: str, role: str = "") -> Paragraph:
        mark = self._glyphs.marks.get(verdict, "-")
        return Paragraph(text, role, mark, ROLES.get(verdict, "muted"))


def prompts(results: Results, glyphs: Glyphs) -> Iterator[Paragraph]:
    """Yield what prompts alone reach, and whether to tune."""
    if not (results.prompt_baselines or results.recommendations or results.prompt_gains):
        yield Paragraph("No prompt was tried in place of tuning.", _FACT)
        yield Paragraph("temper eval --prompts", "accent", glyphs.prompt, "accent")
    for advice in results.recommendations:
        mark = {"tune": "pass", "do not tune": "fail"}.get(advice.decision, "inconclusive")
        yield Paragraph(advice.sentence, "", glyphs.marks[mark], ROLES[mark])
    if results.prompt_baselines:
        yield Paragraph("")
        yield Paragraph(
            f"{'the base by prompts alone':<34}{'score':>8}{'95 % interval':>20}", _FACT
        )
    for one in results.prompt_baselines:
        name = fit(f"{one.ability}: {one.name}", 34, glyphs.ellipsis)
        interval = f"{score(one.low)} to {score(one.high)}"
        yield Paragraph(f"{name}{right(score(one.score), 8, '')}{right(interval, 20, '')}")
    for best in results.best_prompts:
        yield Paragraph(
            f"best for {best.ability}: {best.name}, {score(best.score)} on {best.n:,} items that "
            f"did not choose it; {best.prompt_tokens:,.0f} prompt tokens a request",
            mark=glyphs.dot,
        )
    for gain in results.prompt_gains:
        yield Paragraph(
            f"{gain.tuned} over {gain.prompt} in {gain.ability}: {change(gain.difference)} points "
            f"({change(gain.low)} to {change(gain.high)}) on {gain.n:,} items",
            mark=glyphs.dot,
        )


def checks_of(results: Results, glyphs: Glyphs) -> Iterator[Paragraph]:
    """Yield the checks that hold for all comparisons."""
    for canary in results.canaries:
        mark = glyphs.marks.get(canary.status, "-")
        role = ROLES.get(canary.status, "muted")
        yield Paragraph(f"{canary.name}. {canary.detail}", "", mark, role)
    floor = results.noise_floor
    if floor is not None:
        yield Paragraph(
            f"the base against itself: {floor.flips:,} of {floor.items:,} items flipped. "
            f"{floor.detail}",
            mark=glyphs.dot,
        )


def ending(results: Results, glyphs: Glyphs) -> Iterator[Paragraph]:
    """Yield other models' scores, notes, and how to have it again."""
    for rate in results.win_rates:
        yield Paragraph(win_sentence(rate), mark=glyphs.dot)
    for judge in results.judges:
        yield Paragraph(judge_sentence(judge), mark=glyphs.dot)
    for one in results.notes:
        yield Paragraph(one, _FACT, "note", _FACT)
    for command in results.commands:
        yield Paragraph(command, "accent", glyphs.prompt, "accent")
    for model in results.models:
        ran = f"{model.path} ({model.dtype} on {model.device}), {model.digest[:12]}"
        yield Paragraph(ran, _FACT, model.name, _FACT)
    for suite in results.suites:
        told = f"{suite.path}: {suite.items:,} items, {suite.digest[:12]}"
        yield Paragraph(told, _FACT, suite.name, _FACT)


def _facts(result: AbilityResult) -> Sequence[str]:
    """Return what the sentence leaves out."""
    b = result.bounded
    said = f"{unit(b)}"
    limit = (
        f"must gain {size(result.min_gain, bounded=b)}{said}"
        if result.purpose == "target"
        else f"may lose {size(result.margin, bounded=b)}{said}"
    )
    if result.difference is None:
        return [limit, f"{result.n:,} items, {result.min_items:,} are needed"]
    facts = [
        f"{result.n:,} items" + (f" in {result.clusters:,} clusters" if result.clusters else ""),
        limit,
        f"would see {size(result.minimum_detectable_effect, bounded=b)}{said}",
        f"p {p_value(result.p)}",
    ]
    if result.p_holm is not None:
        facts.append(f"p Holm {p_value(result.p_holm)}")
    facts.append(f"{result.negative_flips:,} lost, {result.positive_flips:,} gained")
    if result.retention is not None:
        facts.append(f"{score(result.retention)} of the skill left")
    if result.looks > 1:
        facts.append(f"{result.looks} looks")
    return [*facts, *(["never replayed"] if result.held_back else [])]
