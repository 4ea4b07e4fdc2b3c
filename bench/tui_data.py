"""The data screen on a million rows: python -P bench/tui_data.py [--rows N] [--dataset DIR].

It makes a dataset of that many rows in the published form (`--dataset` takes one that is there),
then measures, each in a fresh process with the app running headless at 160x48:

- the index, made once for each file, and the most memory that took;
- from the start of the app until rows are on the screen, with the index there;
- what a key costs: the cursor moved and every changed line drawn, median and 95th percentile;
- sorting, filtering and searching all rows, which happen in threads.

Figures of one machine are in `bench/results/tui_data.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_KEYS = 100
_BLOCK = 50_000
_WORDS = [
    *("router", "battery", "printer", "invoice", "refund", "password", "screen", "parcel"),
    *("the", "a", "is", "not", "my", "please", "again", "account", "order", "closed", "can"),
]


def make(directory: Path, rows: int) -> None:
    """Write `rows` rows of two turns with 70 words in the published form."""
    import numpy as np
    import polars as pl
    import pyarrow.parquet as pq

    from curate.schema import dataset_schema

    schema = dataset_schema("messages", tool_turns=False, tools=False)
    draw = np.random.default_rng(0)
    directory.mkdir(parents=True)
    writer = None
    for begin in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - begin)
        asked, said = (
            [" ".join(one) for one in draw.choice(_WORDS, (count, words))] for words in (30, 40)
        )
        roles = ("user", "assistant")
        turns = [
            [{"role": role, "content": text} for role, text in zip(roles, pair, strict=True)]
            for pair in zip(asked, said, strict=True)
        ]
        meta = [
            {"source": f"part-{n % 7}.jsonl", "row": n, "label": "abcd"[n % 4], "tokens": n % 97}
            for n in range(begin, begin + count)
        ]
        empty = dict.fromkeys(("user_id", "topic", "group"))
        frame = pl.DataFrame(
            {
                "messages": turns,
                "id": [f"{n * 2654435761 % 2**32:08x}{n:08x}" for n in range(begin, begin + count)],
                "content_hash": [f"{n:016x}" for n in range(begin, begin + count)],
                "meta": [{**one, **empty, "parents": []} for one in meta],
            },
            schema=schema,
        )
        table = frame.to_arrow()
        writer = writer or pq.ParquetWriter(directory / "train.parquet", table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def measure_index(dataset: Path, root: Path) -> None:
    """Print what the index costs."""
    from tui.browse.table import open_table

    begun = time.perf_counter()
    table = open_table(dataset, "kept", root, lambda *_: None)
    took = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(file.stat().st_size for file in table.index_files) / 1e6
    print(f"| index of {table.count:,} rows, once | {took:.1f} s, {peak:.0f} MB, {size:.0f} MB |")


def measure_screen(dataset: Path, root: Path) -> None:
    """Print how soon rows are there, and what keys and questions cost."""
    begun, cpu = time.perf_counter(), time.process_time()
    asyncio.run(_screen(dataset, root, begun, cpu))


async def _screen(dataset: Path, root: Path, begun: float, cpu: float) -> None:
    from tui.app import TemperApp

    app = TemperApp(root)
    async with app.run_test(size=(160, 48)) as pilot:
        await app.open_dataset(dataset)
        screen = app.screen
        while screen.table is None:
            await asyncio.sleep(0.002)
        await pilot.pause()
        took, used = time.perf_counter() - begun, time.process_time() - cpu
        print(f"| app started, rows on the screen | {took:.2f} s ({used:.2f} s of a core) |")
        _keys("key down", screen.rows, lambda: screen.rows.move(1))
        _keys("page down", screen.rows, lambda: screen.rows.move_page(1))
        _keys("to a random row", screen.rows, lambda: screen.rows.move(123_457))
        _questions(screen.table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| most memory of the app | {peak:.0f} MB |")


def _keys(name: str, rows: object, press: Callable[[], None]) -> None:
    """Measure what a key costs until its lines are drawn; only those that changed are."""
    times, cpu = [], []
    for _ in range(_KEYS):
        before = list(rows._lines)
        begun, used = time.perf_counter(), time.process_time()
        press()
        for y, line in enumerate(rows._lines):
            if line != before[y]:
                rows.render_line(y)
        times.append((time.perf_counter() - begun) * 1000)
        cpu.append((time.process_time() - used) * 1000)
    times.sort()
    told = f"{statistics.median(times):.1f} ms, 95 %: {times[int(_KEYS * 0.95)]:.1f} ms"
    print(f"| {name} (median) | {told}; of a core {statistics.median(cpu):.1f} ms |")


def _questions(table: object) -> None:
    from tui.browse.arranging import Wish, arrange
    from tui.browse.finding import numbers_of, searched_mask

    asked: dict[str, Callable[[], object]] = {
        "sort by tokens": lambda: arrange(table, Wish(sort=("tokens", True)), lambda _: None),
        "sort by text": lambda: arrange(table, Wish(sort=("start", False)), lambda _: None),
        "filter: tokens > 50 AND label = 'a'": lambda: arrange(
            table, Wish(filter="tokens > 50 AND label = 'a'"), lambda _: None
        ),
        "filter by whole text": lambda: arrange(
            table, Wish(filter="text LIKE '%refund refund refund%'"), lambda _: None
        ),
        "search the whole text": lambda: searched_mask(table, "refund zebra", lambda _: None),
        "find an id": lambda: numbers_of(table, "00ab"),
    }
    for name, ask in asked.items():
        begun, cpu = time.perf_counter(), time.process_time()
        ask()
        took, used = time.perf_counter() - begun, time.process_time() - cpu
        print(f"| {name} | {took:.2f} s ({used:.2f} s of a core) |")


def main() -> None:
    """Run all of it, each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--part", choices=("index", "screen"))
    parser.add_argument("--root", type=Path)
    given = parser.parse_args()
    if given.part:
        work = measure_index if given.part == "index" else measure_screen
        work(given.dataset, given.root)
        return
    with tempfile.TemporaryDirectory() as work:
        root = Path(work)
        (root / "datasets").mkdir()
        dataset = given.dataset or root / "datasets" / "rows" / "aaaa1111"
        if given.dataset is None:
            make(dataset, given.rows)
        load = os.getloadavg()[0]
        print(
            f"load at the start: {load:.1f} on {os.cpu_count()} cores\n\n| what | cost |\n|---|---|"
        )
        for part in ("index", "screen", "screen"):
            arguments = ["--part", part, "--dataset", str(dataset.resolve()), "--root", work]
            command = [sys.executable, "-P", __file__, *arguments]
            print(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout, end=""
            )


if __name__ == "__main__":
    main()
