"""What an exporter is: one class in a file of its own and a line in the registry. No torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from train.export.shipment import Shipment

if TYPE_CHECKING:
    from evalsuite.engine.forward import Engine
    from evalsuite.models.load import Placement

Precision = Literal["bfloat16", "float16", "float32"]
Target = Literal["adapter", "merged", "gguf", "ollama", "hub"]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What was asked for, beside the run."""

    out: str
    """A directory that does not exist yet; for the hub `owner/name`."""
    precision: Precision = "bfloat16"
    """Of merged weights."""
    llama_cpp: Path | None = None
    """A llama.cpp checkout or install; None: looked for on PATH."""
    quantize: str | None = None
    """A GGUF type such as `q8_0` or `Q4_K_M`; None: the precision."""
    push: Literal["adapter", "merged"] | None = None
    """What goes to the hub; None: an adapter where there is one."""
    public: bool = False
    """Whether everybody may read it on the hub."""
    device: str = "cpu"
    """Where models are loaded."""
    note: Note = field(default=lambda text: None)
    """Is told what happens."""


@dataclass(frozen=True)
class Artefact:
    """What an exporter wrote, and how to read it for parity."""

    precision: str
    """In which it is read: `float32`, `bfloat16` or `float16`."""
    load: Callable[[Placement, int], AbstractContextManager[Engine]] | None
    """Opens it with a placement and a padding id; None if it cannot be loaded here."""
    tokenizer: Path | None
    """Directory whose tokenizer other libraries will read; None if it has none of its own."""
    weights: Path
    """Directory or file with the weights."""
    use: str
    """How to use it: Markdown for the card."""
    quantized_as: str = ""
    """What its weights were quantised to; empty if not."""
    why_not_loaded: str = ""
    notes: tuple[str, ...] = ()


class Exporter(Protocol):
    """Writes a run in one form."""

    name: ClassVar[Target]
    about: ClassVar[str]
    """One line for help and docs."""

    def check(self, shipment: Shipment, options: Options) -> None:
        """Refuse, before weights are loaded, whatever can be known to fail.

        Raises:
            UsageError: this run has no such form.
            WorkError: a tool or space is missing.
        """

    def write(self, shipment: Shipment, options: Options, directory: Path) -> Artefact:
        """Write into `directory`, which becomes the export when everything held."""

    def deliver(self, shipment: Shipment, options: Options, directory: Path) -> str:
        """Do what remains once the directory is whole; return where the export is."""
