"""Presidio and a spaCy model, loaded from this machine alone."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from curate.steps.quality.configs import OURS, Presidio
from curate.steps.quality.spans import Named, pieces
from curate.steps.quality.views import view
from workspace.errors import UsageError, WorkError
from workspace.problems import did_you_mean

_BATCH = 64
"""Pieces of text that a spaCy pipeline has in hand at once."""
_LABELS = {"FAC": "LOCATION"}
"""What Presidio's own table of spaCy's labels lacks: buildings, airports, bridges."""
_FOR_CONTEXT = ("tagger", "morphologizer", "attribute_ruler", "lemmatizer")
"""Pipes that only a recogniser of numbers needs: it looks for words such as "passport" nearby."""
_NEVER = ("parser", "senter", "textcat", "textcat_multilabel")


class Recogniser:
    """Reads texts."""

    def __init__(self, analyzer: Any, pipeline: Any, settings: Presidio) -> None:
        self._analyzer = analyzer
        self._pipeline = pipeline
        self._settings = settings
        self._slow = _Slow()

    def read(self, texts: Iterable[str]) -> dict[str, list[Named]]:
        """Return what is found in each text, by places in the text as it is meant.

        Raises:
            WorkError: a pattern of Presidio took too long on a text.
        """
        wanted = list(dict.fromkeys(texts))
        parts = [(text, *piece) for text in wanted for piece in pieces(view(text))]
        out: dict[str, list[Named]] = defaultdict(list)
        for begin in range(0, len(parts), _BATCH):
            some = parts[begin : begin + _BATCH]
            for (text, at, _), found in zip(
                some, self._found([part for _, _, part in some]), strict=True
            ):
                out[text] += [
                    Named(one.entity_type.lower(), at + one.start, at + one.end, one.score)
                    for one in found
                ]
        return out

    def _found(self, parts: Sequence[str]) -> list[list[Any]]:
        presidio = importlib.import_module("presidio_analyzer")
        batches = presidio.BatchAnalyzerEngine(analyzer_engine=self._analyzer)
        # spaCy keeps every word that it ever saw, unless it is told that it may forget them.
        with self._pipeline.memory_zone(), self._slow:
            return list(
                batches.analyze_iterator(
                    parts,
                    language=self._settings.language,
                    batch_size=_BATCH,
                    entities=list(self._settings.entities),
                    score_threshold=self._settings.score,
                )
            )


class _Slow(logging.Handler):
    """Presidio gives up a pattern after a minute, and says so in a log alone."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._log = logging.getLogger("presidio-analyzer")

    def __enter__(self) -> None:
        self._log.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Stop where a pattern was given up."""
        if "timed out" in record.msg:
            raise WorkError(
                "Presidio took too long",
                where="redact.presidio",
                cause="One of its patterns ran for a minute on one text.",
                cure="Leave that entity out of `entities`, or filter very long rows first.",
            )


def recogniser(settings: Presidio, base_dir: Path) -> Recogniser:
    """Return what reads texts; a model is loaded once.

    Args:
        settings: which model, and what to look for.
        base_dir: what a folder is relative to.

    Raises:
        UsageError: the extra or the model is not installed, the folder is no spaCy pipeline, or
            an entity is found by nothing here.
    """
    _check_installed()
    folder = base_dir / Path(settings.model).expanduser()
    return _loaded(settings, folder if folder.is_dir() else None)


def _check_installed() -> None:
    try:
        importlib.import_module("presidio_analyzer")
    except ModuleNotFoundError as error:
        raise UsageError(
            "Presidio is not installed",
            where="redact.presidio",
            cause=f"There is no module {error.name}.",
            cure="pip install 'welltempered[pii]'",
        ) from None


@lru_cache(maxsize=2)
def _loaded(settings: Presidio, folder: Path | None) -> Recogniser:
    pipeline = _pipeline(settings, folder)
    named = _named_by(pipeline)
    others = _recognisers(settings.language)
    _check_found(settings, set(named.values()), {one.supported_entities[0] for one in others})
    wanted = set(settings.entities)
    used = [one for one in others if one.supported_entities[0] in wanted]
    if not used:
        for name in _FOR_CONTEXT:
            if name in pipeline.pipe_names:
                pipeline.disable_pipe(name)
    return Recogniser(_analyzer(settings, pipeline, named, used), pipeline, settings)


def _analyzer(settings: Presidio, pipeline: Any, named: dict[str, str], used: list[Any]) -> Any:
    presidio = importlib.import_module("presidio_analyzer")
    engines = importlib.import_module("presidio_analyzer.nlp_engine")
    known = importlib.import_module("presidio_analyzer.predefined_recognizers")
    labels = engines.NerModelConfiguration(
        model_to_presidio_entity_mapping=named,
        labels_to_ignore=[
            label for label, entity in named.items() if entity not in settings.entities
        ],
        low_score_entity_names=[],
    )
    engine = engines.SpacyNlpEngine(
        models=[{"lang_code": settings.language, "model_name": settings.model}],
        ner_model_configuration=labels,
    )
    # Its own `load` would download a model that is missing.
    engine.nlp = {settings.language: pipeline}
    names = known.SpacyRecognizer(
        supported_language=settings.language, supported_entities=list(settings.entities)
    )
    return presidio.AnalyzerEngine(
        registry=presidio.RecognizerRegistry(
            recognizers=[names, *used], supported_languages=[settings.language]
        ),
        nlp_engine=engine,
        supported_languages=[settings.language],
    )


def _pipeline(settings: Presidio, folder: Path | None) -> Any:
    """Load a spaCy pipeline from a folder or an installed package.

    Raises:
        UsageError: there is none.
    """
    spacy = importlib.import_module("spacy")
    if folder is None and not _is_installed(settings.model):
        raise UsageError(
            f"there is no spaCy model {settings.model}",
            where="redact.presidio.model",
            cause="It is neither a folder nor an installed package; nothing is downloaded here.",
            cure=f"python -m spacy download {settings.model}"
            if settings.model.isidentifier()
            else "Give a folder that `nlp.to_disk` wrote, or an installed package's name.",
        )
    try:
        pipeline = spacy.load(folder or settings.model, exclude=list(_NEVER))
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            "this is no spaCy model that can be loaded",
            where=f"redact.presidio.model: {folder or settings.model}",
            cause=f"{error}"[:300],
            cure="Give a folder that `nlp.to_disk` wrote, or an installed package's name.",
        ) from None
    if pipeline.lang not in (settings.language, "xx"):
        raise UsageError(
            f"the model is of the language {pipeline.lang}, not {settings.language}",
            where="redact.presidio.language",
            cure=f"`language: {pipeline.lang}`, or another model.",
        )
    return pipeline


def _is_installed(name: str) -> bool:
    """Models say that they are some; other packages are not imported."""
    return bool(importlib.metadata.entry_points(group="spacy_models", name=name))


def _named_by(pipeline: Any) -> dict[str, str]:
    """Return the labels that a pipeline gives, and what Presidio calls them."""
    engines = importlib.import_module("presidio_analyzer.nlp_engine")
    table = {**engines.NerModelConfiguration().model_to_presidio_entity_mapping, **_LABELS}
    labels = [
        label
        for name in pipeline.pipe_names
        if "doc.ents" in pipeline.get_pipe_meta(name).assigns
        for label in getattr(pipeline.get_pipe(name), "labels", ())
    ]
    return {label: table.get(label, label) for label in labels}


def _recognisers(language: str) -> list[Any]:
    """Return Presidio's recognisers by pattern, of all countries, that need no network."""
    presidio = importlib.import_module("presidio_analyzer")
    known = importlib.import_module("presidio_analyzer.predefined_recognizers")
    kinds = [getattr(known, name) for name in known.__all__]
    out = [
        kind(supported_language=language)
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, presidio.PatternRecognizer)
        # Some of ours look into the network: that of e-mail addresses fetches a list of domains.
        if kind.__name__ != "EmailRecognizer"
    ]
    return [one for one in out if one.supported_entities[0] not in OURS]


def _check_found(settings: Presidio, named: set[str], proved: set[str]) -> None:
    """Refuse an entity that nothing would find.

    Raises:
        UsageError: names those that are found.
    """
    found = sorted(named | proved)
    for entity in settings.entities:
        if entity not in found:
            raise UsageError(
                f"nothing here finds {entity}",
                where="redact.presidio.entities",
                cause=f"The model finds {', '.join(sorted(named)) or 'no names'}; Presidio's "
                f"patterns find {', '.join(sorted(proved))}.",
                cure=did_you_mean(entity, found) or "Take it out, or use another model.",
            )
