"""A file of rows of any known format, made Parquet once, with the marks of its rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tui.browse.keeping import kept_name, make_room, own_directory
from workspace.files import atomic_path, write_json

if TYPE_CHECKING:
    from tui.browse.opening import Tell


def converted(path: Path, cache: Path, tell: Tell) -> tuple[Path, int]:
    """Return the rows of `path` as Parquet, and how many of its records were not usable.

    Raises:
        DataError: nothing in it can be used.
    """
    stem = kept_name(path)
    whole, facts = cache / f"{stem}.parquet", cache / f"{stem}.json"
    try:
        if whole.is_file():
            return whole, int(json.loads(facts.read_bytes())["unusable"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # made anew below
    from curate.opening import opened
    from curate.pipeline import Reporter

    report = Reporter(
        lambda stage: tell(stage, 0, 0),
        lambda rows, what: tell("reading", rows, 0),
        advance=lambda done, total, what: tell(what or "reading", done, total),
    )
    with opened(str(path), report=report) as rows:
        own_directory(cache)
        with atomic_path(whole, private=True) as temporary:
            rows.frame.drop("_row", strict=False).sink_parquet(temporary, compression="lz4")
        write_json(facts, {"schema_version": 1, "unusable": rows.unusable})
    make_room(cache, spare=stem)
    return whole, rows.unusable
