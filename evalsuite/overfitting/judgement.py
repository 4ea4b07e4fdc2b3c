"""The verdict on a run's own data in plain words, from stated thresholds. Pure.

    learned         fresh rows became likelier, certainly and by enough, or a target was gained
    over-fitted     much of what was gained on the rows of training does not carry over to fresh
                    rows, certainly, and the likelihood tells which is which
    memorised       rows come back word by word that only training can have taught, or planted
                    random strings do
    did not learn   neither fresh rows became likelier nor a target was gained; of training on
                    preferences it is not told, which may make preferred answers less likely too

Several may hold at once. Where there are no fresh rows, nothing but planted strings can be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scipy import stats

from evalsuite.overfitting.evidence import Form
from evalsuite.overfitting.records import (
    Bounds,
    Cause,
    Exposure,
    Gap,
    Membership,
    OverfittingRecord,
    PartLoss,
    Recital,
    Word,
)
from evalsuite.overfitting.rows import HELD_OUT
from evalsuite.overfitting.wording import bounds, nats, percent, percent_bounds, told_word
from evalsuite.sentences import p_value
from evalsuite.verdict import EXIT_CODES, Verdict

LEARNT_SHARE = 0.02
"""Share of the base's loss on fresh rows by which it must have fallen. A loss that fell by less is
a matter of the end token or of white space, and a thousand rows make any fall certain."""
OVERFIT_SHARE = 0.15
"""Share of the gain on the rows of training that is missing on fresh ones. Any training fits its
own rows a little better. Runs of one or two epochs of the built-in model that learnt a rule stay
below 0.09; thirty epochs over forty rows without one lie above 0.35."""
TELLING_AUC = 0.60
"""Lower end of the interval of the membership AUC: below it a gap is in a few rows only."""
RECITED_RATE = 0.01
"""Counterfactual rate of verbatim recital whose interval must lie above it: one row in a hundred.
A corrected rate of nothing has an interval around 0 whose ends few rows make wide."""
RECITING_AUC = 0.5
"""Lower end of the interval of the membership AUC above which recital counts. Short answers are
right more often on one sample of rows than on another by luck; what is recited is likelier too."""
CANARY_P = 0.01
"""Probability, by Fisher's method over the canaries, of ranks as good by luck."""


@dataclass(frozen=True)
class Judged:
    """The words with what they rest on."""

    words: tuple[Word, ...]
    memorised: tuple[Cause, ...]
    """What comes back that only training can have taught."""
    sentence: str
    evidence: tuple[str, ...]
    advice: tuple[str, ...]


def judge_own_data(
    losses: Sequence[PartLoss],
    gap: Gap | None,
    membership: Membership | None,
    recitals: Sequence[Recital],
    exposures: Sequence[Exposure],
    held_out_change: Bounds | None,
    *,
    gained: bool | None,
    form: Form = "sft",
) -> Judged:
    """Say what the figures mean.

    Args:
        losses: of each part.
        gap: None with too few rows on a side.
        membership: likewise.
        recitals: one for each prefix.
        exposures: of planted strings.
        held_out_change: change of the loss per token on all held-out rows; None without any.
        gained: whether a target of the suites was gained; None if none was measured.
        form: where the answers are that were learnt.
    """
    fresh = [one for one in losses if one.part in HELD_OUT]
    words: list[Word] = []
    learnt = _has_learnt(fresh, held_out_change)
    if form != "sft" and not learnt:
        learnt = None
    if learnt or gained:
        words.append("learned")
    elif learnt is False and not gained:
        words.append("did not learn")
    if gap is not None and membership is not None and _has_overfitted(gap, membership):
        words.append("over-fitted")
    memorised = _memorised(recitals, membership, exposures)
    if memorised:
        words.append("memorised")
    sentence = _sentence(words, memorised, fresh, learnt=learnt, gained=gained, form=form)
    evidence = tuple(_evidence(losses, gap, membership, recitals, exposures))
    return Judged(
        tuple(words), memorised, sentence, evidence, tuple(_advice(words, memorised, fresh))
    )


def _has_learnt(fresh: Sequence[PartLoss], change: Bounds | None) -> bool | None:
    """Return whether fresh rows became likelier by enough; None without fresh rows."""
    if not fresh or change is None:
        return None
    base = sum(one.base * one.rows for one in fresh) / sum(one.rows for one in fresh)
    return change.high < 0 and -change.value >= LEARNT_SHARE * base


def _has_overfitted(gap: Gap, membership: Membership) -> bool:
    certain = gap.adjusted.low > 0 and membership.auc.low > TELLING_AUC
    return certain and gap.share is not None and gap.share >= OVERFIT_SHARE


def _memorised(
    recitals: Sequence[Recital], membership: Membership | None, exposures: Sequence[Exposure]
) -> tuple[Cause, ...]:
    found: list[Cause] = ["its own rows"] * _recites(recitals, membership)
    found += ["planted strings"] * _recalls(exposures)
    return tuple(found)


def _recites(recitals: Sequence[Recital], membership: Membership | None) -> bool:
    told = membership is not None and membership.auc.low > RECITING_AUC
    return told and any(one.counterfactual.low > RECITED_RATE for one in recitals)


def _recalls(exposures: Sequence[Exposure]) -> bool:
    planted = [one for one in exposures if one.seen]
    return bool(planted) and canary_p(planted) < CANARY_P


def canary_p(exposures: Sequence[Exposure]) -> float:
    """Return the probability of ranks as good by luck, by Fisher's method."""
    found = stats.combine_pvalues([one.rank / one.references for one in exposures])
    return float(found.pvalue)


_MEANINGS: dict[Word, str] = {
    "over-fitted": "a good part of what it gained holds on its own rows only",
}
_RECALLED: dict[tuple[Cause, ...], str] = {
    ("its own rows",): "it recites what only training can have taught it",
    ("planted strings",): "planted strings come back, which only training can have taught it; no "
    "recital of its own rows is shown",
    ("its own rows", "planted strings"): "it recites rows and planted strings, which only training "
    "can have taught it",
}
_ADVICE: dict[Word, str] = {
    "learned": "Nothing here asks for a change.",
    "over-fitted": "Fewer steps or epochs (train.steps, train.tempering.probe publishes the best "
    "step), more rows, or a lower train.learning_rate.",
    "did not learn": "A higher train.learning_rate, more steps, or rows that show more of the "
    "task; `temper train` with `curve` says what more rows would bring.",
}
_RECALL_ADVICE: dict[Cause, str] = {
    "its own rows": "If these texts must not be recited: drop or redact the rows below, drop "
    "repeated ones (curate: exact_duplicates, near_duplicates), and see each row fewer times.",
    "planted strings": "Whatever training sees as often as the planted strings below may come back "
    "so: see each row fewer times (train.steps), drop repeated rows (curate: exact_duplicates, "
    "near_duplicates), and redact what must stay secret. The planted rows themselves are a gauge; "
    "leave them out of what you ship.",
}


def _sentence(
    words: Sequence[Word],
    memorised: tuple[Cause, ...],
    fresh: Sequence[PartLoss],
    *,
    learnt: bool | None,
    gained: bool | None,
    form: Form,
) -> str:
    likelier = "fresh rows became likelier" if learnt else "fresh rows are no likelier than before"
    target = {True: "a target was gained", False: "no target was gained", None: ""}[gained]
    known = [likelier] * (learnt is not None) + [target] * (gained is not None)
    meanings = {"learned": " and ".join(known), "did not learn": " and ".join(known), **_MEANINGS}
    meanings["memorised"] = _RECALLED.get(memorised, "")
    said = "; ".join(f"{word}: {meanings[word]}" for word in words)
    if not fresh:
        why = "whether it over-fitted is not known: the dataset has no rows that it did not see"
        return f"{said + '; ' if said else ''}{why}."
    if said:
        return f"{said}."
    # DPO and its kin widen a distance, and commonly lower both likelihoods (arXiv 2404.12358).
    if form != "sft":
        return (
            "Whether it learned is not told by likelihood: training on preferences may lower that "
            "of preferred answers too, and no target was gained."
        )
    return "Not told: too few rows on either side."


def _advice(
    words: Sequence[Word], memorised: Sequence[Cause], fresh: Sequence[PartLoss]
) -> Iterator[str]:
    if not fresh:
        yield "Set rows aside with `curate: split: {validation: 5%}` and train again."
    if list(words) == ["learned"]:
        yield _ADVICE["learned"]
    yield from (_ADVICE[word] for word in words if word in _ADVICE and word != "learned")
    yield from (_RECALL_ADVICE[cause] for cause in memorised)


def _evidence(
    losses: Sequence[PartLoss],
    gap: Gap | None,
    membership: Membership | None,
    recitals: Sequence[Recital],
    exposures: Sequence[Exposure],
) -> Iterator[str]:
    own = [one for one in losses if one.part in ("trained", *HELD_OUT)]
    for one in own:
        yield (
            f"loss on {one.rows:,} {one.part} rows: {nats(one.base)} → {nats(one.tuned)} nats per "
            f"token, mean of rows (change {bounds(one.change)})"
        )
    if gap is not None:
        share = "" if gap.share is None else f", {percent(gap.share)} of what was gained on its own"
        yield (
            f"gap between its own rows and fresh ones, beyond the base's: {bounds(gap.adjusted)} "
            f"nats{share}"
        )
    if membership is not None:
        yield (
            "its own rows are told from fresh ones by their likelihood with AUC "
            f"{bounds(membership.auc, 2)} (0.5 is not at all)"
        )
    for recital in recitals:
        after = f"the first {recital.prefix} tokens" if recital.prefix else "the prompt"
        yield (
            f"recited word by word after {after}: {percent(recital.tuned_trained)} of its own "
            f"rows with enough to recite, {percent(recital.tuned_held_out)} of fresh ones (base "
            f"{percent(recital.base_trained)} and {percent(recital.base_held_out)}); taught by "
            f"these rows alone: {percent_bounds(recital.counterfactual)}"
        )
    planted = [one for one in exposures if one.seen]
    if planted:
        highest = max(one.bits for one in planted)
        first = sum(one.rank == 1 for one in planted)
        yield (
            f"{len(planted)} planted strings: {first} likelier than all of "
            f"{planted[0].references - 1:,} that were not planted, exposure up to {highest:.1f} "
            f"bits; by luck with probability {p_value(canary_p(planted))}"
        )


def gated(verdict: Verdict, record: OverfittingRecord | None) -> Verdict:
    """Return the verdict that also refuses a model that over-fitted or memorised."""
    bad = [word for word in (record.words if record else []) if word in _REFUSED]
    if not record or not bad or verdict.status == "invalid":
        return verdict
    said = f"on its own data: {' and '.join(told_word(word, record) for word in bad)}"
    return replace(
        verdict,
        status="fail",
        exit_code=EXIT_CODES["fail"],
        headline=f"Failed: {said}; {verdict.headline[:1].lower()}{verdict.headline[1:]}",
        reasons=(f"own data: {record.sentence}", *verdict.reasons),
    )


_REFUSED: tuple[Word, ...] = ("over-fitted", "memorised")
