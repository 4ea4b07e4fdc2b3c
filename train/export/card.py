"""`README.md`: the model card, every line of it from a record. No torch.

Text from data, models and people stands only in code spans and fences, where it is inert: no link,
no picture, no HTML. The front matter's values are JSON, which YAML reads as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from evalsuite.report.code_span import code
from evalsuite.report.markdown import MARKS
from evalsuite.sentences import change, score
from evalsuite.verdict import AbilityResult
from train.export.base import Artefact
from train.export.facts import Cost, DataUse, contamination, cost_of, data_of, read_optional
from train.export.parity import Gap, Parity
from train.export.shipment import Shipment
from train.export.standing import Judged, Standing, measured_suites
from workspace.secrets import redact
from workspace.text import plain

_TEMPLATES = Path(__file__).parent / "templates"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)


def model_card(
    shipment: Shipment,
    standing: Standing,
    artefact: Artefact,
    parity: Parity,
    *,
    kind: str,
    regated: str = "",
    gate_notes: tuple[str, ...] = (),
) -> str:
    """Return the card.

    Args:
        shipment: the run.
        standing: what the gate said, with the override.
        artefact: what was written.
        parity: what was measured on it.
        kind: `adapter`, `merged`, `gguf`, `ollama`: what the export is.
        regated: the verdict on the artefact itself, where precision changed.
        gate_notes: what a reader should know of the gate besides.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown: `code` and `fenced` make text inert
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    environment.filters["fenced"] = fenced
    data = data_of(shipment)
    text = environment.get_template("card.md.jinja").render(
        front=_front_matter(shipment, kind),
        title=code(shipment.subject.name),
        standing=standing,
        regated=regated,
        gate_notes=gate_notes,
        identity=_identity(shipment, artefact, kind),
        use=artefact.use,
        tables=[_table(one) for one in standing.judged],
        data=[_data(one) for one in data],
        contamination=contamination(data, list(measured_suites(standing))),
        parity=parity,
        parity_said=_parity_said(parity),
        parity_rows=list(_parity_rows(parity)),
        proof=_proof(shipment),
        cost=_cost(cost_of(shipment)),
        recipe=_recipe(shipment),
        version=version("welltempered"),
    )
    return redact(text)


def fenced(text: str, language: str = "") -> str:
    """Return `text` in a fence that nothing inside can end.

    >>> fenced("a```b").splitlines()[0]
    '````'
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{plain(text).rstrip()}\n{fence}"


def _front_matter(shipment: Shipment, kind: str) -> dict[str, Any]:
    adapter = shipment.subject.kind == "adapter"
    front: dict[str, Any] = {
        "library_name": "peft" if kind == "adapter" else "transformers",
        "pipeline_tag": "text-classification" if shipment.is_reward else "text-generation",
        "tags": sorted({"welltempered", str(shipment.record.get("method", "")), kind} - {""}),
    }
    name, revision, _ = _root(shipment)
    is_named = bool(revision) and _HUB_NAME.fullmatch(name)
    if is_named and not (kind == "adapter" and shipment.begins):  # that fits what it began with
        front["base_model"] = name
        front["base_model_relation"] = "adapter" if adapter and kind == "adapter" else "finetune"
    return front


def _identity(shipment: Shipment, artefact: Artefact, kind: str) -> list[tuple[str, str]]:
    name, revision, digest = _root(shipment)
    name = name if revision else Path(name).name
    held = shipment.subject.quantization
    return [
        ("run", shipment.run.name),
        ("what this is", f"{kind}, {artefact.quantized_as or artefact.precision}"),
        ("base", f"{name}{f' at {revision}' if revision else ''}"),
        ("base, SHA-256", digest),
        *_beginning(shipment),
        ("run's weights, SHA-256", shipment.subject.digest),
        ("method", str(shipment.record.get("method", "not recorded"))),
        ("trained", f"{shipment.record.get('adapter')}{f' on a base in {held}' if held else ''}"),
        ("chat template, SHA-256", shipment.tokenizer.template_digest),
        ("generation stops at", " ".join(shipment.tokenizer.stop_texts) or "not named"),
    ]


def _root(shipment: Shipment) -> tuple[str, str | None, str]:
    """Return name, revision and SHA-256 of the base that the first run of the chain began with."""
    base: Mapping[str, Any] = shipment.begins.get("root") or shipment.base.as_record()
    return str(base["name"]), base.get("revision"), str(base["digest"])


def _beginning(shipment: Shipment) -> list[tuple[str, str]]:
    if not shipment.begins:
        return []
    runs = [str(link["run"]) for link in shipment.begins.get("chain") or ()]
    return [
        ("goes on from", " → ".join(runs)),
        ("what it began with, SHA-256", shipment.base.digest),
    ]


def _table(judged: Judged) -> Mapping[str, Any]:
    return {
        "heading": ", ".join(sorted(judged.suites)),
        "when": judged.results.created[:10],
        "verdict": MARKS[judged.comparison.verdict.status],
        "dtype": judged.model.dtype,
        "rows": [_ability(one) for one in judged.comparison.verdict.abilities],
    }


def _ability(one: AbilityResult) -> list[str]:
    b = one.bounded
    purpose = "gain" if one.purpose == "target" else "keep"
    if one.difference is None:
        return [code(one.name, 60), purpose, "–", "–", "–", "–", "–", MARKS[one.verdict]]
    return [
        code(one.name, 60),
        purpose,
        f"{one.n:,}",
        score(one.base, bounded=b),
        score(one.tuned, bounded=b),
        change(one.difference, bounded=b),
        f"{change(one.low, bounded=b)} … {change(one.high, bounded=b)}",
        MARKS[one.verdict],
    ]


def _data(use: DataUse) -> dict[str, Any]:
    steps = []
    for step in use.ledger.get("steps") or ():
        dropped = {
            reason: int(count.get("rows") or 0)
            for reason, count in (step.get("dropped") or {}).items()
        }
        shown = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        steps.append((str(step.get("step", "")), shown or "none"))
    often = f"each seen {use.rows_seen / use.rows:.2g} times" if use.rows else ""
    return {
        **vars(use),
        "epochs": f"{use.rows:,} rows, {often}" if often else "by a run that is gone",
        "steps": steps,
        "sources": [
            {"name": Path(str(one.get("name", ""))).name, **{
                key: one.get(key) for key in ("sha256", "rows")
            }}
            for one in use.ledger.get("sources") or ()
        ],
        "lost": ", ".join(f"{count:,} {reason}" for reason, count in use.lost.items()),
    }  # fmt: skip


def _parity_said(parity: Parity) -> str:
    if parity.status == "not measured":
        return f"**Not measured.** {code(parity.reason, 400)}"
    ids = (
        f"All prompts get the same token ids from {parity.ids_checked_with}. "
        if parity.ids_checked_with
        else ""
    )
    if parity.artefact is None:
        return f"{parity.prompts} prompts ({code(parity.source)}). {ids}"
    return (
        f"What is exported was read beside {code(parity.reference)} on {parity.prompts} prompts "
        f"({code(parity.source)}), over the run's own greedy answers. {ids}"
        f"Noise floor: {code(parity.floor_of)}."
    )


def _parity_rows(parity: Parity) -> list[list[str]]:
    named: tuple[tuple[str, Gap | None], ...] = (
        (f"exported ({parity.precision})", parity.artefact),
        ("noise floor", parity.floor),
        ("the base, untuned", parity.effect),
    )
    return [
        [name, f"{gap.kl_mean:.2g}", f"{gap.kl_largest:.2g}", f"{gap.agreement * 100:.2f} %"]
        for name, gap in named
        if gap is not None
    ]


def _proof(shipment: Shipment) -> str:
    proof = read_optional(shipment.run / "proof.json")
    if not proof:
        return "There is no proof.json in the run."
    turns, rows = proof.get("turns"), proof.get("rows_decoded")
    if not isinstance(turns, int) or not isinstance(rows, int):
        return f"passed: {proof.get('passed')}"
    verdict = "passed" if proof.get("passed") else "FAILED"
    return (
        f"Mask proof {verdict}: {turns:,} turns in {rows:,} rows were decoded and compared with "
        f"what the rows say; each ends in {proof.get('end_token')}."
    )


def _cost(cost: Cost) -> str:
    return (
        f"{cost.hours:.2f} hours in {cost.attempts} attempt{'s' * (cost.attempts != 1)}, "
        f"{cost.steps:,} steps; {cost.tokens_seen:,} tokens were read, {cost.tokens_trained:,} of "
        f"them learnt. Device: {code(cost.where, 200)}."
    )


def _recipe(shipment: Shipment) -> str:
    """Return the recipe as it was resolved, without this machine's directories."""
    try:
        text = (shipment.run / "recipe.yaml").read_text(encoding="utf-8")
    except OSError:
        text = json.dumps(shipment.record.get("settings") or {}, indent=2)
    base = shipment.base.path
    for path, shown in (
        (base, base.name),
        (shipment.workspace.root, "."),
        (Path.home(), "~"),
    ):
        if len(path.parts) > 1:
            text = text.replace(str(path), shown)
    return text
