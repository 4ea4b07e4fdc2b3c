"""The model directory that a score is taken by, known before any weight is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from curate.steps.base import StepContext
from evalsuite.models import ChatTokenizer, ModelSection, ModelSource, resolve_model
from evalsuite.models.context import context_length, vocabulary_size
from evalsuite.models.source import check_model_directory, directory_source
from workspace.errors import ModelError, UsageError


@dataclass(frozen=True)
class ScoringModel:
    """A model directory with its tokenizer and limits."""

    source: ModelSource

    @property
    def path(self) -> Path:
        """Where the weights are."""
        return self.source.path

    @cached_property
    def tokenizer(self) -> ChatTokenizer:
        """Its tokenizer and chat template."""
        return ChatTokenizer.from_dir(self.path)

    @cached_property
    def context(self) -> int:
        """How many tokens it reads."""
        return context_length(check_model_directory(self.path))

    @cached_property
    def vocabulary(self) -> int | None:
        """How many tokens it knows."""
        return vocabulary_size(check_model_directory(self.path))


def scoring_model(name: str | None, revision: str | None, context: StepContext) -> ScoringModel:
    """Return the model that a score names, or the recipe's.

    Raises:
        UsageError: neither names one.
        ModelError: there is no such model, or it has no chat template for rows that are chats.
    """
    if name is not None:
        section = ModelSection(path=name, revision=revision)
        found = ScoringModel(resolve_model(section, context.base_dir))
    elif context.model is not None:
        found = ScoringModel(directory_source(context.model, name=context.model.name))
    else:
        raise UsageError(
            "this score needs a model",
            where="score",
            cause="Neither the step nor the recipe names one that is on this disk.",
            cure="Give the step `model: builtin`, a model directory or a hub name.",
        )
    if context.type != "text" and found.tokenizer.template is None:
        raise ModelError(
            "this model has no chat template",
            where=str(found.path),
            cause="Rows that are chats are scored as the template writes them.",
            cure="Use the instruct version of the model, or add a chat_template.jinja.",
        )
    return found
