"""`README.md` of a dataset: a Hugging Face dataset card that names the splits there are."""

from __future__ import annotations

from pathlib import Path

from curate.pipeline import Curated
from workspace.files import write_text

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(path: Path, curated: Curated, name: str, digest: str) -> None:
    """Write the card."""
    write_text(path, card(curated, name, digest))


def card(curated: Curated, name: str, digest: str) -> str:
    """Return the card as Markdown with YAML front matter."""
    ledger = curated.ledger
    size = next((tag for limit, tag in _SIZES if ledger.rows_kept < limit), "1M<n<10M")
    lines = [
        "---",
        f'pretty_name: "{name}"',
        "size_categories:",
        f"- {size}",
        "configs:",
        "- config_name: default",
        "  data_files:",
    ]
    for split in ledger.splits:
        lines += [f"  - split: {split}", f"    path: {split}.parquet"]
    lines += [
        "---",
        "",
        f"# {name}",
        "",
        f"A dataset of type `{curated.type}` made by welltempered, digest `{digest[:16]}`.",
        "",
        f"{ledger.rows_read:,} rows were read; {ledger.rows_kept:,} were kept and "
        f"{ledger.rows_dropped:,} dropped, each with its reason in `dropped.parquet`. "
        "`report.html` shows the way of the rows, `recipe.yaml` how to make them again.",
        "",
        "| split | rows | tokens |",
        "|---|---:|---:|",
    ]
    for split, count in ledger.splits.items():
        tokens = f"{count.tokens:,}" if count.tokens is not None else "not counted"
        lines.append(f"| {split} | {count.rows:,} | {tokens} |")
    lines += ["", "| step | in | kept | dropped |", "|---|---:|---:|---|"]
    for step in ledger.steps:
        total = ledger.total(step)
        lines.append(f"| {step} | {total.rows_in.rows:,} | {total.kept.rows:,} | {total.told} |")
    notes = [note for time in ledger.times for note in time.notes] + list(ledger.split_notes)
    if notes:
        lines += ["", *(f"- {note}" for note in notes)]
    lines += [
        "",
        "```python",
        "import datasets",
        "",
        'rows = datasets.load_dataset("path/to/this/directory")',
        "```",
        "",
    ]
    return "\n".join(lines)
