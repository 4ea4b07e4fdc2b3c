"""Are the known defects of real data sets found? Found against known, one line each.

    python bench/real_defects.py --data DIR [--out FILE]

DIR holds the data sets by name (banking77/train.csv, gsm8k/train.jsonl …); they are not shipped,
and a set that is missing is said to be. Every check goes through the public functions of `curate`.
Exits 1 if what is found is not what is known.

What is known was counted with another normaliser (lower case, word characters alone). Ours keeps
operators and reads "can't" as "cannot"; where the two differ, every pair is accounted for.
"""

from __future__ import annotations

import argparse
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import curate
from curate.api import Rows
from curate.steps.base import Outcome


@dataclass(frozen=True)
class Line:
    """One defect: how often it is known to occur, and how often it was found."""

    what: str
    known: str
    found: int
    good: bool


def exactly(what: str, known: int, found: int) -> Line:
    return Line(what, f"{known:,}", found, found == known)


def at_least(what: str, known: int, of: int, found: int) -> Line:
    return Line(what, f"at least {known:,} of {of:,}", found, found >= known)


def reasons(outcome: Outcome | Rows) -> Counter[str]:
    return Counter(outcome.dropped["reason"].to_list())


def sms_spam(data: Path) -> Iterator[Line]:
    rows = curate.read(
        data / "sms_spam/SMSSpamCollection",
        columns={"label": "label"},
        format="tsv",
        header=("label", "text"),
        quotes=False,
    )
    yield exactly("sms_spam: rows read", 5574, rows.ledger.rows_kept)
    outcome = curate.step(rows.frame, "exact_duplicates")
    yield exactly("sms_spam: exact duplicates", 403, reasons(outcome)["exact_duplicate"])
    yield from normalised("sms_spam", 444, rows.frame.select("text").collect()["text"], outcome)


def normalised(name: str, known: int, texts: pl.Series, outcome: Outcome) -> Iterator[Line]:
    """Compare what is equal to us with what is equal by word characters alone."""
    gone = set(outcome.dropped["_row"].to_list())
    first: dict[str, int] = {}
    again: list[tuple[int, int]] = []
    for row, text in enumerate(texts):
        key = words(text)
        again += [(first[key], row)] if key in first else []
        first.setdefault(key, row)
    yield exactly(f"{name}: equal by word characters", known, len(again))
    kept = [(one, other) for one, other in again if other not in gone]
    operators = sum(symbols(texts[one]) != symbols(texts[other]) for one, other in kept)
    yield exactly(f"{name}: of them kept, for other operators", len(kept), operators)
    more = len(gone - {other for _, other in again})
    yield Line(f"{name}: found beside them (can't = cannot)", "–", more, True)


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower()))


def symbols(text: str) -> str:
    return "".join(
        one for one in text if not one.isalnum() and not one.isspace() and one not in ".,"
    )


def truthfulqa(data: Path) -> Iterator[Line]:
    for name, exact, torn in (("truth", 4096, 27), ("info", 4074, 49)):
        rows = curate.read(data / f"truthfulqa/finetune_{name}.jsonl").frame
        once = curate.step(rows, "exact_duplicates", normalised=False)
        found = reasons(once)["exact_duplicate"]
        yield exactly(f"truthfulqa {name}: exact duplicates", exact, found)
        against = curate.step(once.kept, "contradictions", keep="all")
        prompts = int(against.notes[0].split()[0]) if against.notes else 0
        yield at_least(f"truthfulqa {name}: prompts with both labels", torn, torn, prompts)
    questions = data / "truthfulqa/TruthfulQA.csv"
    leaks = curate.decontaminate(
        curate.read(data / "truthfulqa/finetune_truth.jsonl").frame,
        files=[(str(questions), "Question")],
    )
    yield exactly("truthfulqa truth: questions of the test in it", 816, items_found(leaks))


def raschka(data: Path) -> Iterator[Line]:
    rows = curate.read(data / "raschka_instruct/instruction-data-with-preference.json")
    once = curate.step(rows.frame, "repeated_prompts")
    yield exactly("raschka preferences: repeated prompts", 31, once.dropped.height)
    pairs = reasons(curate.step(rows.frame, "preference_pairs"))
    yield exactly("raschka preferences: chosen = rejected", 6, pairs["chosen_is_rejected"])


def hh_rlhf(data: Path) -> Iterator[Line]:
    rows = curate.read(data / "hh_rlhf/harmless-base.test.jsonl.gz")
    found = reasons(curate.step(rows.frame, "preference_pairs"))
    yield exactly("hh_rlhf: pairs whose prompts differ", 5, found["prompts_differ"])
    empty = reasons(curate.step(rows.frame, "empty_answers"))["empty_answer"]
    yield exactly("hh_rlhf: empty chosen answers", 4, empty)


def gsm8k(data: Path) -> Iterator[Line]:
    files = [data / "gsm8k/train.jsonl", data / "gsm8k/alpaca_format_train.parquet"]
    both = curate.read(*files, type="prompt_completion").frame
    again = curate.step(both, "repeated_prompts", keep="first")
    yield exactly("gsm8k: the copy in another format", 7473, again.dropped.height)


def banking77(data: Path) -> Iterator[Line]:
    rows = curate.read(
        data / "banking77/train.csv",
        columns={"prompt": "text", "completion": "category", "label": "category"},
    ).frame
    test = str(data / "banking77/test.csv")
    leaks = curate.decontaminate(rows, files=[(test, "text")])
    words = leaks.dropped.filter(pl.col("reason") == "leak_exact")
    yield exactly("banking77: train rows equal to one of the test", 41, words.height)
    yield at_least("banking77: test rows with a near-duplicate", 180, 191, items_found(leaks))
    outcome = curate.step(rows, "repeated_prompts", keep="first")
    asked = pl.col("messages").list.first().struct.field("content").alias("text")
    yield from normalised("banking77", 31, rows.select(asked).collect()["text"], outcome)


def tinystories(data: Path) -> Iterator[Line]:
    rows = curate.read(data / "tinystories/tinystories_lower_one_per_row.parquet").frame
    before = rows.select(pl.col("text").str.count_matches("â€").sum()).collect().item()
    yield exactly("tinystories: mojibake", 2696, before)
    mended = curate.repair(rows)
    after = mended.kept.select(pl.col("text").str.count_matches("â€").sum()).collect().item()
    yield exactly("tinystories: mojibake after repair", 0, after)
    changed = mended.changed.filter(pl.col("reason") == "mojibake").height
    yield Line("tinystories: rows repaired", "–", changed, changed > 0)


def maths_rows(data: Path) -> Iterator[Line]:
    """Rows of mathematics that differ in operators or digits alone must stay apart."""
    for name, fields in (("mmlu_stem", ("question", "choices")), ("svamp", ("Body", "Question"))):
        raw = pl.read_ndjson(data / f"qwen_math_eval/{name}_test.jsonl")
        parts = [
            pl.col(field).cast(pl.String) if field != "choices" else _joined() for field in fields
        ]
        texts = raw.select(pl.concat_str(parts, separator="\n").alias("text"))
        once = curate.step(texts, "exact_duplicates")
        letters = texts.select(pl.col("text").str.to_lowercase().str.replace_all(r"[\s\p{P}]+", ""))
        same = (
            int(letters.is_duplicated().sum()) - letters.filter(letters.is_duplicated()).n_unique()
        )
        wrong = sum(
            digits_and_operators(texts["text"][row]) != digits_and_operators(kept)
            for row, kept in _partners(once, texts)
        )
        yield exactly(f"{name}: merged though operators or digits differ", 0, wrong)
        yield Line(f"{name}: equal rows", f"{same:,} or fewer", once.dropped.height, True)


def _joined() -> pl.Expr:
    return pl.col("choices").cast(pl.List(pl.String)).list.join("\n")


def _partners(outcome: Outcome, texts: pl.DataFrame) -> Iterator[tuple[int, str]]:
    ids = outcome.kept.select("id", "text").collect()
    kept = dict(ids.iter_rows())
    for row, other in outcome.dropped.select("_row", "duplicate_of").iter_rows():
        yield row, kept[other]


def digits_and_operators(text: str) -> str:
    return "".join(one for one in text if one.isdigit() or one in "+-*/<>=^√·×÷±≤≥≠%|\\")


def items_found(outcome: Outcome) -> int:
    """How many evaluation items were found: the first number of the step's note."""
    return int(outcome.notes[0].split()[0].replace(",", ""))


CHECKS: dict[str, Callable[[Path], Iterator[Line]]] = {
    "sms_spam": sms_spam,
    "truthfulqa": truthfulqa,
    "raschka_instruct": raschka,
    "hh_rlhf": hh_rlhf,
    "gsm8k": gsm8k,
    "banking77": banking77,
    "tinystories": tinystories,
    "qwen_math_eval": maths_rows,
}


def table(lines: list[Line]) -> str:
    rows = ["| defect | known | found | |", "|---|--:|--:|---|"]
    rows += [
        f"| {line.what} | {line.known} | {line.found:,} | {'✓' if line.good else '✗'} |"
        for line in lines
    ]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines: list[Line] = []
    for name, check in CHECKS.items():
        if (options.data / name).is_dir():
            lines += check(options.data)
        else:
            print(f"{name}: not in {options.data}", file=sys.stderr)
    text = table(lines)
    print(text)
    if options.out:
        head = "# Known defects of real data\n\n    python bench/real_defects.py --data DIR\n\n"
        options.out.write_text(f"{head}{text}\n", encoding="utf-8")
    return 0 if all(line.good for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
