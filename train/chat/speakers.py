"""Any two models to talk to: runs, checkpoints, a strength of the dial, directories, the base.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import cast

from transformers import PreTrainedModel

from evalsuite.engine.forward import Engine
from evalsuite.engine.request import BASE
from evalsuite.engine.sides import Resident
from evalsuite.engine.subjects import Subject, common_tokenizer
from evalsuite.engine.voices import Voices, open_voices
from evalsuite.models import ChatTokenizer, ModelSource
from evalsuite.models.context import context_length, vocabulary_size
from evalsuite.models.load import Placement, load_adapter
from evalsuite.models.same_weights import over_same_weights
from evalsuite.models.source import check_model_directory
from train.chat.named import Named
from train.dial.strength import AdapterStrength, FullStrength
from workspace.errors import ModelError
from workspace.files import read_json


@dataclass(frozen=True)
class Speaker:
    """One model, ready to be talked to."""

    name: str
    voices: Voices
    """Asked under `voice`."""
    voice: str


@dataclass
class _Loaded:
    """What is in memory already."""

    placement: Placement
    residents: dict[tuple[str, str], Resident] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def base(self, source: ModelSource, quantization: str | None, *, fresh: bool) -> Resident:
        """Return a base, loaded once; a fresh one where its weights will be changed."""
        key = (str(source.path), quantization or "")
        if fresh or key not in self.residents:
            loaded = Resident.load(source, self.placement, _pad_id(source), quantization)  # type: ignore[arg-type]
            if fresh:
                return loaded
            self.residents[key] = loaded
        return self.residents[key]


@contextmanager
def open_speakers(named: Sequence[Named], placement: Placement) -> Iterator[list[Speaker]]:
    """Load the models, on one copy of the weights where that is possible.

    Args:
        named: who is to speak, in this order.
        placement: device and precision.

    Raises:
        ModelError: one of them cannot be loaded, or names no end token.
        UsageError: an adapter has no scale.
    """
    first, *others = named
    tuned = [one for one in named if one.subject is not None]
    simple = len(named) == 2 and len(tuned) == 1 and tuned[0].scale is None
    if simple and tuned[0].base is not None:  # base and tuned, as they are evaluated
        (one,) = tuned
        assert one.subject is not None
        with open_voices(one.subject, one.name, one.base, placement) as voices:  # type: ignore[arg-type]
            names = {id(one): one.name}
            yield [Speaker(other.name, voices, names.get(id(other), BASE)) for other in named]
        return
    loaded = _Loaded(placement)
    yield [_speaker(one, loaded) for one in (first, *others)]


def _speaker(named: Named, loaded: _Loaded) -> Speaker:
    subject, source = named.subject, named.base
    notes: list[str] = []
    if subject is None:
        assert source is not None
        resident = loaded.base(source, None, fresh=False)
        tokenizer = ChatTokenizer.from_dir(source.path)
        engine, path = resident.engine, source.path
    else:
        if source is None:
            tokenizer = ChatTokenizer.from_dir(subject.tokenizer)
        else:
            tokenizer, notes = common_tokenizer([subject], source)
        engine = _engine(named, subject, loaded)
        path = subject.path if source is None or subject.kind == "full" else source.path
    if not tokenizer.eos_ids:
        raise ModelError(
            "this model names no end token",
            where=str(tokenizer.path),
            cure="Set eos_token_id in its generation_config.json: answers would never end.",
        )
    context = context_length(check_model_directory(path))
    return Speaker(
        named.name,
        Voices(tokenizer, context, {named.name: (engine, nullcontext)}, notes),
        named.name,
    )


def _engine(named: Named, subject: Subject, loaded: _Loaded) -> Engine:
    source = named.base
    if subject.kind == "full":
        if named.scale is None or source is None:
            own = ModelSource(subject.name, subject.path, subject.digest)
            return Resident.load(own, loaded.placement, _pad_id(own)).engine
        resident = loaded.base(source, None, fresh=True)
        whole = FullStrength(resident.model, source.path, subject.path, loaded.placement)
        whole.set(named.scale)
        return Engine(whole.model, resident.pad_id)
    assert source is not None  # of an adapter it is known, or `find_named` has refused
    config = read_json(subject.path / "adapter_config.json", kind="adapter")
    trains_biases = config.get("bias", "none") != "none"  # they are written over the base's own
    resident = loaded.base(source, subject.quantization, fresh=trains_biases)
    model = resident.model if trains_biases else over_same_weights(resident.model)
    if named.scale is None:
        tuned = load_adapter(model, subject.path)
        return Engine(cast(PreTrainedModel, tuned.get_base_model()), resident.pad_id)
    strength = AdapterStrength(model, subject.path, str(config.get("peft_type")))
    strength.set(named.scale)
    return Engine(strength.model, resident.pad_id)


def _pad_id(source: ModelSource) -> int:
    """Return the padding token, or 0 where the model has no row for it."""
    pad = ChatTokenizer.from_dir(source.path).pad_id or 0
    known = vocabulary_size(check_model_directory(source.path))
    return pad if known is None or pad < known else 0
