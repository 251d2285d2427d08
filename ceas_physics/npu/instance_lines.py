"""What the readers of text instances share: lines with their numbers, checked numbers, a graph from its entries."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np

import ising
from ising import IsingModel

MOST_SITES = 10**8
SHORTEST_LINE = 2  # bytes: a digit and the end of the line
TextPath = str | PathLike[str]
Meaning = Literal["cut", "coupling"]


class Line(NamedTuple):
    """A line that is neither empty nor a comment."""

    place: str
    words: list[str]


def numbered_lines(path: TextPath, comment: str) -> Iterator[Line]:
    """The lines that hold something, split into words."""
    with open(path, "rb") as file:
        for number, text in enumerate(file, 1):
            if not text.isascii() and not text.lstrip().startswith(comment.encode()):
                raise ValueError(f"{path}, line {number}: not a text file of numbers (ASCII)")
            words = text.decode("ascii", "replace").split()
            if words and not words[0].startswith(comment):
                yield Line(f"{path}, line {number}", words)


def first_line(path: TextPath, lines: Iterator[Line]) -> Line:
    """The next line, of which there must be one."""
    line = next(lines, None)
    if line is None:
        raise ValueError(f"{path}: the file holds no numbers")
    return line


def refuse(line: Line, message: str) -> NoReturn:
    """ValueError with the place."""
    raise ValueError(f"{line.place}: {message}")


def integer(line: Line, word: str) -> int:
    """An integer >= 0."""
    if not re.fullmatch(r"\d{1,18}", word):
        refuse(line, f"expected an integer >= 0, got {word!r}")
    return int(word)


def real(line: Line, word: str) -> float:
    """A finite number."""
    try:
        value = float(word if "_" not in word else "")
    except ValueError:
        refuse(line, f"expected a number, got {word!r}")
    if not math.isfinite(value):
        refuse(line, f"numbers must be finite, got {word!r}")
    return value


def check_sizes(path: TextPath, line: Line, n_sites: int, n_lines: int) -> None:
    """Refuse sizes that a file of this length cannot hold."""
    if not 1 <= n_sites <= MOST_SITES:
        refuse(line, f"the number of sites must be in [1, {MOST_SITES}], got {n_sites}")
    if n_lines * SHORTEST_LINE > (size := Path(path).stat().st_size):
        refuse(line, f"{n_lines} entries are promised, but the file has only {size} bytes")


def graph_model(
    path: TextPath, lines: Iterator[Line], header: Line, n_sites: int, count: int, name: str, meaning: Meaning,
    both: bool = False,
) -> IsingModel:  # fmt: skip
    """The model of entries (i, j, value) with 1-based indices; `both`: (i, j) and (j, i) must both be there."""
    seen: dict[tuple[int, int], float] = {}
    n_read = 0
    for line in lines:
        n_read += 1
        if n_read > count:
            refuse(line, f"an entry more than the {count} that the header promises")
        i, j, value = _entry(line, n_sites)
        if i == j:
            if value:
                refuse(line, f"a self-loop at {i}: the diagonal must be zero")
        elif value or not both:
            key = (i, j) if both or i < j else (j, i)
            if key in seen:
                refuse(line, f"the entry ({i}, {j}) is given twice")
            seen[key] = value
    if n_read < count:
        refuse(header, f"{count} entries are promised, the file has {n_read}")
    if both:
        for (i, j), value in seen.items():
            if seen.get((j, i)) != value:
                raise ValueError(f"{path}: the matrix is not symmetric at ({i}, {j}): {value}, {seen.get((j, i), 0.0)}")
        seen = {key: value for key, value in seen.items() if key[0] < key[1]}
    bonds = np.array(list(seen), dtype=np.int64).reshape(-1, 2) - 1
    values = np.fromiter(seen.values(), dtype=np.float64, count=len(seen))
    if not math.isfinite(sum(map(abs, seen.values()))):
        raise ValueError(f"{path}: the sum of all weights is too large for a number")
    attrs: dict[str, Any] = {"file": Path(path).name}
    if meaning == "cut":
        attrs["total_weight"] = float(values.sum())
    lattice = ising.from_bonds(n_sites, bonds, name=Path(path).stem)
    return IsingModel(lattice, -values if meaning == "cut" else values, name=name, attrs=attrs)


def _entry(line: Line, n_sites: int) -> tuple[int, int, float]:
    if len(line.words) not in (2, 3):
        refuse(line, f"expected i j value, got {' '.join(line.words)!r}")
    i, j = (integer(line, word) for word in line.words[:2])
    if not (1 <= i <= n_sites and 1 <= j <= n_sites):
        refuse(line, f"indices must be in [1, {n_sites}], got {i} {j}")
    return i, j, real(line, line.words[2]) if len(line.words) == 3 else 1.0
