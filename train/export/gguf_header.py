"""The beginning of a GGUF file: what it says of its architecture, tokens and template.

Layout: ggml's docs/gguf.md. Little-endian; magic, version, number of tensors, number of key-value
pairs, then the pairs, each a key, a type and a value.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from workspace.errors import WorkError

_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_MOST = 2**31
"""Longer strings, arrays or tables than this are damage, not data."""


@dataclass(frozen=True)
class GgufHeader:
    """What is compared with the run."""

    architecture: str
    tensors: int
    tokens: tuple[str, ...]
    template: str
    eos_id: int | None


def read_header(file: Path) -> GgufHeader:
    """Read the beginning of a GGUF file.

    Raises:
        WorkError: it is none, or ends early.
    """
    try:
        with file.open("rb") as stream:
            if stream.read(4) != b"GGUF":
                raise ValueError("it does not begin with GGUF")
            version, tensors, pairs = _unpack(stream, "IQQ")
            if version not in (2, 3) or pairs > _MOST:
                raise ValueError(f"version {version} is not known")
            found = {}
            for _ in range(pairs):
                key = _string(stream)
                (kind,) = _unpack(stream, "I")
                found[key] = _value(stream, kind)
    except (ValueError, struct.error, OSError, UnicodeDecodeError, MemoryError) as error:
        raise WorkError(
            "the converter did not write a GGUF file", where=file.name, cause=f"{error}."
        ) from error
    eos = found.get("tokenizer.ggml.eos_token_id")
    return GgufHeader(
        architecture=str(found.get("general.architecture") or ""),
        tensors=tensors,
        tokens=tuple(map(str, found.get("tokenizer.ggml.tokens") or ())),
        template=str(found.get("tokenizer.chat_template") or ""),
        eos_id=eos if isinstance(eos, int) else None,
    )


def _unpack(stream: IO[bytes], form: str) -> tuple[Any, ...]:
    form = f"<{form}"
    return struct.unpack(form, stream.read(struct.calcsize(form)))


def _string(stream: IO[bytes]) -> str:
    (length,) = _unpack(stream, "Q")
    if length > _MOST:
        raise ValueError("a string is longer than any could be")
    data = stream.read(length)
    if len(data) < length:
        raise ValueError("it ends early")
    return data.decode()


def _value(stream: IO[bytes], kind: int) -> Any:
    if kind == _STRING:
        return _string(stream)
    if kind == _ARRAY:
        inner, count = _unpack(stream, "IQ")
        if count > _MOST:
            raise ValueError("an array is longer than any could be")
        return [_value(stream, inner) for _ in range(count)]
    if kind not in _SCALARS:
        raise ValueError(f"a value has the unknown type {kind}")
    return _unpack(stream, _SCALARS[kind])[0]
