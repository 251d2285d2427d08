"""Byte-level byte-pair tokens of GPT-2 and its heirs: words of UTF-8 bytes, merged pair by pair in learned order."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np


@cache
def _class_of(kind: str) -> str:
    """Body of a regular expression's class with all characters of a Unicode category; Python's re has none."""
    members = [p for p in range(sys.maxunicode + 1) if unicodedata.category(chr(p)).startswith(kind)]
    runs: list[list[int]] = []
    for point in members:
        if runs and runs[-1][1] == point - 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)


@cache
def _word_pattern(single_digits: bool) -> re.Pattern[str]:
    """The words of GPT-2: contractions, and runs of letters, digits, signs or space, one space before allowed."""
    letter, digit = _class_of("L"), _class_of("N")
    numbers = f"[{digit}]" if single_digits else f" ?[{digit}]+"
    signs = rf" ?[^\s{letter}{digit}]+"
    space = rf"\s+(?=[{digit}])|\s+(?!\S)|\s+" if single_digits else r"\s+(?!\S)|\s+"
    return re.compile(rf"'(?:s|t|re|ve|m|ll|d)| ?[{letter}]+|{numbers}|{signs}|{space}")


@cache
def _byte_names() -> list[str]:
    """The visible character that stands for each byte: itself if printable in Latin-1, else one from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {byte: chr(byte) for byte in printable} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    return [names[byte] for byte in range(256)]


class BytePairs:
    """Text -> token ids with a vocabulary token -> id and the merges in learned order, each "left right".

    ``single_digits`` makes every digit a word, as SmolLM does. Names of special tokens in the text are plain text.

    Examples
    --------
    >>> BytePairs({"s": 0, "p": 1, "in": 2, "sp": 3, "i": 4, "n": 5}, ["i n", "s p"])("spin").tolist()
    [3, 2]
    """

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[str], single_digits: bool = False) -> None:
        self.vocabulary, self.single_digits = vocabulary, single_digits
        self.rank = {tuple(merge.split(" ", 1)): k for k, merge in enumerate(merges)}
        self._known = lru_cache(1 << 16)(self._tokens)

    def __call__(self, text: str) -> np.ndarray:
        """Token ids, shape (n_tokens,); ValueError for a byte that the vocabulary lacks."""
        words = _word_pattern(self.single_digits).findall(text)
        return np.array([token for word in words for token in self._known(word)], dtype=np.int64)

    def _tokens(self, word: str) -> list[int]:
        names = _byte_names()
        parts = [names[byte] for byte in word.encode("utf-8")]
        while len(parts) > 1:
            ranks = [self.rank.get(pair, len(self.rank)) for pair in pairwise(parts)]
            first = min(range(len(ranks)), key=ranks.__getitem__)
            if ranks[first] == len(self.rank):
                break
            parts[first : first + 2] = [parts[first] + parts[first + 1]]
        missing = [part for part in parts if part not in self.vocabulary]
        if missing:
            raise ValueError(f"the vocabulary has no token {missing[0]!r}; give the model's own tokenizer file")
        return [self.vocabulary[part] for part in parts]
