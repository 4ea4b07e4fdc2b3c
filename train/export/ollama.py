"""`--to ollama`: a Modelfile with the chat template in Ollama's words, and the weights beside it.

Ollama's templates are Go's, not Jinja's. Where the chat template only writes something around each
turn, the same is said in Go and proved equal on real prompts; where it does more, the export is
refused: a model that is asked otherwise than it was trained answers worse, and nobody sees why.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from train.export.base import Artefact, Options, Target
from train.export.gguf import convert, find_converter, gguf_artefact, gguf_type
from train.export.merged import merge_into, merged_artefact
from train.export.shipment import Shipment, refuse_reward
from train.export.space import check_merged_space
from train.export.turns import ROLES, Wrapped, wrapped_turns
from workspace.errors import ModelError, TemperError
from workspace.files import write_text

_FILE = "model.gguf"
_QUOTES = '"""'


class OllamaExporter:
    """A Modelfile and what it names."""

    name: ClassVar[Target] = "ollama"
    about: ClassVar[str] = "a Modelfile with template and stop strings, and the weights"

    def check(self, shipment: Shipment, options: Options) -> None:
        """Refuse a template that Ollama cannot be told, and a full disk."""
        refuse_reward(shipment, what="be served by Ollama")
        modelfile(shipment, "model")
        if options.llama_cpp is not None or options.quantize is not None:
            gguf_type(options)
            find_converter(options.llama_cpp)
        check_merged_space(shipment, options, copies=2)

    def write(self, shipment: Shipment, options: Options, directory: Path) -> Artefact:
        """Write the weights, as GGUF if llama.cpp is here, and the Modelfile."""
        if _has_converter(options):
            convert(shipment, options, directory / _FILE)
            artefact = gguf_artefact(shipment, options, directory / _FILE)
            weights = f"./{_FILE}"
        else:
            options.note("llama.cpp is not here: Ollama will import the safetensors itself")
            merge_into(shipment, options.precision, directory)
            artefact = merged_artefact(shipment, options.precision, directory)
            weights = "."
        write_text(directory / "Modelfile", modelfile(shipment, weights))
        use = f"```\nollama create {ollama_name(shipment)} -f Modelfile\n```"
        return Artefact(**{**vars(artefact), "use": use})

    def deliver(self, shipment: Shipment, options: Options, directory: Path) -> str:
        """Nothing remains to be done."""
        return str(directory)


def ollama_name(shipment: Shipment) -> str:
    """Return a name for `ollama create`."""
    return shipment.subject.name.lower()


def _has_converter(options: Options) -> bool:
    try:
        find_converter(options.llama_cpp)
    except TemperError:
        return False
    return True


def modelfile(shipment: Shipment, weights: str) -> str:
    """Return the Modelfile.

    Args:
        shipment: the run.
        weights: what FROM names.

    Raises:
        ModelError: the chat template does more than write around turns, or has no end.
    """
    wrapped = wrapped_turns(shipment.tokenizer, ())
    if wrapped is None:
        raise ModelError(
            "this chat template cannot be said in Ollama's words",
            where=str(shipment.tokenizer.path),
            cause="It does more than write something before and after each turn.",
            cure="Export --to gguf: the file carries the template itself, for `llama-server`.",
        )
    stops = shipment.tokenizer.stop_texts
    template = go_template(wrapped)
    for text in (template, *stops):
        if _QUOTES in text:
            raise ModelError(
                "this chat template cannot be written into a Modelfile",
                where=str(shipment.tokenizer.path),
                cause="It holds three quotes in a row, which end a text there.",
                cure="Export --to gguf.",
            )
    lines = [
        f"FROM {weights}",
        f"TEMPLATE {_QUOTES}{template}{_QUOTES}",
        *(f"PARAMETER stop {_QUOTES}{stop}{_QUOTES}" for stop in stops),
        "# Greedy, as it was evaluated; raise it for variety.",
        "PARAMETER temperature 0",
        "",
    ]
    return "\n".join(lines)


def go_template(wrapped: Wrapped) -> str:
    """Return the turns as a template of Go."""
    branches = [
        f'{{{{ {word} eq .Role "{role}" }}}}{_literal(wrapped.before[role])}'
        f"{{{{ .Content }}}}{_literal(wrapped.after[role])}"
        for word, role in zip(
            ("if", *["else if"] * len(ROLES)),
            [role for role in ROLES if role in wrapped.before],
            strict=False,
        )
    ]
    return (
        f"{_literal(wrapped.opening)}{{{{ range .Messages }}}}{''.join(branches)}"
        f"{{{{ end }}}}{{{{ end }}}}{_literal(wrapped.prompt)}"
    )


def _literal(text: str) -> str:
    """Return text that Go's templates write as it is."""
    if "{{" not in text and "}}" not in text:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{{{ "{escaped}" }}}}'
