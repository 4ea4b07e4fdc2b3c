"""The commands of `temper`: mounts what each package offers; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup
from typer.models import TyperInfo

import curate.cli
import evalsuite.cli
import train.cli
import tui.commands
from tui.cli import has_screen, open_app
from workspace.cli import no_foreign_exit_codes
from workspace.context import Context

if TYPE_CHECKING:
    from pydantic import BaseModel

Theme = Literal["temper-dark", "temper-light", "ansi-dark", "ansi-light"]


class Root(TyperGroup):
    """The root command."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; only a gate may end in exit code 1."""
        with no_foreign_exit_codes():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Root,
    name="temper",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From raw rows to a fine-tuned model you can trust.",
)


def _compose() -> Mapping[str, type[BaseModel]]:
    from tui.schema import compose

    return compose()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"welltempered {version('welltempered')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="The app without characters beyond ASCII.")
    ] = False,
    mouse: Annotated[
        bool | None,
        typer.Option("--mouse/--no-mouse", help="The app's mouse; default: off over SSH."),
    ] = None,
    theme: Annotated[
        Theme | None, typer.Option(help="The app's colours; default: as the terminal allows.")
    ] = None,
    calm: Annotated[
        bool,
        typer.Option("--calm", help="The app for a slow line: sixteen colours, a look in 2 s."),
    ] = False,
) -> None:
    """Open the app, or run one of the commands below."""
    context.obj = Context(_compose)
    if context.invoked_subcommand is not None:
        return
    if has_screen():
        raise typer.Exit(open_app(ascii_only=ascii_only, mouse=mouse, theme=theme, calm=calm))
    print(context.get_help())


def only_named(group: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """Return a group with the one command that the words name; as it is if they name none.

    Typer makes a parser of each command before it runs one, which takes a tenth of a second.
    """
    named = words[0] if words else ""
    commands = [one for one in group.registered_commands if one.name == named]
    groups = [one for one in group.registered_groups if named in (one.name, _name_of(one))]
    if not named or not (commands or groups):
        return group
    chosen = copy(group)
    chosen.registered_commands, chosen.registered_groups = commands, [copy(one) for one in groups]
    for inner in chosen.registered_groups:
        if inner.typer_instance is not None:
            inner.typer_instance = only_named(inner.typer_instance, words[1:])
    return chosen


def _name_of(group: TyperInfo) -> object:
    """Return the name that a group was made with."""
    return group.typer_instance.info.name if group.typer_instance is not None else None


tui.commands.register(app)
curate.cli.register(app)
train.cli.register(app)
evalsuite.cli.register(app)
