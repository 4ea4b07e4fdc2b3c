"""`README.md` of a dataset: a Hugging Face dataset card that says what is in it and what is not.

Text from data stands in code spans alone, where no renderer makes a link or a picture of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from curate.report.facts import Facts
from curate.report.page import TYPES, tokens_kept
from curate.texts import TYPES as COLUMNS
from evalsuite.report.code_span import code
from workspace.files import write_text
from workspace.text import plain

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)
_LARGEST = "100M<n<1B"
_SHOWN = 20
_TURNS = "list of turns, each with `role` and `content`"
_CONTENT = {
    "messages": f"the conversation, a {_TURNS}; tool calls where a row has any",
    "prompt": f"what is asked, a {_TURNS}",
    "completion": f"the answer, a {_TURNS}",
    "chosen": f"the better answer, a {_TURNS}",
    "rejected": f"the worse answer, a {_TURNS}",
    "label": "whether the answer is good",
    "answer": "the answer as text, to check an output against",
    "text": "the text",
}
_META = {
    "source": "the file that the row was read from, as the recipe names it",
    "row": "its line or record there, from 1; `source:row` is what `temper curate explain` takes",
    "user_id": "the identifier it has there, if the recipe names such a column",
    "label": "its label or topic, if the recipe names such a column",
    "tokens": "tokens of the whole row through the chat template; null if not counted",
    "group": "rows with one value are alike, or of one document, and lie in one split",
    "canary": "name of the planted string that the row is; only where some row is one",
    "parents": "ids of the rows that it was made from; empty for a row that was read",
}


def write_card(path: Path, facts: Facts) -> None:
    """Write the card."""
    write_text(path, card(facts))


def card(facts: Facts) -> str:
    """Return the card as Markdown with YAML front matter."""
    lines = [*_front(facts), "", f"# {_heading(facts.name)}", "", *_summary(facts)]
    for title, part in (
        ("Splits", _splits(facts)),
        ("What became of the rows", _ledger(facts)),
        ("Columns", _columns(facts)),
        ("Evaluation leaks, personal data, copies", _statements(facts)),
        ("Made rows", _made(facts)),
        ("What else to know", _notes(facts)),
        ("Sources", _sources(facts)),
        ("Load it", _loading(facts)),
        ("Make it again", _making(facts)),
    ):
        body = list(part)
        if body:
            lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _front(facts: Facts) -> Iterator[str]:
    rows = facts.ledger.rows_kept
    yield "---"
    yield f"pretty_name: {json.dumps(plain(facts.name, 200))}"
    yield "# license: name the licence under which you share this; its sources may ask for one"
    if facts.languages:
        yield "language:"
        yield from (f"- {json.dumps(language)}" for language in facts.languages)
    yield "size_categories:"
    yield f"- {next((tag for limit, tag in _SIZES if rows < limit), _LARGEST)}"
    yield "task_categories:"
    yield "- text-generation"
    yield "tags:"
    yield "- welltempered"
    yield f"- {facts.type.replace('_', '-')}"
    if facts.made.makers:
        yield "- synthetic"
    yield "configs:"
    yield "- config_name: default"
    yield "  data_files:"
    for split in facts.ledger.splits:
        yield f"  - split: {split}"
        yield f"    path: {split}.parquet"
    yield "---"


def _heading(name: str) -> str:
    """A dataset's name has no other characters, but that of an output directory may."""
    return name if all(letter.isalnum() or letter in "-_." for letter in name) else code(name)


def _summary(facts: Facts) -> Iterator[str]:
    ledger, tokens = facts.ledger, tokens_kept(facts)
    counted = f" ({tokens:,} tokens)" if tokens is not None else ""
    if facts.steps_run:
        share = 100 * facts.read_and_kept / max(ledger.rows_read, 1)
        made = f", {ledger.rows_made:,} were made" if ledger.rows_made else ""
        yield (
            f"{_rows(ledger.rows_kept)}{counted}: {TYPES[facts.type]}. {ledger.rows_read:,} rows "
            f"were read{made}; {ledger.rows_kept:,} were kept ({share:.1f} % of those read) "
            f"and {ledger.rows_dropped:,} dropped, each with its reason in `dropped.parquet`."
        )
    else:
        yield (
            f"{_rows(ledger.rows_kept)}{counted}: {TYPES[facts.type]}, all of them made. "
            f"{ledger.rows_made:,} rows were begun; {ledger.rows_dropped:,} were not accepted, "
            "each with its reason in `dropped.parquet`."
        )
    yield ""
    yield (
        "`report.html` shows the way of the rows, how they changed, and the rows that were nearly "
        f"dropped or nearly kept. Digest of rows and recipe: `{facts.digest}`."
    )


def _splits(facts: Facts) -> Iterator[str]:
    yield from _table(
        ("split", "rows", "share", "tokens"),
        (
            (
                part.name,
                f"{part.rows:,}",
                f"{part.share:.1f} %",
                f"{part.tokens:,}" if part.tokens is not None else "not counted",
            )
            for part in facts.splits.parts
        ),
        numeric=(1, 2, 3),
    )
    if len(facts.splits.parts) > 1:
        yield ""
        yield "Rows that are alike, or of one document or conversation, are in one split."
        yield ""
        yield from (f"- {_sentence(note)}" for note in facts.ledger.split_notes)


def _ledger(facts: Facts) -> Iterator[str]:
    totals = [facts.ledger.total(step) for step in facts.ledger.steps]
    yield from _table(
        ("step", "in", "kept", "dropped, changed, made"),
        (
            (total.step, f"{total.rows_in.rows:,}", f"{total.kept.rows:,}", total.told)
            for total in totals
        ),
        numeric=(1, 2),
    )
    yield ""
    yield f"{facts.ledger.balance}."
    yield ""
    reasons = {block.reason: block.description for block in facts.reasons}
    yield from (f"- `{reason}`: {description}" for reason, description in reasons.items())


def _columns(facts: Facts) -> Iterator[str]:
    rows = [(f"`{name}`", _CONTENT[name]) for name in COLUMNS[facts.type].all]
    rows += [
        ("`tools`", "the tools that may be called, as JSON; only where some row lists any"),
        ("`id`", "hash of the row as it was read: the same in every version of the dataset"),
        ("`content_hash`", "hash of what the row holds now"),
    ]
    rows += [(f"`meta.{name}`", meaning) for name, meaning in _META.items()]
    return _table(("column", "what it holds"), rows)


def _statements(facts: Facts) -> Iterator[str]:
    for number, statement in enumerate(facts.statements):
        if number:
            yield ""
        yield f"**{statement.subject}.** " + " ".join(map(_sentence, statement.sentences))


def _sentence(text: str) -> str:
    """Our own words, but for names of files in them: nothing in it may be markup."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~!&" else c for c in plain(text, 2_000))


def _made(facts: Facts) -> Iterator[str]:
    made, kept = facts.made, max(facts.ledger.rows_kept, 1)
    if made.makers:
        accepted = sum(maker.accepted for maker in made.makers)
        yield f"{100 * accepted / kept:.1f} % of the rows were made, by:"
        yield ""
        yield from _table(
            ("generator", "model", "accepted", "begun", "cost"),
            (
                (
                    code(maker.generator),
                    code(maker.model) if maker.model else "rules",
                    f"{maker.accepted:,}",
                    f"{maker.begun:,}",
                    f"{maker.cost:.4f}",
                )
                for maker in made.makers
            ),
            numeric=(2, 3, 4),
        )
        yield ""
        yield "`made.parquet` says of each how it was made, verified and paid for."
        return
    from_parents = int(facts.rows.rows["made"].sum())
    if made.copies:
        yield f"{_rows(made.copies)} were made as copies of others (step `balance`)."
    if from_parents > made.copies:
        other = from_parents - made.copies
        yield (
            f"{_rows(other)} ({100 * other / kept:.1f} %) name parents in `meta.parents`: they "
            "were made before they were read here."
        )
    if not from_parents:
        yield "None that is marked as such: no row names parents, and no step made any."


def _notes(facts: Facts) -> Iterator[str]:
    told = {sentence for one in facts.statements for sentence in one.sentences}
    told |= set(facts.ledger.split_notes)
    notes = [note for note in facts.notes if note.text not in told]
    for note in notes[:_SHOWN]:
        yield f"- {'**Warning.** ' if note.warning else ''}{_sentence(note.text)}"
    if len(notes) > _SHOWN:
        yield f"- {len(notes) - _SHOWN:,} more are in `ledger.json`."


def _sources(facts: Facts) -> Iterator[str]:
    sources = facts.ledger.sources
    if not sources:
        return
    yield from _table(
        ("file", "rows", "formats found", "SHA-256"),
        (
            (
                code(source["name"]),
                f"{source['rows']:,}",
                ", ".join(f"{rows:,} {name}" for name, rows in source["formats"].items()) or "–",
                f"`{source['sha256'][:16]}`" if source["sha256"] else "standard input",
            )
            for source in sources[:_SHOWN]
        ),
        numeric=(1,),
    )
    if len(sources) > _SHOWN:
        yield ""
        yield f"{len(sources) - _SHOWN:,} more files are in `ledger.json`."


def _loading(facts: Facts) -> Iterator[str]:
    split = next(iter(facts.ledger.splits), "train")
    yield from (
        "```python",
        "import datasets",
        "",
        'rows = datasets.load_dataset("path/to/this/directory")',
        "```",
        "",
        "```python",
        "import polars",
        "",
        f'rows = polars.read_parquet("path/to/this/directory/{split}.parquet")',
        "```",
    )


def _making(facts: Facts) -> Iterator[str]:
    command = "temper curate" if facts.steps_run else "temper curate augment"
    yield (
        "`recipe.yaml` has every setting in effect. Copied to where the sources are named from, it "
        "makes the same rows with the same digest:"
    )
    yield from ("", "```sh", f"{command} recipe.yaml", "```")


def _rows(number: int) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'}"


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = ()
) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if place in numeric else '---' for place in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
