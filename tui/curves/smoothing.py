"""Exponential moving averages that grow with their curve."""

from __future__ import annotations

from array import array

from tui.curves.track import Track

WINDOWS = (0, 10, 50, 200)
"""Points over which a curve can be averaged; 0 is not at all."""


class Smoothed:
    """The exponential moving average of a track, extended as the track grows.

    With the weight 2 / (window + 1) of the newest point its mean age is that of a plain mean over
    `window` points. It begins at the first value, and goes on behind a gap where it was.
    """

    def __init__(self, source: Track, window: int) -> None:
        self.source = source
        self.window = window
        self.track = Track()
        self._cuts = source.cuts

    def extend(self) -> None:
        """Take in what is new; all of it again where a resume took points away."""
        source = self.source
        if self._cuts != source.cuts:
            self._cuts, self.track = source.cuts, Track()
        track, weight = self.track, 2 / (self.window + 1)
        done = len(track)
        mean = track.values[-1] if done else 0.0
        # Its gaps are the curve's: a track that knew of later ones would take them for a resume.
        track.odd_steps, track.odd_values = array("q"), []
        for step, value in zip(source.steps[done:], source.values[done:], strict=True):
            mean = mean + weight * (value - mean) if len(track) else value
            track.add(step, mean)
        track.odd_steps, track.odd_values = source.odd_steps, source.odd_values
