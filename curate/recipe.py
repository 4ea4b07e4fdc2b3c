"""The recipe's `curate` section: which rows, which steps in which order, how to split."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from curate.amounts import Amount
from curate.steps.balancing.configs import Mix, Names
from curate.steps.configs import StepConfig
from workspace.recipe import Section
from workspace.shares import Share

_PARTS = r"(?:#(?P<config>[^:]+))?(?::(?P<split>.+))?"
_TEXTS = {
    "hub": re.compile(r"hub:(?P<hub>[^@#:\s]+)(?:@(?P<revision>[^#:\s]+))?" + _PARTS),
    "folder": re.compile(r"folder:(?P<path>[^#:]+)" + _PARTS),
}

DatasetType = Literal[
    "auto",
    "messages",
    "prompt_completion",
    "preference",
    "unpaired_preference",
    "answer",
    "text",
]


class Columns(Section):
    """Names of the source's own columns, where they are not the usual ones."""

    prompt: str | None = None
    completion: str | None = None
    system: str | None = None
    """Column with the system prompt of the row."""
    chosen: str | None = None
    rejected: str | None = None
    messages: str | None = None
    text: str | None = None
    id: str | None = None
    """Column with your own identifier of the row; kept in `meta.user_id`."""
    label: str | None = None
    """Column with a label or topic; kept in `meta.label`."""
    images: str | None = None
    """Column with an image or a list of images."""
    document: str | None = None
    """Column naming the document a row was made from; such rows stay in one split."""
    conversation: str | None = None
    """Column naming the conversation a row was cut from; such rows stay in one split."""
    quality: str | None = None
    """Column with a number, the higher the better, for steps that choose between rows."""

    def chosen_names(self) -> dict[str, str]:
        """Return usual name → the source's name, for those given."""
        return {name: column for name, column in self.model_dump().items() if column is not None}


class Images(Section):
    """What images of rows may be: bytes, `data:` URLs, or paths. URLs are never fetched."""

    read: bool = True
    """`false`: a column of images is left out like any other that nothing takes."""
    folder: str | None = None
    """What paths are relative to, itself relative to the recipe; left out: the folder of the file
    that names them."""
    outside: bool = False
    """Allow paths that leave the folder. A file from elsewhere could then read any image here."""
    max_pixels: Annotated[int, Field(ge=1, le=89_478_485)] = 50_000_000
    """Width times height of an image; a small file may unfold to gigabytes."""
    max_bytes: Annotated[int, Field(ge=1, le=2**30)] = 32 * 2**20
    """Size of an image's file."""


class Source(Section):
    """Files of raw rows."""

    path: str = ""
    """A file or a glob, relative to the recipe; `-` is standard input. May be gzip or zstd. Also a
    folder that `datasets` saved (`save_to_disk`) or would load; as text alone, with its parts,
    `folder:path#config:split`."""
    hub: str | None = None
    """A dataset of the Hugging Face hub, `owner/name`, instead of a path. As text alone, a source
    is `hub:owner/name@revision#config:split`, where all but the name may be left out."""
    revision: str | None = None
    """Of a hub dataset: a branch, tag or commit; it is resolved to a commit, which is recorded."""
    config: str | None = None
    """Which of several configurations of a dataset."""
    split: str | None = None
    """Which of several splits of a dataset; none is ever guessed."""
    format: Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow"] = "auto"
    """`auto` tells it from the name. Row formats (alpaca, ShareGPT, …) are found row by row."""
    columns: Columns = Columns()
    """Only where the columns do not have the usual names."""
    header: tuple[str, ...] = ()
    """Names of the columns of a CSV or TSV file whose first line is a record already."""
    quotes: bool = True
    """Fields of CSV and TSV may stand in double quotes; `false` takes a quote as text."""
    encoding: str = "utf-8"
    """Of a CSV or TSV file, by any name that Python knows, such as `cp1252` or `utf-16`."""
    images: Images = Images()
    """How images of the rows are read."""
    weight: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    """Share of the dataset beside the other sources' weights; all sources have one, or none. To
    mix datasets, name their `datasets/NAME/current/train.parquet`. See `mix`."""

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError("an encoding that Python knows, such as cp1252") from None
        return value

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: object) -> object:
        value = {"path": value} if isinstance(value, str | PurePath) else value
        if isinstance(value, dict):
            text = str(value.get("path", ""))
            form = _TEXTS.get(text.partition(":")[0]) if ":" in text else None
            if form is None:
                return value
            named = form.fullmatch(text)
            if named is None:
                raise ValueError("hub:owner/name@revision#config:split or folder:path#config:split")
            rest = {key: item for key, item in value.items() if key != "path"}
            return {**{key: item for key, item in named.groupdict().items() if item}, **rest}
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.path) == bool(self.hub):
            raise ValueError("either a `path` or a `hub` name")
        if self.hub is None and self.revision is not None:
            raise ValueError("`revision` only beside a `hub` name")
        if self.hub is not None and (self.format != "auto" or self.header):
            raise ValueError("a hub dataset says its own format")
        return self

    @property
    def name(self) -> str:
        """What the source is called where people read of it."""
        return self.path or f"hub:{self.hub}"


class Split(Section):
    """Rows set aside, in groups: alike rows are never on two sides.

    A group is what hangs together by similarity, an equal prompt, the same document, conversation
    or parent. It is formed from all rows that were read, before any is removed.
    """

    validation: Amount = 0.0
    """Share of the kept rows (below 1) or their number (from 1)."""
    test: Amount = 0.0
    """Share of the kept rows (below 1) or their number (from 1)."""
    seed: int = 0
    """Another seed puts other groups aside."""
    stratify: Names | None = None
    """Give each label (or `topic`, `source`, `answer`, `length`, `language`, `script`,
    `difficulty`, a score, or a column; several for each combination) the same share in each split,
    as near as whole groups allow."""
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Rows at least this alike form a group; looser than any removal, so that what removal leaves
    cannot leak from train to test."""

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if max(self.validation, self.test) < 1 <= self.validation + self.test:
            raise ValueError("shares of validation and test that leave rows to train on")
        return self


class CurateSection(Section):
    """Raw rows to one dataset."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Read in this order; where rows are equal, the first stays."""
    type: DatasetType = "auto"
    """One type per dataset. `auto` takes the type that most rows have; the others are converted
    where nothing is lost, and quarantined where something would be."""
    steps: tuple[StepConfig, ...] = ()
    """Applied in this order, each to what the one before kept."""
    mix: Mix | None = None
    """How sources that have a `weight` are mixed, after all steps; the default if any has one."""
    split: Split = Split()
    decisions: str | None = None
    """File of decisions about single rows (`temper curate restore` and `drop` write it), relative
    to the recipe; left out: `decisions/NAME.jsonl`, if it is there."""
    max_quarantine: Share = 0.01
    """Stop if more than this share of the rows read cannot be used; `5%` may be written."""
    circuit_breaker: Share = 0.5
    """Stop if one step would drop more than this share of a source of 100 rows or more."""

    @model_validator(mode="after")
    def _all_weights_or_none(self) -> Self:
        weighted = sum(source.weight is not None for source in self.sources)
        if 0 < weighted < len(self.sources):
            raise ValueError("a `weight` for every source, or for none")
        if self.mix is not None and not weighted:
            raise ValueError("`mix` needs a `weight` for every source")
        return self

    @model_validator(mode="after")
    def _copies_stay(self) -> Self:
        repeating = False
        for step in self.steps:
            if repeating and step.name.endswith("_duplicates"):
                raise ValueError(f"{step.name} after balance would take away its copies")
            repeating = repeating or step.balance is not None
        return self

    @model_validator(mode="after")
    def _scores_are_of_the_last_text(self) -> Self:
        names: set[str] = set()
        for step in self.steps:
            if names and step.name in ("repair", "redact"):
                raise ValueError(f"{step.name} after score would change the text that was scored")
            if step.score is not None:
                name = step.score.config.column
                if name in names:
                    raise ValueError(f"two scores are called {name}: give one a `name`")
                names.add(name)
        return self

    @model_validator(mode="after")
    def _topics_are_named_by_what_may_be_told(self) -> Self:
        named = False
        for step in self.steps:
            if named and step.redact is not None:
                raise ValueError(
                    "redact after topics: a topic is called by words of the rows, which may be "
                    "what is to be hidden; put redact before"
                )
            by_topics = step.balance is not None and step.balance.topics is not None
            named = named or step.topics is not None or by_topics
        return self

    @model_validator(mode="after")
    def _groups_are_looser(self) -> Self:
        for step in self.steps:
            near = step.near_duplicates
            if near is not None and near.threshold < self.split.similarity:
                raise ValueError(
                    f"near_duplicates.threshold ({near.threshold}) must not be below "
                    f"split.similarity ({self.split.similarity}): what removal leaves could "
                    "leak from train to test"
                )
        return self
