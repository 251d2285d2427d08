"""Reader of GGUF files, versions 2 and 3: typed metadata, a list of tensors, then their aligned bytes."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from .quantized import TYPES

SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


class _Cursor:
    """Reads little-endian values one after the other; struct.error or UnicodeDecodeError where there are none."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.place = data.data, 0

    def scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self.data, self.place)
        self.place += struct.calcsize(f"<{code}")
        return value

    def count(self) -> int:
        """A length, which cannot be larger than what is left of the file."""
        count = self.scalar("Q")
        if count > len(self.data) - self.place:
            raise struct.error(f"a length of {count} does not fit")
        return count

    def string(self) -> str:
        length = self.count()
        self.place += length
        return str(self.data[self.place - length : self.place], "utf-8")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner = self.scalar("I")
            return [self.value(inner) for _ in range(self.count())]
        if kind not in SCALARS:
            raise struct.error(f"unknown type of metadata {kind}")
        return self.scalar(SCALARS[kind])


def read_gguf(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Metadata, and name -> array in single precision, axes ordered as numpy's (the file lists the last one first).

    Raises
    ------
    ValueError
        The file is truncated or not GGUF, or a tensor is of a type other than F32, F16, BF16, Q4_0, Q4_1, Q8_0.
    """
    data = np.memmap(path, mode="r") if path.stat().st_size else np.zeros(0, np.uint8)
    if bytes(data[:4]) != b"GGUF":
        raise ValueError(f"{path} is not a GGUF file: it does not begin with GGUF")
    cursor = _Cursor(data[4:])
    try:
        if (release := cursor.scalar("I")) not in (2, 3):
            raise ValueError(f"{path} is GGUF version {release}, known are 2 and 3")
        n_tensors, n_entries = cursor.count(), cursor.count()
        metadata = {cursor.string(): cursor.value(cursor.scalar("I")) for _ in range(n_entries)}
        listed = [_listing(cursor) for _ in range(n_tensors)]
    except (struct.error, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is truncated or broken in its header ({error}); fetch it again") from None
    alignment = metadata.get("general.alignment", 32)
    start = -(-(cursor.place + 4) // alignment) * alignment
    return metadata, {entry[0]: _tensor(data[start:], *entry, path) for entry in listed}


def _listing(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    """Name, shape, type and offset of a tensor."""
    name, n_axes = cursor.string(), cursor.scalar("I")
    if n_axes > 4:
        raise struct.error(f"a tensor with {n_axes} axes")
    shape = tuple(cursor.scalar("Q") for _ in range(n_axes))[::-1]
    return name, shape, cursor.scalar("I"), cursor.scalar("Q")


def _tensor(data: np.ndarray, name: str, shape: tuple[int, ...], kind: int, offset: int, path: Path) -> np.ndarray:
    if kind not in TYPES:
        known = ", ".join(entry[0] for entry in TYPES.values())
        raise ValueError(f"{path}: tensor {name} is packed as ggml type {kind}, known are {known}")
    _, block, size, unpack = TYPES[kind]
    count = prod(shape)
    end = offset + count // block * size
    if count % block or end > data.size:
        raise ValueError(f"{path}: tensor {name} ends at byte {end} of {data.size}: truncated; fetch it again")
    return unpack(np.array(data[offset:end])).reshape(shape)
