"""Character data: a text that every machine has, its tokens, and the training / validation split."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from os.path import isfile
from pathlib import Path

import numpy as np


def default_text() -> str:
    """About 0.46 MB of English prose and code: CPython's ``pydoc_data.topics``, joined in sorted order of its keys.

    It differs a little between Python versions; a run's attributes carry its hash.
    """
    from pydoc_data import topics  # 0.5 MB, read only when asked for

    return "".join(topics.topics[key] for key in sorted(topics.topics))


def read_text(source: str | Path | None) -> str:
    """The text itself for a str, the content of the UTF-8 file for a ``Path``, ``default_text()`` for None."""
    if source is None:
        return default_text()
    if isinstance(source, str):
        return source
    if not isinstance(source, Path):
        raise ValueError(f"text must be a str (the text itself), a pathlib.Path (a file) or None, got {source!r}")
    try:
        return source.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{source} is not a UTF-8 text (byte {error.start}); convert it, e.g. iconv -t UTF-8, or give another file"
        ) from None
    except OSError as error:
        raise ValueError(f"cannot read the text {source}: {error.strerror}; give a UTF-8 text file") from None


@dataclass(frozen=True)
class Corpus:
    """Tokens of a text: the first 90 % to train on, the last 10 % to validate on.

    Attributes
    ----------
    characters : str
        The vocabulary, sorted; token i is ``characters[i]``.
    training, validation : ndarray of int64, shape (n_characters,)
    digest : str
        SHA-256 of the text in UTF-8.
    """

    characters: str
    training: np.ndarray
    validation: np.ndarray
    digest: str


def encode(text: str, characters: str) -> np.ndarray:
    """Token numbers of ``text``, shape (n_characters,), in a sorted vocabulary; ValueError for a character outside."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    vocabulary = np.frombuffer(characters.encode("utf-32-le"), dtype=np.uint32)
    numbers = np.full(max(points.max(initial=0), vocabulary.max(initial=0)) + 1, -1, dtype=np.int64)
    numbers[vocabulary] = np.arange(len(vocabulary))
    tokens = numbers[points]
    foreign = points[tokens < 0]
    if foreign.size:
        raise ValueError(
            f"the text has the character {chr(foreign[0])!r}, which is not in the vocabulary of "
            f"{len(characters)} characters; give a text that uses only those, or train on this one"
        )
    return tokens


def digest(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return sha256(text.encode("utf-8")).hexdigest()


def split(tokens: np.ndarray, context: int) -> tuple[np.ndarray, np.ndarray]:
    """All but the last 10 % to train on, and the last 10 %; ValueError if a part has fewer than ``context + 1``."""
    validate = len(tokens) // 10
    if validate < context + 1:
        raise ValueError(
            f"the text has {len(tokens)} characters, of which the last 10 %, {validate}, validate; that part needs "
            f"at least context + 1 = {context + 1}: give a text of {10 * (context + 1)} or more, or a smaller context"
        )
    return tokens[:-validate], tokens[-validate:]


def corpus(source: str | Path | None, context: int) -> Corpus:
    """Encode and split a text, a UTF-8 file, or (None) ``default_text()``; each part holds ``context + 1`` or more."""
    text = read_text(source)
    characters = "".join(sorted(set(text)))
    try:
        parts = split(encode(text, characters), context)
    except ValueError as error:
        if isinstance(source, str) and isfile(source):
            raise ValueError(f"{error}; {source!r} is a file: pass pathlib.Path({source!r}) to read it") from None
        raise
    return Corpus(characters, *parts, digest(text))
