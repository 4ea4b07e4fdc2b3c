"""Checks on a draft beside its form: its answer found again, and a judge asked in both orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

from curate.reasons import Reason
from curate.synth.generators.answers import score_answer
from curate.synth.generators.base import Draft, seed_number
from curate.synth.recipe import AnswerCheck, JudgeCheck, Verify
from curate.synth.structured import Better, Grades
from curate.synth.templates import Prompts
from evalsuite.asking.desk import Desk, RequestFailed, all_that_answer
from evalsuite.asking.forms import BadOutput, FormT, ask_form
from evalsuite.asking.requests import ChatRequest, Receipt, Turn


@dataclass(frozen=True)
class Refusal:
    """Why a draft is not accepted."""

    reason: Reason
    detail: str
    duplicate_of: str | None = None


@dataclass(frozen=True)
class Verifier:
    """All checks that a recipe asks for."""

    checks: Verify
    prompts: Prompts
    desk: Desk | None
    judge: Desk | None
    repairs: int
    seed: int

    async def check(self, draft: Draft) -> tuple[Draft, Refusal | None]:
        """Return the draft with what the checks cost and found, and why it is refused, if it is.

        Raises:
            BudgetGone, Interrupted, WorkError: as `Desk.ask`.
        """
        try:
            if self.checks.answers is not None and not draft.verified:
                draft, refusal = await self._answers(draft, self.checks.answers)
                if refusal is not None:
                    return draft, refusal
            if self.checks.judge is not None:
                return await self._judged(draft, self.checks.judge)
        except RequestFailed as error:
            return draft, Refusal(Reason.NOT_CHECKED, f"the request failed: {error}")
        return draft, None

    async def _answers(self, draft: Draft, check: AnswerCheck) -> tuple[Draft, Refusal | None]:
        """Ask the made question afresh and compare."""
        refusal = check.scorer.refusal(draft.answer)
        if refusal is not None:
            return draft, Refusal(Reason.NOT_CHECKED, f"the answer cannot be scored: {refusal}")
        if check.scorer.kind == "json_schema":
            score, detail = score_answer(
                check.scorer,
                (*draft.history, Turn("user", draft.question)),
                draft.answer,
                draft.answer,
            )
            found = f"json_schema: {score:g}"
            if score < check.least:
                return draft, Refusal(Reason.WRONG_ANSWER, detail)
            return replace(draft, verified=found), None
        assert self.desk is not None  # the recipe was checked
        asked = draft.question
        if draft.passage:  # what stands in a document alone cannot be known without it
            asked = self.prompts.render("answer_from_text", text=draft.passage, question=asked)
        turns = (*draft.history, Turn("user", asked))
        seed = seed_number(self.seed, "answer", draft.question)
        requests = [
            ChatRequest(turns, check.temperature, 1.0, check.max_tokens, seed, sample)
            for sample in range(check.samples)
        ]
        paid: list[Receipt] = []
        answers = await all_that_answer([self.desk.ask(one) for one in requests], paid)
        scored = [
            score_answer(check.scorer, turns, reply.text, draft.answer) for reply, _ in answers
        ]
        mean = sum(value for value, _ in scored) / len(scored)
        draft = _paid(draft, paid)
        told = f"{check.scorer.kind}: {mean:.2f} in {len(scored)} fresh answers"
        if mean < check.least:
            why = next((detail for value, detail in scored if value < 1 and detail), "")
            detail = f"{told} < {check.least:g}: {why}"
            return draft, Refusal(Reason.WRONG_ANSWER, detail)
        return replace(draft, verified=told), None

    async def _judged(self, draft: Draft, check: JudgeCheck) -> tuple[Draft, Refusal | None]:
        """Ask the judge in both orders; what it said is paid for, whatever comes of it."""
        paid: list[Receipt] = []
        try:
            if draft.rejected is not None:
                told, refusal = await self._compared(draft, draft.rejected, check, paid)
            else:
                told, refusal = await self._graded(draft, check, paid)
        except BadOutput as error:
            told, detail = "", f"the judge's reply: {error.problem}"
            refusal = Refusal(Reason.NOT_CHECKED, detail)
        except RequestFailed as error:
            told, refusal = "", Refusal(Reason.NOT_CHECKED, f"the judge's request failed: {error}")
        draft = _paid(draft, paid)
        return (draft if refusal is not None else _verified(draft, told)), refusal

    async def _graded(
        self, draft: Draft, check: JudgeCheck, paid: list[Receipt]
    ) -> tuple[str, Refusal | None]:
        made, source = _entry(draft.question, draft.answer), _source_entry(draft)
        first = await self._ask(Grades, "judge_grade", check, paid, first=made, second=source)
        second = await self._ask(Grades, "judge_grade", check, paid, first=source, second=made)
        grades = (first.first, second.second)
        mean = sum(grades) / 2
        told = f"judge: {grades[0]} when first, {grades[1]} when second"
        if abs(grades[0] - grades[1]) > check.swing:
            return told, Refusal(Reason.JUDGE_UNSURE, told)
        if mean < check.least:
            detail = f"{told}; {mean:g} < {check.least}: {first.reason or second.reason}"
            return told, Refusal(Reason.JUDGED_LOW, detail)
        return told, None

    async def _compared(
        self, draft: Draft, rejected: str, check: JudgeCheck, paid: list[Receipt]
    ) -> tuple[str, Refusal | None]:
        question, chosen = draft.question, draft.answer
        first = await self._ask(
            Better, "judge_compare", check, paid, question=question, first=chosen, second=rejected
        )
        second = await self._ask(
            Better, "judge_compare", check, paid, question=question, first=rejected, second=chosen
        )
        wins = (first.better == 1) + (second.better == 2)
        if wins == 2:
            return "judge: the better answer wins in both orders", None
        if wins == 1 and 0 not in (first.better, second.better):
            detail = "the judge prefers whichever answer stands in one place"
            return "", Refusal(Reason.JUDGE_UNSURE, detail)
        detail = f"the better answer wins in {wins} of 2 orders: {first.reason or second.reason}"
        return "", Refusal(Reason.JUDGED_LOW, detail)

    async def _ask(
        self,
        form: type[FormT],
        prompt: str,
        check: JudgeCheck,
        paid: list[Receipt],
        **fields: str,
    ) -> FormT:
        """Ask the judge; greedily, so that the orders alone make a difference."""
        assert self.judge is not None  # the recipe was checked
        text = self.prompts.render(prompt, rubric=check.rubric, **fields)
        request = ChatRequest((Turn("user", text),), 0.0, 1.0, check.max_tokens, self.seed)
        try:
            found, more = await ask_form(self.judge, self.prompts, request, form, self.repairs)
        except BadOutput as error:
            paid += error.receipts
            raise
        paid += more
        return found


def _paid(draft: Draft, receipts: list[Receipt]) -> Draft:
    return replace(draft, receipts=(*draft.receipts, *receipts))


def _verified(draft: Draft, told: str) -> Draft:
    return replace(draft, verified="; ".join(filter(None, (draft.verified, told))))


def _entry(question: str, answer: str) -> str:
    return f"QUESTION: {question}\nANSWER: {answer}"


def _source_entry(draft: Draft) -> str:
    """What the draft was made from: a row, or the text of a document."""
    if draft.passage:
        return f"TEXT: {draft.passage}"
    source = draft.parents[0]
    return _entry(source.question, source.answer) if source.question else f"TEXT: {source.answer}"
