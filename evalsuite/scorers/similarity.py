"""How near the output's meaning is to the gold answer's, by an embedding model."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from evalsuite.scorers.placed import Placed
from evalsuite.scorers.score import Score, best_of
from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.embedding import Embedder, Floats
    from evalsuite.embedding.folder import EmbedderFolder
    from evalsuite.tasks.item import Item

_DECIMALS = 6
"""Vectors are in single precision: the same text twice has a cosine of 0.9999999."""


class SimilarityScorer(Placed):
    """The cosine of the vectors of output and gold, from 0 to 1; opposite directions count as 0.

    Near vectors mean a like topic, not a like truth: "it is safe" and "it is not safe" are near.
    """

    several: ClassVar[bool] = True
    kind: Literal["similarity"] = "similarity"
    """Cosine of output and gold under an embedding model; of several golds the nearest."""
    embedder: str
    """A folder with a model2vec or sentence-transformers model, relative to the suite (as a reward
    to the recipe)."""

    @cached_property
    def _folder(self) -> EmbedderFolder:
        from evalsuite.embedding import find_embedder

        if not (self._base_dir / Path(self.embedder).expanduser()).is_dir():
            raise ModelError(
                "there is no such folder with an embedder",
                where=f"scorer similarity: {self.embedder}",
                cause=f"Looked for in {self._base_dir}.",
                cure="Give the folder that SentenceTransformer.save or StaticModel.save_pretrained "
                "(model2vec) made.",
            )
        return find_embedder(self.embedder, self._base_dir)

    @property
    def digest(self) -> str:
        """SHA-256 of the embedder's weights, configuration and tokenizer."""
        return self._folder.digest

    @cached_property
    def _embedder(self) -> Embedder:
        from evalsuite.embedding import open_embedder

        return open_embedder(self.embedder, self._base_dir)

    def demand(self) -> str:
        """Return which embedder it is.

        Raises:
            ModelError: there is none in the folder, or its library is not installed.
        """
        folder = self._folder
        if not folder.is_installed:
            raise folder.missing()
        return f"answers are compared by the embedder {folder.name} (digest {folder.digest[:12]})"

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return None if gold.strip() else "an empty gold answer"

    def score(self, output: str, item: Item) -> Score:
        """Compare the vector of `output` with that of every right answer.

        Raises:
            ModelError: the embedder cannot be loaded.
        """
        if not output.strip():
            return Score(0.0, "an empty answer")
        found = self._embedder.encode([output])[0]
        return best_of(item, lambda gold: _cosine(found, self._vector(gold)))

    def _vector(self, gold: str) -> Floats:
        """Return the vector of a gold answer, which every model's answer is compared with."""
        if gold not in self._known:
            self._known[gold] = self._embedder.encode([gold])[0]
        return self._known[gold]

    @cached_property
    def _known(self) -> dict[str, Floats]:
        return {}


def _cosine(one: Floats, other: Floats) -> Score:
    cosine = float(one @ other)
    value = round(min(1.0, max(0.0, cosine)), _DECIMALS)
    return Score(value, "" if value == 1.0 else f"cosine {cosine:.3f}")
