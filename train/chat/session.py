"""Two conversations with the same questions, one with each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.engine.stream import Sampling, TextStream

if TYPE_CHECKING:
    from train.chat.speakers import Speaker


@dataclass
class Side:
    """One model's conversation."""

    name: str
    history: list[dict[str, str]] = field(default_factory=list)
    said: str = ""
    """Of the answer being written."""
    tokens: int = 0
    ended: bool = True
    """Whether it ended by itself; False: cut at the limit."""


class Session:
    """Base and tuned, each with a history of its own answers."""

    def __init__(
        self, speakers: Sequence[Speaker], *, system: str, max_new_tokens: int, sampling: Sampling
    ) -> None:
        """Begin with empty histories, but for the system turn if there is one."""
        self.speakers = {speaker.name: speaker for speaker in speakers}
        self.system = system
        self.max_new_tokens = max_new_tokens
        self.sampling = sampling
        self.sides = [Side(speaker.name) for speaker in speakers]
        self.reset()

    def reset(self) -> None:
        """Forget everything but the system turn."""
        opening = [{"role": "system", "content": self.system}] if self.system else []
        for side in self.sides:
            side.history = [dict(one) for one in opening]
            side.said, side.tokens, side.ended = "", 0, True

    def ask(self, question: str) -> Iterator[Side]:
        """Put a question to both, and yield a side whenever it has written something.

        They write in turns, a token each. A side that is interrupted keeps what it has written.

        Raises:
            ModelError: the template refuses the conversation.
            DataError: it is longer than the models read.
        """
        writers: list[tuple[Side, Iterator[str], Answer]] = []
        for side in self.sides:
            turns = [*side.history, {"role": "user", "content": question}]
            answer = Answer(self.speakers[side.name], turns, self.max_new_tokens, self.sampling)
            writers.append((side, answer.pieces(), answer))
        for side, _, answer in writers:
            side.history, side.said, side.tokens, side.ended = answer.turns, "", 0, False
        try:
            while writers:
                for entry in list(writers):
                    side, pieces, answer = entry
                    piece = next(pieces, None)
                    side.said += piece or ""
                    side.tokens, side.ended = answer.tokens, answer.ended
                    if piece is None:
                        writers.remove(entry)
                    yield side
        finally:
            for side in self.sides:
                side.history.append({"role": "assistant", "content": side.said})


class Answer:
    """One model's answer to one conversation, as it is written."""

    def __init__(
        self,
        speaker: Speaker,
        turns: list[dict[str, str]],
        max_new_tokens: int,
        sampling: Sampling,
    ) -> None:
        """Prepare to answer `turns`.

        Raises:
            ModelError: the template refuses the conversation.
            DataError: it is longer than the model reads.
        """
        self.speaker = speaker
        self.turns = turns
        self.sampling = sampling
        self.tokens = 0
        self.ended = False
        """Whether it ended by itself."""
        self._prompt = speaker.voices.prompt(turns)
        self._most = min(speaker.voices.room(self._prompt), max_new_tokens)

    def pieces(self) -> Iterator[str]:
        """Yield the text of each token, which may be empty: never half a character."""
        voices = self.speaker.voices
        text = TextStream(voices.tokenizer)
        for token in voices.say(
            self.speaker.voice, self._prompt, max_new_tokens=self._most, sampling=self.sampling
        ):
            if token in voices.tokenizer.eos_ids:
                self.ended = True
                break
            self.tokens += 1
            yield text.add(token)
        yield text.end()
