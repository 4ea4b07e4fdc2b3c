"""XXH3 (64 bits, no seed) of short spans of bytes, all at once.

As in the XXH3 specification for inputs of 1 to 16 bytes (github.com/Cyan4973/xxHash,
doc/xxhash_spec.md), with numpy instead of one call for each word; what comes out equals the
library's `xxh3_64`, which longer words are hashed with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

LONGEST = 16
"""Longest span in bytes."""
PADDING = 16
"""Bytes that must follow the last span."""

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c"
)
_U = np.uint64


def _word(place: int, size: int = 8) -> int:
    return int.from_bytes(_SECRET[place : place + size], "little")


_FLIP_3 = _U(_word(0, 4) ^ _word(4, 4))
_FLIP_8 = _U(_word(8) ^ _word(16))
_FLIP_LOW = _U(_word(24) ^ _word(32))
_FLIP_HIGH = _U(_word(40) ^ _word(48))
_LOW_HALF = _U(0xFFFFFFFF)


def hash_spans(
    text: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Hashes:
    """Return the hash of each span of `text`; of one longer than `LONGEST`, nothing of use.

    Args:
        text: bytes, with `PADDING` more after the last span.
        starts: where each span begins.
        sizes: bytes of each span, at least 1.
    """
    # Every place of the text as the little-endian number of the eight bytes from there.
    eight = np.lib.stride_tricks.as_strided(
        text[:8].view("<u8"), (max(text.size - 7, 0),), (1,), writeable=False
    )
    out = np.empty(starts.size, _U)
    for low, high, kernel in ((0, 3, _up_to_3), (3, 8, _up_to_8), (8, LONGEST, _up_to_16)):
        chosen = np.flatnonzero((sizes > low) & (sizes <= high))
        if chosen.size:
            out[chosen] = kernel(eight, starts[chosen], sizes[chosen])
    return out


def _up_to_3(eight: Hashes, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Hashes:
    word = eight[starts]
    size = sizes.astype(_U)
    byte = _U(0xFF)
    middle = (word >> ((size >> _U(1)) << _U(3))) & byte
    last = (word >> ((size - _U(1)) << _U(3))) & byte
    mixed = ((word & byte) << _U(16)) | (middle << _U(24)) | last | (size << _U(8))
    mixed ^= _FLIP_3
    mixed ^= mixed >> _U(33)
    mixed *= _U(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> _U(29)
    mixed *= _U(0x165667B19E3779F9)
    mixed ^= mixed >> _U(32)
    return np.asarray(mixed)


def _up_to_8(eight: Hashes, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Hashes:
    size = sizes.astype(_U)
    mixed = eight[starts] << _U(32)
    mixed += eight[starts + sizes - 4] & _LOW_HALF
    mixed ^= _FLIP_8
    mixed ^= _rotated(mixed, 49) ^ _rotated(mixed, 24)
    mixed *= _U(0x9FB21C651E98DF25)
    mixed ^= (mixed >> _U(35)) + size
    mixed *= _U(0x9FB21C651E98DF25)
    mixed ^= mixed >> _U(28)
    return mixed


def _up_to_16(eight: Hashes, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Hashes:
    low = eight[starts] ^ _FLIP_LOW
    high = eight[starts + sizes - 8] ^ _FLIP_HIGH
    mixed = low.byteswap()
    mixed += high
    mixed += sizes.astype(_U)
    mixed += _folded_product(low, high)
    mixed ^= mixed >> _U(37)
    mixed *= _U(0x165667919E3779F9)
    mixed ^= mixed >> _U(32)
    return mixed


def _rotated(values: Hashes, bits: int) -> Hashes:
    return (values << _U(bits)) | (values >> _U(64 - bits))


def _folded_product(left: Hashes, right: Hashes) -> Hashes:
    """Return the lower half of the 128-bit product, exclusive or its upper half."""
    half = _U(32)
    left_low, left_high = left & _LOW_HALF, left >> half
    right_low, right_high = right & _LOW_HALF, right >> half
    low = left_low * right_low
    cross = left_high * right_low
    middle = (low >> half) + (cross & _LOW_HALF) + left_low * right_high
    upper = (cross >> half) + (middle >> half) + left_high * right_high
    lower = (middle << half) | (low & _LOW_HALF)
    return np.asarray(upper ^ lower)
