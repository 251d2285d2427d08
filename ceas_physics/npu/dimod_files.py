"""Files of dimod as Ising models, read here byte by byte: a damaged file must not reach compiled code unchecked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import ising
from ising import IsingModel

from .. import arguments as rules
from .instance_lines import TextPath
from .problems import from_qubo

MAGIC = b"DIMODBQM"
VERSIONS = (1, 2)
JSON_SCHEMA = "3."
FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


class Quadratic(NamedTuple):
    """sum_i linear_i x_i + sum_k biases_k x_pairs[k,0] x_pairs[k,1] + offset."""

    vartype: str
    offset: float
    linear: NDArray[np.float64]
    pairs: NDArray[np.int64]
    biases: NDArray[np.float64]


@rules.checked(path=rules.path)
def read_dimod(path: TextPath) -> IsingModel:
    """A binary quadratic model of dimod, from ``bqm.to_file()`` or as JSON of ``bqm.to_serializable()``.

    The energy of the file is E + ``attrs["offset"]``; sites are in the order of its variables. Needs no dimod.

    Raises
    ------
    ValueError
        A damaged file.
    """
    content = Path(path).read_bytes()
    binary = content.startswith(MAGIC)
    try:
        document = None if binary else json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: neither a BQM file of dimod nor JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: neither a BQM file of dimod nor JSON: {error}") from None
    try:
        return _model(_from_binary(content) if binary else _from_json(document))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: damaged BQM: {error or type(error).__name__}") from error


def _from_binary(content: bytes) -> Quadratic:
    """Header, offset, then for each variable where its neighbours start and its bias, then neighbours and biases."""
    if content[8] not in VERSIONS:
        raise ValueError(f"its version is {content[8]}, known are {VERSIONS}; write it anew with bqm.to_file()")
    at = 14 + int.from_bytes(content[10:14], "little")
    header = json.loads(content[14:at])
    n, n_pairs = (int(number) for number in header["shape"])
    bias = _dtype(header["dtype"], FLOATS)
    linear_type = np.dtype([("start", _dtype(header["ntype"], INTEGERS)), ("bias", bias)])
    pair_type = np.dtype([("to", _dtype(header["itype"], INTEGERS)), ("bias", bias)])
    needed = bias.itemsize + n * linear_type.itemsize + 2 * n_pairs * pair_type.itemsize
    if min(n, n_pairs) < 0 or needed > len(content) - at:
        raise ValueError(f"its header promises {needed} bytes of biases, the file has {max(0, len(content) - at)}")
    offset = np.frombuffer(content, bias, 1, at)
    linear = np.frombuffer(content, linear_type, n, at + bias.itemsize)
    rows = np.frombuffer(content, pair_type, 2 * n_pairs, at + bias.itemsize + linear.nbytes)
    degrees = np.diff(np.append(linear["start"].astype(np.int64), 2 * n_pairs), prepend=0)
    if (degrees < 0).any() or degrees[0] != 0:
        raise ValueError("the rows of its variables are out of order")
    site, to = np.repeat(np.arange(n), degrees[1:]), rows["to"].astype(np.int64)
    lower = to < site
    if lower.sum() != n_pairs:
        raise ValueError("its interactions are not symmetric")
    pairs = np.stack([to[lower], site[lower]], axis=-1)
    return Quadratic(header["vartype"], float(offset[0]), linear["bias"], pairs, rows["bias"][lower])


def _from_json(document: Any) -> Quadratic:
    """The lists of ``to_serializable(use_bytes=False)``."""
    if not str(document["version"]["bqm_schema"]).startswith(JSON_SCHEMA) or document["use_bytes"]:
        raise ValueError("its schema is not 3.x without bytes; write it anew with bqm.to_serializable()")
    head, tail = (np.array(document[f"quadratic_{end}"]) for end in ("head", "tail"))
    if head.size and not (head.dtype.kind == tail.dtype.kind == "i"):
        raise ValueError("quadratic_head and quadratic_tail must be integers")
    pairs = np.stack([head, tail], axis=-1).astype(np.int64)
    linear, biases = document["linear_biases"], document["quadratic_biases"]
    if len(linear) != len(document["variable_labels"]):
        raise ValueError(f"{len(document['variable_labels'])} variables, but {len(linear)} linear biases")
    return Quadratic(document["variable_type"], float(document["offset"]), linear, pairs, biases)


def _model(bqm: Quadratic) -> IsingModel:
    linear, biases = np.array(bqm.linear, dtype=np.float64), np.array(bqm.biases, dtype=np.float64)
    n = len(linear)
    if not n:
        raise ValueError("it has no variables")
    if len(biases) != len(bqm.pairs) or not ((bqm.pairs >= 0) & (bqm.pairs < n)).all():
        raise ValueError(f"its interactions do not fit its {n} variables")
    if not (np.isfinite(linear).all() and np.isfinite(biases).all() and np.isfinite(bqm.offset)):
        raise ValueError("biases must be finite")
    if bqm.vartype == "BINARY":
        model = from_qubo(linear, bqm.pairs, biases, bqm.offset)
        return IsingModel(model.lattice, model.couplings, model.fields, "bqm", dict(model.attrs))
    if bqm.vartype != "SPIN":
        raise ValueError(f"its variables must be SPIN or BINARY, not {bqm.vartype!r}")
    return IsingModel(ising.from_bonds(n, bqm.pairs, "bqm"), -biases, -linear, "bqm", {"offset": bqm.offset})


def _dtype(name: Any, allowed: tuple[str, ...]) -> np.dtype[Any]:
    if name not in allowed:
        raise ValueError(f"its numbers must be one of {', '.join(allowed)}, not {name!r}")
    return np.dtype(name)
