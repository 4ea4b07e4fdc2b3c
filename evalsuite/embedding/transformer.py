"""Embeddings by a sentence-transformers model. Loads torch: import it late."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evalsuite.embedding.embedder import Floats, unit_length
from evalsuite.embedding.folder import damaged

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 64


@dataclass(frozen=True)
class TransformerEmbedder:
    """A sentence-transformers folder, on a GPU if there is one."""

    name: str
    digest: str
    model: SentenceTransformer
    dimensions: int
    semantic: bool = True

    @classmethod
    def load(cls, folder: Path, name: str, digest: str) -> TransformerEmbedder:
        """Load the folder; never runs code from it, never asks the hub.

        Raises:
            ImportError: sentence-transformers is not installed.
            ModelError: the files do not fit together.
        """
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            with warnings.catch_warnings():
                # Folders saved by older versions name modules by paths that are deprecated.
                warnings.simplefilter("ignore")
                model = SentenceTransformer(
                    str(folder),
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            dimensions = int(model.encode(["a"], show_progress_bar=False).shape[1])
        except ImportError:
            raise
        except Exception as error:  # each module raises as it likes
            raise damaged(folder, error) from error
        return cls(name, digest, model, dimensions)

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a text are read, from its beginning; None: all."""
        return self.model.max_seq_length

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return one vector for each text, shape (texts, dimensions); see `Embedder`."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        # A transformer gives a vector to the marks around an empty text, too.
        filled = [place for place, text in enumerate(texts) if text.strip()]
        if filled:
            vectors[filled] = unit_length(
                self.model.encode(
                    [texts[place] for place in filled],
                    batch_size=_BATCH,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
            )
        return vectors
