"""The commands of `temper`: mounts what each package offers; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def leave_only(group: typer.Typer, words: Sequence[str]) -> None:
    """Take out of a group every command but the one that the words name, if they name one.

    Typer makes a parser of each command before it runs one, which takes a tenth of a second.
    """
    if not words:
        return
    commands = [one for one in group.registered_commands if one.name == words[0]]
    groups = [one for one in group.registered_groups if words[0] in (one.name, _name_of(one))]
    if not commands and not groups:
        return
    group.registered_commands, group.registered_groups = commands, groups
    for inner in groups:
        if inner.typer_instance is not None:
            leave_only(inner.typer_instance, words[1:])


def _name_of(group: TyperInfo) -> object:
    """Return the name that a group was made with."""
    return group.typer_instance.info.name if group.typer_instance is not None else None


tui.commands.register(app)
curate.cli.register(app)
train.cli.register(app)
evalsuite.cli.register(app)
