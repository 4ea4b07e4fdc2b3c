"""`--to gguf`: one file for llama.cpp, by llama.cpp's own converter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from train.export.base import Artefact, Options, Target
from train.export.gguf_header import GgufHeader, read_header
from train.export.merged import merge_into
from train.export.shipment import Shipment, refuse_reward
from train.export.space import check_merged_space
from workspace.errors import UsageError, WorkError
from workspace.secrets import redact

if TYPE_CHECKING:
    from evalsuite.engine.forward import Engine
    from evalsuite.models.load import Placement

CONVERTER = "convert_hf_to_gguf.py"
QUANTIZER = "llama-quantize"
BY_CONVERTER = ("f32", "f16", "bf16", "q8_0")
"""Types that the converter itself writes."""
BY_QUANTIZER = ("q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "q3_k_m", "q2_k", "iq4_xs")
"""Types for which llama-quantize is called after it."""
_OF_PRECISION = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}
_READ_AS = {"bf16": "bfloat16", "f16": "float16"}
_TAIL_LINES = 8


class GgufExporter:
    """A GGUF file."""

    name: ClassVar[Target] = "gguf"
    about: ClassVar[str] = "a GGUF file, through llama.cpp's converter"

    def check(self, shipment: Shipment, options: Options) -> None:
        """Refuse a missing converter, an unknown type, a full disk."""
        refuse_reward(shipment, what="be a GGUF file")
        kind = gguf_type(options)
        find_converter(options.llama_cpp)
        if kind in BY_QUANTIZER:
            find_quantizer(options.llama_cpp)
        check_merged_space(shipment, options, copies=3 if kind in BY_QUANTIZER else 2)

    def write(self, shipment: Shipment, options: Options, directory: Path) -> Artefact:
        """Merge, convert, quantise if asked for, and read back what was written."""
        file = directory / f"model-{gguf_type(options)}.gguf"
        convert(shipment, options, file)
        return gguf_artefact(shipment, options, file)

    def deliver(self, shipment: Shipment, options: Options, directory: Path) -> str:
        """Nothing remains to be done."""
        return str(directory)


def gguf_type(options: Options) -> str:
    """Return the GGUF type that is asked for.

    Raises:
        UsageError: it is not one of those known.
    """
    if options.quantize is None:
        return _OF_PRECISION[options.precision]
    kind = options.quantize.lower()
    if kind not in (*BY_CONVERTER, *BY_QUANTIZER):
        from workspace.problems import did_you_mean

        known = (*BY_CONVERTER, *BY_QUANTIZER)
        raise UsageError(
            "this is no GGUF type that is known here",
            where=f"--quantize {options.quantize}",
            cause=f"Known: {', '.join(known)}.",
            cure=did_you_mean(kind, known),
        )
    return kind


def find_converter(given: Path | None) -> Path:
    """Return llama.cpp's converter.

    Raises:
        UsageError: it is not where `--llama-cpp` says.
        WorkError: there is none on PATH.
    """
    if given is None:
        found = shutil.which(CONVERTER)
        if found is None:
            raise WorkError(
                "llama.cpp's converter was not found",
                where=CONVERTER,
                cause="It is not on PATH, and --llama-cpp was not given.",
                cure="git clone https://github.com/ggml-org/llama.cpp, pip install -r "
                "llama.cpp/requirements.txt, then --llama-cpp llama.cpp. Without it: --to merged, "
                "which Ollama and vLLM read too.",
            )
        return Path(found)
    places = [given] if given.is_file() else [given / CONVERTER, given / "bin" / CONVERTER]
    for place in places:
        if place.is_file() and place.name.startswith("convert"):
            return place.resolve()
    raise UsageError(
        "there is no llama.cpp here",
        where=str(given),
        cause=f"It has no {CONVERTER}.",
        cure="Give the directory of a checkout: git clone https://github.com/ggml-org/llama.cpp",
    )


def find_quantizer(given: Path | None) -> Path:
    """Return llama.cpp's quantiser.

    Raises:
        WorkError: it is neither built in the checkout nor on PATH.
    """
    roots = [] if given is None else [given if given.is_dir() else given.parent]
    places = [root / part / QUANTIZER for root in roots for part in ("build/bin", "bin", ".")]
    for place in places:
        if os.access(place, os.X_OK):
            return place.resolve()
    found = shutil.which(QUANTIZER)
    if found is None:
        raise WorkError(
            "llama.cpp's quantiser was not found",
            where=QUANTIZER,
            cause="It is neither in the checkout's build/bin nor on PATH.",
            cure="Build it (cmake -B build && cmake --build build --target llama-quantize), or "
            f"take a type that the converter writes: --quantize {', '.join(BY_CONVERTER)}",
        )
    return Path(found)


def convert(shipment: Shipment, options: Options, file: Path) -> None:
    """Write a run as one GGUF file.

    Raises:
        WorkError: a tool failed; the end of what it said is told.
    """
    kind = gguf_type(options)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".merged-") as name:
        merged = Path(name)
        options.note("merging")
        merge_into(shipment, options.precision, merged)
        first = kind if kind in BY_CONVERTER else _OF_PRECISION[options.precision]
        target = file if kind == first else merged / "unquantised.gguf"
        converter = find_converter(options.llama_cpp)
        options.note(f"converting with {converter.name}")
        command = [str(converter), str(merged), "--outfile", str(target), "--outtype", first]
        run_tool(command if os.access(converter, os.X_OK) else [sys.executable, *command], target)
        if target != file:
            quantizer = find_quantizer(options.llama_cpp)
            options.note(f"quantising to {kind}")
            run_tool([str(quantizer), str(target), str(file), kind.upper()], file)


def run_tool(command: Sequence[str], made: Path) -> None:
    """Run a tool that is to write a file.

    Raises:
        WorkError: it failed, or wrote nothing.
    """
    done = subprocess.run(
        list(command),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode or not made.is_file():
        said = [*done.stdout.splitlines(), *done.stderr.splitlines()][-_TAIL_LINES:]
        ended = f"ended with exit code {done.returncode}" if done.returncode else "wrote no file"
        raise WorkError(
            f"{Path(command[0]).name} {ended}",
            where=str(command[0]),
            cause=redact("\n".join(said)) or "It said nothing.",
            cure="If it does not know the architecture, update the llama.cpp checkout.",
        )


def gguf_artefact(shipment: Shipment, options: Options, file: Path) -> Artefact:
    """Return how a GGUF file is read.

    Raises:
        WorkError: the file is not the run's: other tokens, template or end token, or no weights.
    """
    kind = gguf_type(options)
    header = read_header(file)
    notes = check_header(header, shipment, file)
    why = _why_unreadable(header)

    @contextmanager
    def load(placement: Placement, pad_id: int) -> Iterator[Engine]:
        import torch
        from transformers import AutoModelForCausalLM

        from evalsuite.engine.forward import Engine
        from evalsuite.engine.sides import free_memory

        model = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=getattr(torch, placement.dtype),
            local_files_only=True,
            trust_remote_code=False,
        )
        model.to(placement.device).eval().requires_grad_(False)  # type: ignore[arg-type]
        yield Engine(model, pad_id)
        del model
        free_memory()

    return Artefact(
        precision=_READ_AS.get(kind, "float32"),
        load=None if why else load,
        tokenizer=None,
        weights=file,
        use=f"```\nllama-server -m {file.name} --host 127.0.0.1\n```",
        quantized_as="" if kind in ("f32", "f16", "bf16") else kind,
        why_not_loaded=why,
        notes=notes,
    )


def _why_unreadable(header: GgufHeader) -> str:
    from importlib.util import find_spec

    if find_spec("gguf") is None:
        return "Reading a GGUF file takes the package gguf (pip install gguf)."
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    if header.architecture not in GGUF_SUPPORTED_ARCHITECTURES:
        return f"transformers does not read GGUF files of {header.architecture or 'this model'}."
    return ""


def check_header(header: GgufHeader, shipment: Shipment, file: Path) -> tuple[str, ...]:
    """Compare what the file says of tokens with the run's; return what was compared.

    Raises:
        WorkError: they differ: prompts would be other tokens.
    """
    tokenizer = shipment.tokenizer
    problems = []
    if not header.tensors:
        problems.append("it holds no weights")
    known = len(header.tokens)
    wrong = [
        number
        for number, text in enumerate(header.tokens[: tokenizer.vocab_size])
        if tokenizer.tokenizer.id_to_token(number) not in (text, None)
    ]
    if known < tokenizer.vocab_size:
        problems.append(f"it has {known:,} tokens, the run {tokenizer.vocab_size:,}")
    if wrong:
        problems.append(f"{len(wrong):,} tokens are others, the first is {wrong[0]:,}")
    if tokenizer.template is not None and header.template != tokenizer.template.source:
        problems.append("its chat template is another one" if header.template else "no template")
    if header.eos_id is not None and header.eos_id not in tokenizer.eos_ids:
        problems.append(f"it ends at token {header.eos_id}, the run at {sorted(tokenizer.eos_ids)}")
    if problems:
        raise WorkError(
            "the converted file is not this run's",
            where=file.name,
            cause=f"{'; '.join(problems)}.".capitalize(),
            cure="Update the llama.cpp checkout; older converters lose templates and tokens.",
        )
    return (
        f"The file's {known:,} tokens, chat template and end token were compared with the run's.",
    )
