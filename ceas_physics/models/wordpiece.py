"""WordPiece tokens of BERT: words and punctuation marks, each cut greedily into the longest known pieces."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np

LONGEST_WORD = 100
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class WordPiece:
    """Text -> token ids with a vocabulary piece -> id, where ``##`` marks the pieces inside a word.

    ``lowercase`` also strips accents, as the uncased models do (Devlin et al. 2018).

    Examples
    --------
    >>> WordPiece({"[UNK]": 0, "spin": 1, "##s": 2, ".": 3})("Spins.").tolist()
    [1, 2, 3]
    """

    def __init__(self, vocabulary: Mapping[str, int], lowercase: bool = True) -> None:
        if "[UNK]" not in vocabulary:
            raise ValueError("a WordPiece vocabulary needs [UNK]; this one has none: give the vocab.txt of the model")
        self.vocabulary, self.lowercase = vocabulary, lowercase

    def __call__(self, text: str) -> np.ndarray:
        """Token ids without [CLS] and [SEP], shape (n_tokens,)."""
        ids = [token for word in self._words(text) for token in self._pieces(word)]
        return np.array(ids, dtype=np.int64)

    def _words(self, text: str) -> Iterable[str]:
        kept = "".join(_spaced(character) for character in text)
        if self.lowercase:
            kept = "".join(c for c in unicodedata.normalize("NFD", kept.lower()) if unicodedata.category(c) != "Mn")
        return "".join(f" {c} " if _punctuation(c) else c for c in kept).split()

    def _pieces(self, word: str) -> list[int]:
        pieces: list[int] = []
        start, unknown = 0, [self.vocabulary["[UNK]"]]
        if len(word) > LONGEST_WORD:
            return unknown
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self.vocabulary), None)
            if end is None:
                return unknown
            pieces.append(self.vocabulary[prefix + word[start:end]])
            start = end
        return pieces


def _spaced(character: str) -> str:
    """Control characters vanish, white space becomes a space, an ideograph becomes a word."""
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if character == "\ufffd" or unicodedata.category(character).startswith("C"):
        return ""
    return f" {character} " if any(a <= ord(character) <= b for a, b in IDEOGRAPHS) else character


def _punctuation(character: str) -> bool:
    """Punctuation of Unicode, and every ASCII sign that is neither a letter, a digit nor a space."""
    if unicodedata.category(character).startswith("P"):
        return True
    return character.isascii() and character.isprintable() and not (character.isalnum() or character == " ")
