"""Reader of safetensors files: a JSON header with types, shapes and offsets, then the bytes of the tensors."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Single-precision numbers whose upper 16 bits are ``bits``."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Name -> array of a safetensors file, in single precision where it holds real numbers; the file is mapped.

    Raises
    ------
    ValueError
        The file is truncated, its header is not one, or a tensor has an unknown type or bytes outside the file.
    """
    data = np.memmap(path, mode="r") if path.stat().st_size > 8 else np.zeros(0, np.uint8)
    start = 8 + int(data[:8].view("<u8")[0]) if data.size else 1
    if start > data.size:
        raise ValueError(f"{path} is not a whole safetensors file: its header does not fit; fetch it again")
    try:
        header = json.loads(bytes(data[8:start]))
        entries = {name: header[name] for name in header if name != "__metadata__"}
        return {name: _tensor(data[start:], name, entry, path) for name, entry in entries.items()}
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"{path} is not a safetensors file: its header is broken ({error}); fetch it again") from None


def _tensor(data: np.ndarray, name: str, entry: dict, path: Path) -> np.ndarray:
    kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if kind not in TYPES:
        raise ValueError(f"{path}: tensor {name} has the type {kind}, known are {', '.join(TYPES)}")
    size = prod(shape) * np.dtype(TYPES[kind]).itemsize
    if not 0 <= begin <= end <= data.size or end - begin != size:
        raise ValueError(
            f"{path}: tensor {name} needs {size} bytes at {begin}, the file has {data.size} in all: "
            "it is truncated; fetch it again"
        )
    array = np.frombuffer(data, TYPES[kind], prod(shape), begin).reshape(shape)
    if kind == "BF16":
        return from_bfloat16(array)
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
