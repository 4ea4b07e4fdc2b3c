"""The closed list of generators: from a config to the one that does it."""

from __future__ import annotations

from curate.synth.generators.answers import PreferenceGenerator, RejectionGenerator
from curate.synth.generators.backtranslate import BacktranslateGenerator
from curate.synth.generators.base import Generator
from curate.synth.generators.configs import (
    Backtranslate,
    Documents,
    Evolve,
    GeneratorConfig,
    Noise,
    Paraphrase,
    Persona,
    Preference,
    Rejection,
    SelfInstruct,
    Slots,
)
from curate.synth.generators.documents import DocumentsGenerator
from curate.synth.generators.evolve import EvolveGenerator
from curate.synth.generators.noise import NoiseGenerator
from curate.synth.generators.reword import ParaphraseGenerator, PersonaGenerator
from curate.synth.generators.self_instruct import SelfInstructGenerator
from curate.synth.generators.slots import SlotsGenerator


def make_generator(config: GeneratorConfig) -> Generator:
    """Return the generator that a config describes."""
    match config.settings:
        case Noise() as settings:
            return NoiseGenerator(settings)
        case Slots() as settings:
            return SlotsGenerator(settings)
        case Paraphrase() as settings:
            return ParaphraseGenerator(settings)
        case Persona() as settings:
            return PersonaGenerator(settings)
        case SelfInstruct() as settings:
            return SelfInstructGenerator(settings)
        case Evolve() as settings:
            return EvolveGenerator(settings)
        case Backtranslate() as settings:
            return BacktranslateGenerator(settings)
        case Documents() as settings:
            return DocumentsGenerator(settings)
        case Rejection() as settings:
            return RejectionGenerator(settings)
        case Preference() as settings:
            return PreferenceGenerator(settings)
        case other:
            raise AssertionError(f"no generator for {type(other).__name__}")
