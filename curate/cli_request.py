"""What commands on files of rows share: their options, and what is done with their answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from typer.models import ArgumentInfo

from workspace.context import Progress, emit_json, note

if TYPE_CHECKING:
    from curate.ledger import Ledger
    from curate.recipe import CurateSection

Inputs = Annotated[
    list[str], typer.Argument(metavar="IN…", help="Files or globs; - is standard input.")
]
Out = Annotated[
    str,
    typer.Option(
        "-o", metavar="OUT", help="A directory, a .jsonl, .parquet or .csv file, or - (data only)."
    ),
]
Columns = Annotated[
    str, typer.Option(metavar="A=B,…", help="Your column names, e.g. prompt=text,completion=label.")
]
Format = Annotated[
    str,
    typer.Option(
        "--format", help="jsonl, json, csv, tsv, parquet or arrow; auto tells it from the name."
    ),
]
Header = Annotated[
    str,
    typer.Option(metavar="A,B,…", help="Columns of a table whose first line is a row already."),
]
Quotes = Annotated[
    bool, typer.Option("--quotes/--no-quotes", help="Whether fields of a table may be quoted.")
]
Encoding = Annotated[str, typer.Option(help="Of a table, e.g. cp1252.")]
Type = Annotated[str, typer.Option("--type", help="The dataset type; auto: what most rows are.")]
Quarantine = Annotated[
    str, typer.Option(metavar="SHARE", help="Stop if more of the rows than this cannot be used.")
]
Breaker = Annotated[
    str, typer.Option(metavar="SHARE", help="Stop if a step would drop more of a source.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; show the ledger.")]
AsJson = Annotated[bool, typer.Option("--json", help="The ledger as JSON on stdout.")]

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "columns": (Columns, ""),
    "file_format": (Format, "auto"),
    "header": (Header, ""),
    "quotes": (Quotes, True),
    "encoding": (Encoding, "utf-8"),
    "type": (Type, "auto"),
    "max_quarantine": (Quarantine, "1%"),
    "circuit_breaker": (Breaker, "50%"),
    "force": (Force, False),
    "dry_run": (DryRun, False),
    "as_json": (AsJson, False),
}
TABLE = ("header", "quotes", "encoding")
_ROWS = ("columns", "file_format")
_RESULT = ("max_quarantine", "force", "dry_run", "as_json")


@dataclass(frozen=True)
class Request:
    """What the shared options of a command said; those that it does not have are None."""

    inputs: list[str]
    out: str = ""
    columns: str | None = None
    file_format: str | None = None
    header: str | None = None
    quotes: bool | None = None
    encoding: str | None = None
    type: str | None = None
    max_quarantine: str | None = None
    circuit_breaker: str | None = None
    force: bool = False
    dry_run: bool = False
    as_json: bool = False

    @property
    def limits(self) -> dict[str, str]:
        """Keys of the section that say when to stop, and of which type rows are."""
        given = {name: getattr(self, name) for name in ("type", "max_quarantine")}
        given["circuit_breaker"] = self.circuit_breaker
        return {name: value for name, value in given.items() if value is not None}

    def section(self, **settings: Any) -> CurateSection:
        """Return the `curate` section that the command means.

        Args:
            settings: its keys beside the sources and what the shared options say.
        """
        from curate.one_step import section_for

        table: dict[str, Any] = {}
        if self.header is not None:
            header = tuple(filter(None, self.header.split(",")))
            table = {"header": header, "quotes": self.quotes, "encoding": self.encoding}
        return section_for(
            self.inputs,
            self.columns or "",
            self.file_format or "auto",
            table,
            **{**self.limits, **settings},
        )

    def make(self, *, model: str | None = None, splits: bool = False, **settings: Any) -> None:
        """Make what was asked for and show what became of every row.

        Args:
            model: whose tokenizer counts.
            splits: whether rows are set aside, for which a file alone has no room.
            settings: keys of the section, as `section` takes them.
        """
        self.make_of(self.section(**settings), model=model, splits=splits)

    def make_of(
        self, section: CurateSection, *, model: str | None = None, splits: bool = False
    ) -> None:
        """Do the same with a section that is made already."""
        from curate.cli import Speaker
        from curate.files_out import check_out, write_out
        from curate.one_step import curated_rows
        from curate.private import write_private

        if not self.dry_run:
            check_out(self.out, force=self.force, splits=splits)
        with Progress("curating", rates=True) as progress:
            speaker = Speaker(progress)
            with curated_rows(section, speaker.reporter(), model=model) as curated:
                if not self.dry_run:
                    settings = section.model_dump(mode="json")
                    write_private(curated.private)
                    write_out(curated, self.out, settings, _as_yaml(settings))
            speaker.finish(curated.ledger.rows_read)
        self._show(curated.ledger, curated.notes)

    def _show(self, ledger: Ledger, notes: Iterable[str]) -> None:
        from curate.cli import show_ledger, show_notes
        from curate.files_out import STREAM

        if self.as_json and self.out != STREAM:
            emit_json(ledger.document())
        elif self.out == STREAM and not self.dry_run:
            note(ledger.balance)
        else:
            show_ledger(f"{self.out}: what became of every row", ledger)
            said = [text for time in ledger.times for text in time.notes]
            show_notes([*said, *ledger.split_notes, *notes], ledger)


Command = Callable[..., None]


def on_rows(
    *more: str, without: Collection[str] = (), inputs: Any = Inputs, writes: bool = True
) -> Callable[[Command], Command]:
    """Give a command the shared options, and hand it what they say as its `request`.

    typer reads a function's signature: here it is made of the function's own parameters and of
    the shared ones. Its own arguments come before the files, its own options before the shared.

    Args:
        more: of `header`, `quotes`, `encoding`, `type` and `circuit_breaker`, and of those below.
        without: of `columns` and `file_format`.
        inputs: how the files are asked for.
        writes: whether the command has an output, and with it `max_quarantine`, `force`, `dry_run`
            and `as_json`.
    """
    names = {*_ROWS, *more, *(_RESULT if writes else ())} - {*without}
    shared = {name: option for name, option in _OPTIONS.items() if name in names}
    assert names == {*shared}

    def decorate(function: Command) -> Command:
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
            if name != "request"
        ]
        files = [_parameter("inputs", inputs)] + ([_parameter("out", Out)] if writes else [])
        rest = [_parameter(name, *option) for name, option in shared.items()]
        arguments = [one for one in own if _is_argument(one)]
        named = [one for one in own if not _is_argument(one)]

        @wraps(function)
        def command(**given: Any) -> None:
            asked = {one.name: given.pop(one.name) for one in (*files, *rest)}
            function(Request(**asked), **given)

        whole = [*arguments, *files, *named, *rest]
        command.__signature__ = inspect.Signature(whole)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in whole}
        del command.__wrapped__  # its signature is another one
        return command

    return decorate


def _parameter(name: str, kind: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(one, ArgumentInfo) for one in get_args(parameter.annotation))


def _as_yaml(settings: dict[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    stream = StringIO()
    YAML().dump({"curate": settings}, stream)
    return stream.getvalue()
