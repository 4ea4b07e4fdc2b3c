"""What can be told of vectors and topics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from workspace.recipe import Section

Part = Literal["whole", "prompt", "answer"]
EmbedderName = Annotated[str, Field(min_length=1)]


class Topics(Section):
    """Sort the rows into topics: clusters of their vectors, named by their most telling words.

    Nothing is dropped. The topic is kept in `meta.topic`; `balance: {by: topic}`, `mix` and
    `split: {stratify: topic}` can go by it.
    """

    count: Annotated[int, Field(ge=1, le=1000)] = 20
    """How many topics; fewer where there are fewer different rows."""
    embedder: EmbedderName = "lexical"
    """A model2vec or sentence-transformers folder (or hub name), or `lexical`: by words alone."""
    text: Part = "prompt"
    """What is compared."""
    words: Annotated[int, Field(ge=1, le=10)] = 3
    """Words in a topic's name."""
    seed: int = 0
    """Another seed begins with other rows."""


class SemanticDuplicates(Section):
    """Drop rows that mean the same as a better one, by the cosine of their embeddings."""

    embedder: EmbedderName
    """A model2vec or sentence-transformers folder (or hub name: `owner/name@revision`). `lexical`
    compares words weighted by rarity; its drops are called lexical."""
    threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Least cosine. What it means differs from embedder to embedder: the notes tell the cosines of
    random pairs, and warn where the threshold is among them."""
    text: Part = "whole"
    """What is compared. With `prompt` one of two questions that mean the same goes, whatever
    their answers."""
    keep: Literal["longest", "quality", "first"] = "longest"
    """Which of two to keep: the one with the longer answer (then the earlier); with the highest
    number in the column that `columns: {quality: …}` names (then the longer); or the earlier."""
    same_numbers: bool = True
    """Numbers, operators and negations must be the same, in their order, and with `whole` so must
    answers of up to 12 tokens, such as labels: embeddings hardly see what these change."""
