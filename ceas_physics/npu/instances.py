"""Instance files as Ising models: G-set, MatrixMarket, COO, and the files of dimod.

Every error names the file and the line (for binary files what is missing), and sizes are compared with the length of
the file before anything is allocated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

import ising
from ising import IsingModel

from .. import arguments as rules
from .dimod_files import read_dimod
from .instance_lines import (
    Line,
    Meaning,
    TextPath,
    check_sizes,
    first_line,
    graph_model,
    integer,
    numbered_lines,
    real,
    refuse,
)
from .problems import from_qubo

BANNER = (("%%matrixmarket",), ("matrix",), ("coordinate", "array"), ("real", "integer", "pattern"),
          ("general", "symmetric"))  # fmt: skip


@rules.checked(path=rules.path)
def read_instance(path: TextPath) -> IsingModel:
    """Read a file by its ending: ``.mtx`` MatrixMarket, ``.coo`` COO, ``.bqm`` and ``.json`` dimod, others G-set."""
    readers: dict[str, Callable[[TextPath], IsingModel]] = {
        ".mtx": read_matrix_market,
        ".coo": read_coo,
        ".bqm": read_dimod,
        ".json": read_dimod,
    }
    return readers.get(Path(path).suffix.lower(), read_gset)(path)


@rules.checked(path=rules.path)
def read_gset(path: TextPath) -> IsingModel:
    """A graph for Max-Cut in the format of the G-set: a line ``N M``, then M lines ``i j w`` with 1-based vertices.

    J = -w, so that cut = (W - E) / 2, see `cut_weight`; w is 1 where left out.

    Raises
    ------
    ValueError
        A malformed file, with the number of the line.
    """
    lines = numbered_lines(path, "#")
    header = first_line(path, lines)
    if len(header.words) != 2:
        refuse(header, f"expected the two numbers N M, got {' '.join(header.words)!r}")
    n_sites, n_edges = (integer(header, word) for word in header.words)
    check_sizes(path, header, n_sites, n_edges)
    return graph_model(path, lines, header, n_sites, n_edges, "gset", "cut")


@rules.checked(path=rules.path, meaning=rules.one_of("cut", "coupling"))
def read_matrix_market(path: TextPath, meaning: Meaning = "cut") -> IsingModel:
    """A symmetric matrix in a MatrixMarket file, coordinate or array; real, integer or pattern.

    Parameters
    ----------
    path
        A ``general`` matrix must be symmetric in its numbers; the diagonal must be empty or zero.
    meaning
        ``"cut"``: entries are the weights of Max-Cut, J = -w. ``"coupling"``: entries are J.

    Raises
    ------
    ValueError
        A malformed file, with the number of the line.
    """
    layout, kind, symmetry = _banner(path)
    lines = numbered_lines(path, "%")
    size = first_line(path, lines)
    expected = 3 if layout == "coordinate" else 2
    if len(size.words) != expected:
        refuse(size, f"expected {expected} sizes, got {' '.join(size.words)!r}")
    rows, columns, *count = (integer(size, word) for word in size.words)
    if rows != columns:
        refuse(size, f"a coupling matrix must be square, got {rows} x {columns}")
    if layout == "array":
        check_sizes(path, size, rows, _dense_count(rows, symmetry))
        lines = _entries_of_columns(size, lines, rows, symmetry)
        count = [_dense_count(rows, symmetry)]
    else:
        check_sizes(path, size, rows, count[0])
    if kind == "pattern":
        lines = (Line(line.place, line.words if len(line.words) != 2 else [*line.words, "1"]) for line in lines)
    return graph_model(path, lines, size, rows, count[0], "matrix_market", meaning, both=symmetry == "general")


@rules.checked(path=rules.path, vartype=rules.optional(rules.one_of("SPIN", "BINARY")))
def read_coo(path: TextPath, vartype: Literal["SPIN", "BINARY"] | None = None) -> IsingModel:
    """The text format of dimod: lines ``i j bias``, i = j for linear biases, and ``# vartype=SPIN`` or ``BINARY``.

    The energy of the file is E + ``attrs["offset"]``; its signs are opposite to ours. Sites are the variables in
    increasing order of their numbers; biases given twice add up.

    Parameters
    ----------
    path
        The file.
    vartype
        Needed where the file does not say it.

    Raises
    ------
    ValueError
        A malformed line, with its number, or no vartype.
    """
    kind = vartype or _vartype(path)
    if kind not in ("SPIN", "BINARY"):
        raise ValueError(f"{path}: vartype must be 'SPIN' or 'BINARY', got {kind!r}; say read_coo(path, vartype=...)")
    first, second, biases = [], [], []
    for line in numbered_lines(path, "#"):
        if len(line.words) != 3:
            refuse(line, f"expected three numbers i j bias, got {' '.join(line.words)!r}")
        first.append(integer(line, line.words[0]))
        second.append(integer(line, line.words[1]))
        biases.append(real(line, line.words[2]))
    if not first:
        raise ValueError(f"{path}: no line with a bias")
    labels, places = np.unique(np.array([first, second]), return_inverse=True)
    ends, bias = np.sort(places.reshape(2, -1), axis=0), np.array(biases)
    alone = ends[0] == ends[1]
    linear = np.bincount(ends[0, alone], bias[alone], len(labels))
    pairs, which = np.unique(ends[:, ~alone], axis=1, return_inverse=True)
    quadratic = np.bincount(which.ravel(), bias[~alone], pairs.shape[1])
    if kind == "BINARY":
        return from_qubo(linear, pairs.T, quadratic)
    return IsingModel(ising.from_bonds(len(labels), pairs.T, "coo"), -quadratic, -linear, "coo", {"offset": 0.0})


def _banner(path: TextPath) -> tuple[str, str, str]:
    """Layout, kind of number and symmetry, from the first line of a MatrixMarket file."""
    with open(path, encoding="latin-1") as file:
        words = file.readline(200).lower().split()
    known = len(words) == len(BANNER) and all(word in names for word, names in zip(words, BANNER))
    if not known or words[2:4] == ["array", "pattern"]:
        raise ValueError(
            f"{path}, line 1: expected '%%MatrixMarket matrix' and the words coordinate or array, real, integer or "
            f"pattern (coordinate only), general or symmetric; got {' '.join(words)!r}"
        )
    return words[2], words[3], words[4]


def _dense_count(rows: int, symmetry: str) -> int:
    return rows * rows if symmetry == "general" else rows * (rows + 1) // 2


def _entries_of_columns(size: Line, lines: Iterator[Line], rows: int, symmetry: str) -> Iterator[Line]:
    """The numbers of an array, column by column, from the diagonal on where it is symmetric, with their indices."""
    for j in range(1, rows + 1):
        for i in range(1 if symmetry == "general" else j, rows + 1):
            line = next(lines, None)
            if line is None:
                refuse(size, f"{_dense_count(rows, symmetry)} entries are promised, the file ends before ({i}, {j})")
            if len(line.words) != 1:
                refuse(line, f"expected one number, got {' '.join(line.words)!r}")
            yield Line(line.place, [str(i), str(j), line.words[0]])
    yield from (Line(line.place, ["1", "1", "0"]) for line in lines)


def _vartype(path: TextPath) -> str | None:
    with open(path, encoding="latin-1") as file:
        found = re.match(r"\s*#.*?vartype\s*[=:]\s*(\w+)", file.readline(200))
    return found[1].upper() if found else None
