"""Texts as flat arrays of token hashes, normalised so that only what carries meaning differs.

Normalising: NFKC, lower case with the two folds that matter (ß, final sigma), digits of every
script as 0-9, English contractions written out. A token is a word, a number with its sign and
decimal point, an operator or bracket of mathematics and code, or one character of a script that
writes no spaces; a letter of such a script (kana, Thai, Lao, Khmer, Burmese) is taken with the two
before it. Sentence punctuation and white space carry no token. Numbers and operators are
kept because rows of mathematics often differ in nothing else; negations are marked like them,
because they turn a sentence around.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from evalsuite.similarity import kernel
from evalsuite.similarity.kernel import Tables, library
from evalsuite.similarity.plain_text import scan, scan_compiled

Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_UNSPACED_LETTERS = r"\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
TOKEN = (
    rf"[{_UNSPACED}]"
    rf"|[\p{{L}}\p{{M}}_--[{_UNSPACED}]]+"
    r"|-?\.?\p{N}+(?:[.,]\p{N}+)*"
    r"|!=|'+\("
    r"|[\p{Sm}*/^%&#\[\]{}]"
)
_FOLDS = {"ß": "ss", "ς": "σ", "×": "*", "÷": "/", "−": "-"}
_CONTRACTIONS = {
    f"{short}{apostrophe}{end}": long
    for apostrophe in ("'", "\u2019")
    for short, end, long in (
        ("can", "t", "can not"),
        ("won", "t", "will not"),
        ("n", "t", " not"),
        ("i", "m", "i am"),
        ("", "re", " are"),
        ("", "ve", " have"),
        ("", "ll", " will"),
    )
} | {"cannot": "can not"}
NEGATIONS = ("not", "no", "never", "without", "none", "nor", "neither")
BLOCK_ROWS = 20_000
_TAKEN_ROWS = 1_024
_PIECE_TOKENS = 1 << 16


class Tokens(Protocol):
    """The tokens of many rows, of which some can be taken."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> Counts:
        """Tokens per row, shape (rows,)."""
        ...

    def take(self, rows: NDArray[np.integer]) -> TokenTable:
        """Return the table of these rows, in this order."""
        ...


@dataclass(frozen=True)
class TokenTable:
    """The tokens of many rows in one array.

    Row `i` has the hashes `hashes[offsets[i]:offsets[i + 1]]`, in the order of the text. The lowest
    bit of a hash tells the class of its token: 1 for a number, an operator or a negation, 0 for
    another word.
    """

    hashes: Hashes
    """All token hashes, shape (tokens,)."""
    offsets: Counts
    """Where each row begins, shape (rows + 1,)."""

    def __len__(self) -> int:
        return self.offsets.size - 1

    @property
    def lengths(self) -> Counts:
        """Tokens per row, shape (rows,)."""
        return np.diff(self.offsets)

    @property
    def plain(self) -> tuple[Hashes, Counts]:
        """Hashes and offsets as the kernel takes them."""
        hashes = np.ascontiguousarray(self.hashes, np.uint64)
        return hashes, np.ascontiguousarray(self.offsets, np.int64)

    def take(self, rows: NDArray[np.integer]) -> TokenTable:
        """Return the table of these rows, in this order."""
        lengths = self.lengths[rows]
        offsets = starts(lengths)
        first = self.offsets[:-1][rows]
        if rows.size and (first[1:] == first[:-1] + lengths[:-1]).all():
            whole = self.hashes[first[0] : first[0] + offsets[-1]]  # neighbours: nothing to copy
            return TokenTable(whole, offsets)
        hashes = np.empty(offsets[-1], np.uint64)
        shift = first - offsets[:-1]
        for begin in range(0, rows.size, _TAKEN_ROWS):
            some = slice(begin, begin + _TAKEN_ROWS)
            low, high = offsets[begin], offsets[min(begin + _TAKEN_ROWS, rows.size)]
            place = np.arange(low, high)
            place += np.repeat(shift[some], lengths[some])
            np.take(self.hashes, place, out=hashes[low:high], mode="clip")
        return TokenTable(hashes, offsets)


def starts(lengths: NDArray[np.integer]) -> Counts:
    """Return the offsets of rows with these lengths, beginning with 0.

    >>> starts(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    offsets = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


@cache
def _digits() -> dict[str, str]:
    """Map every decimal digit outside ASCII to its ASCII digit."""
    return {
        character: str(unicodedata.decimal(character))
        for character in map(chr, range(128, sys.maxunicode))
        if character.isdecimal()
    }


def _normalise_unicode(texts: pl.Series) -> pl.Series:
    out = texts.str.normalize("NFKC").str.to_lowercase()
    out = out.str.replace_many(list(_FOLDS), list(_FOLDS.values()))
    if out.str.contains(r"[\p{Nd}--[0-9]]").any():
        out = out.str.replace_many(list(_digits()), list(_digits().values()))
    return out


def normalise(texts: pl.Series) -> pl.Series:
    """Return texts in NFKC and lower case, digits as 0-9; null becomes the empty text.

    >>> normalise(pl.Series(["Don't!"])).to_list()
    ['do not!']

    Rows that are ASCII already (most, in most corpora) skip the slow Unicode tables.

    >>> normalise(pl.Series(["Straße ２ × ٣"])).to_list()
    ['strasse 2 * 3']
    """
    texts = texts.fill_null("")
    ascii_only = texts.str.len_bytes() == texts.str.len_chars()
    if ascii_only.all():
        return _written_out(texts.str.to_lowercase())
    rows = pl.DataFrame({"row": pl.int_range(len(texts), eager=True), "text": texts})
    plain, other = rows.filter(ascii_only), rows.filter(~ascii_only)
    done = pl.concat(
        [
            plain.with_columns(pl.col("text").str.to_lowercase()),
            other.with_columns(_normalise_unicode(other["text"]).alias("text")),
        ]
    )
    return _written_out(done.sort("row")["text"])


def _written_out(texts: pl.Series) -> pl.Series:
    return texts.str.replace_many(
        list(_CONTRACTIONS),
        list(_CONTRACTIONS.values()),
        leftmost=True,
        ascii_case_insensitive=True,
    )


def words(texts: pl.Series) -> pl.Series:
    """Return the tokens of each text as lists; a text without any is one token, itself.

    Emoji or punctuation alone would otherwise all be the same, empty row.
    """
    normal = normalise(texts)
    found = normal.str.extract_all(TOKEN)
    bare = (found.list.len() == 0) & (normal.str.len_bytes() > 0)
    if not bare.any():
        return found
    frame = pl.DataFrame({"found": found, "normal": normal, "bare": bare})
    whole = pl.concat_list(pl.col("normal").str.strip_chars())
    return frame.select(pl.when("bare").then(whole).otherwise("found").alias("found"))["found"]


def _is_symbol() -> pl.Expr:
    """Numbers and operators lie in these ranges of code points; negations are listed."""
    word = pl.col("word")
    return (
        (word < "_")
        | ((word >= "{") & (word < "\x80"))
        | ((word >= "\u2190") & (word < "\u2c00"))
        | word.is_in(["±", "¬", *NEGATIONS])
    )


def _tokenise_block(texts: pl.Series) -> tuple[Hashes, Counts]:
    texts = texts.fill_null("")
    plain = ((texts.str.len_bytes() == texts.str.len_chars()) & ~_holds(texts, "'(")).to_numpy()
    hashes, lengths = _tokenise_plain(texts.filter(pl.Series(plain)))
    # A text without a token is one token, itself: that is for the other way.
    bare = texts.str.len_bytes().to_numpy()[plain] > 0
    bare &= lengths == 0
    if plain.all() and not bare.any():
        return hashes, lengths
    slow = ~plain
    slow[np.flatnonzero(plain)[bare]] = True
    return _merged(slow, (hashes, lengths[~bare]), _tokenise_any(texts.filter(pl.Series(slow))))


def _holds(texts: pl.Series, part: str) -> pl.Series:
    return texts.str.contains(part, literal=True)


def _merged(
    slow: NDArray[np.bool_], plain: tuple[Hashes, Counts], other: tuple[Hashes, Counts]
) -> tuple[Hashes, Counts]:
    lengths = np.empty(slow.size, np.int64)
    lengths[~slow], lengths[slow] = plain[1], other[1]
    hashes = np.empty(int(lengths.sum()), np.uint64)
    of_slow = np.repeat(slow, lengths)
    hashes[~of_slow], hashes[of_slow] = plain[0], other[0]
    return hashes, lengths


def _word_hashes(words: Sequence[str]) -> Hashes:
    frame = pl.Series("word", words).to_frame()
    return frame.select(plh.col("word").nchash.xxh3_64())["word"].to_numpy()


@cache
def _negation_hashes() -> Hashes:
    return _word_hashes(NEGATIONS)


def _tokenise_plain(texts: pl.Series) -> tuple[Hashes, Counts]:
    """Tokenise ASCII texts without `'(`."""
    short = texts.str.contains_any(["'", "cannot"], ascii_case_insensitive=True)
    if short.any():
        texts = texts.zip_with(~short, _written_out(texts.filter(short)).gather(_ranks(short)))
    if library() is not None:
        marked = scan_compiled(texts, _negation_hashes())
        if marked.long_words:
            marked.hashes[marked.long] |= _word_hashes(marked.long_words) & ~np.uint64(1)
        return marked.hashes, marked.lengths
    found = scan(texts)
    hashes = found.hashes
    if found.long_words:
        hashes[found.long] = _word_hashes(found.long_words)
    symbols = found.symbols | np.isin(hashes, _negation_hashes())
    hashes &= ~np.uint64(1)
    hashes |= symbols
    return hashes, found.lengths


def _ranks(chosen: pl.Series) -> pl.Series:
    """Return for each place how many are chosen before it, as a place among the chosen."""
    count = chosen.cum_sum().cast(pl.Int64)
    return (count - 1).clip(0, None)


def _tokenise_any(texts: pl.Series) -> tuple[Hashes, Counts]:
    lists = words(texts)
    lengths = lists.list.len().to_numpy().astype(np.int64)
    flat = lists.filter(lists.list.len() > 0).explode().alias("word").to_frame()
    hashed = flat.select(
        plh.col("word").nchash.xxh3_64().alias("hash"), _is_symbol().alias("symbol")
    )
    hashes = hashed["hash"].to_numpy().astype(np.uint64, copy=True)
    letters = flat["word"].str.contains(f"^[{_UNSPACED_LETTERS}]$").to_numpy()
    hashes = _with_neighbours(hashes, letters, lengths)
    hashes &= ~np.uint64(1)
    hashes |= hashed["symbol"].to_numpy().astype(np.uint64)
    return hashes, lengths


def _with_neighbours(hashes: Hashes, letters: NDArray[np.bool_], lengths: Counts) -> Hashes:
    """Hash a letter of a script without spaces together with the two such letters before it.

    Any two long texts have nearly all letters of an alphabet in common; their runs of three differ.
    """
    if not letters.any():
        return hashes
    row = np.repeat(np.arange(lengths.size), lengths)
    after_one = np.zeros(hashes.size, bool)
    after_one[1:] = letters[1:] & letters[:-1] & (row[1:] == row[:-1])
    after_two = after_one.copy()
    after_two[1:] &= after_one[:-1]
    after_two[:2] = False
    out = hashes.copy()
    one, two = np.flatnonzero(after_one), np.flatnonzero(after_two)
    out[one] += mix(hashes[one - 1])
    out[two] += mix(mix(hashes[two - 2]))
    out[one] = mix(out[one])
    return out


def blocks(texts: pl.Series, block_rows: int = BLOCK_ROWS) -> Iterator[pl.Series]:
    """Yield the texts in blocks, so that strings of a few rows exist at a time."""
    for start in range(0, len(texts), block_rows):
        yield texts.slice(start, block_rows)


def tokenise(texts: pl.Series | Iterable[pl.Series]) -> TokenTable:
    """Return the token hashes of texts.

    Args:
        texts: one series, or an iterable of blocks of them (never all in memory at once).
    """
    parts = blocks(texts) if isinstance(texts, pl.Series) else texts
    hashed = [_tokenise_block(part) for part in parts if len(part)]
    if not hashed:
        return TokenTable(np.empty(0, np.uint64), np.zeros(1, np.int64))
    return TokenTable(
        np.concatenate([hashes for hashes, _ in hashed]),
        starts(np.concatenate([lengths for _, lengths in hashed])),
    )


def joined(first: TokenTable, second: TokenTable) -> TokenTable:
    """Return a table whose rows are the rows of both, one after the other."""
    offsets = starts(first.lengths + second.lengths)
    hashes = np.empty(offsets[-1], np.uint64)
    for table, begin in ((first, offsets[:-1]), (second, offsets[:-1] + first.lengths)):
        lengths, shift = table.lengths, begin - table.offsets[:-1]
        for low in range(0, lengths.size, _TAKEN_ROWS):
            some = slice(low, low + _TAKEN_ROWS)
            here = slice(table.offsets[low], table.offsets[min(low + _TAKEN_ROWS, lengths.size)])
            place = np.arange(here.start, here.stop)
            place += np.repeat(shift[some], lengths[some])
            hashes[place] = table.hashes[here]
    return TokenTable(hashes, offsets)


def stacked(first: TokenTable, second: TokenTable) -> TokenTable:
    """Return the rows of both, one table after the other."""
    lengths = np.concatenate([first.lengths, second.lengths])
    return TokenTable(np.concatenate([first.hashes, second.hashes]), starts(lengths))


@dataclass(frozen=True)
class Joined:
    """`joined` of some rows of two tables, made only of the rows that are taken."""

    first: TokenTable
    second: TokenTable
    rows: NDArray[np.integer]
    """Rows of both tables that are rows 0, 1, 2 … here."""

    def __len__(self) -> int:
        return self.rows.size

    @property
    def lengths(self) -> Counts:
        """Tokens per row, shape (rows,)."""
        return np.asarray((self.first.lengths + self.second.lengths)[self.rows])

    def take(self, rows: NDArray[np.integer]) -> TokenTable:
        """Return the joined table of these rows, in this order."""
        both = self.rows[rows]
        return joined(self.first.take(both), self.second.take(both))


def sides(table: Tokens) -> tuple[Tables, Counts]:
    """Return two tables as the kernel takes them, and which of their rows are those of `table`."""
    if isinstance(table, Joined):
        first, second, rows = table.first, table.second, table.rows
    else:
        assert isinstance(table, TokenTable)
        first, rows = table, np.arange(len(table))
        second = TokenTable(np.empty(0, np.uint64), np.zeros(len(table) + 1, np.int64))
    tables = [(one.hashes, one.offsets) for one in (first, second)]
    return tables, np.ascontiguousarray(rows, np.int64)


def mix(values: Hashes) -> Hashes:
    """Return the finaliser of splitmix64: every input bit moves every output bit."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def pieces(table: TokenTable) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of about `_PIECE_TOKENS` tokens, which stay in the cache."""
    begin, rows = 0, len(table)
    while begin < rows:
        full = int(np.searchsorted(table.offsets, table.offsets[begin] + _PIECE_TOKENS, "right"))
        end = min(rows, max(begin + 1, full - 1))
        yield begin, end
        begin = end


def sequence_hashes(table: TokenTable) -> Hashes:
    """Return one hash per row over its tokens in order: equal for rows equal after normalising."""
    if library() is not None:
        return kernel.row_hashes(*table.plain, ordered=True)
    lengths = table.lengths
    out = mix(lengths.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    for begin, end in pieces(table):
        filled = np.flatnonzero(lengths[begin:end]) + begin
        if not filled.size:
            continue
        low, high = int(table.offsets[begin]), int(table.offsets[end])
        weighted = np.arange(low, high, dtype=np.uint64)
        weighted -= np.repeat(table.offsets[begin:end].astype(np.uint64), lengths[begin:end])
        weighted *= np.uint64(0xC2B2AE3D27D4EB4F)
        weighted += table.hashes[low:high]
        out[filled] ^= np.add.reduceat(mix(weighted), table.offsets[filled] - low)
    return out


def only_symbols(table: TokenTable) -> TokenTable:
    """Return the numbers and operators of each row, in their order."""
    if library() is not None:
        found, counts = kernel.only_symbols(*table.plain)
        return TokenTable(found, starts(counts))
    parts, counts = [np.empty(0, np.uint64)], np.empty(len(table), np.int64)
    for begin, end in pieces(table):
        low, high = int(table.offsets[begin]), int(table.offsets[end])
        place = np.flatnonzero(table.hashes[low:high] & np.uint64(1))
        parts.append(table.hashes[low:high][place])
        counts[begin:end] = np.diff(np.searchsorted(place, table.offsets[begin : end + 1] - low))
    return TokenTable(np.concatenate(parts), starts(counts))


def bags(table: TokenTable) -> Hashes:
    """Return one hash per row over its tokens in any order, each as often as it occurs."""
    if library() is not None:
        return kernel.row_hashes(*table.plain, ordered=False)
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mix(table.hashes))])
    return np.asarray(total[table.offsets[1:]] - total[table.offsets[:-1]])
