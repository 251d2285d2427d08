"""Trees of JSON values and arrays as bytes, and back: a JSON header, then the arrays as they lie in memory.

Nothing is ever executed, and nothing is allocated that the bytes do not hold.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import StoreError

MAGIC = b"ceas tree 1\n"
ARRAY = "$array"  # the only key where an array stood
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")


def pack(tree: Any) -> bytes:
    """Dicts, lists, strings, numbers, booleans, None and numpy arrays as bytes."""
    arrays: list[NDArray[Any]] = []
    head = {"tree": _without_arrays(tree, arrays), "arrays": [[a.dtype.str, list(a.shape)] for a in arrays]}
    text = json.dumps(head).encode()
    return b"".join([MAGIC, len(text).to_bytes(8, "little"), text, *(a.tobytes() for a in arrays)])


def unpack(data: bytes) -> Any:
    """The tree of `pack`, equal in every bit.

    Raises
    ------
    StoreError
        Other bytes.
    """
    try:
        start = len(MAGIC) + 8
        length = int.from_bytes(data[len(MAGIC) : start], "little")
        if data[: len(MAGIC)] != MAGIC or start + length > len(data):
            raise ValueError("not a tree")
        head = json.loads(data[start : start + length])
        return _with_arrays(head["tree"], _arrays(head["arrays"], data, start + length))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise StoreError(f"a checkpoint is damaged ({error}); put back a copy, or run again") from None


def _arrays(described: Any, data: bytes, position: int) -> list[NDArray[Any]]:
    arrays = []
    for dtype, shape in described:
        if dtype not in DTYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError(f"an array of dtype {dtype!r} and shape {shape}")
        count = 1
        for n in shape:
            count *= n
        size = count * np.dtype(dtype).itemsize
        if position + size > len(data):
            raise ValueError(f"an array of shape {shape} that the file cannot hold")
        arrays.append(np.frombuffer(data, dtype, count, position).reshape(shape))
        position += size
    if position != len(data):
        raise ValueError("bytes too many")
    return arrays


def _without_arrays(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {ARRAY: len(arrays) - 1}
    if isinstance(value, dict):
        return {str(key): _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(item, arrays) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return arrays[value[ARRAY]]
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    return [_with_arrays(item, arrays) for item in value] if isinstance(value, list) else value
