"""Numbers packed in blocks, as GGUF files hold them, to single precision.

A block has 32 numbers: a half-precision step d (and, in Q4_1, an offset m), then the integers q.
Q4_0: d (q - 8); Q4_1: d q + m; Q8_0: d q. The low halves of the 16 bytes of a 4-bit block are numbers 0..15, the high
halves 16..31 (layout of ggml).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .safetensors import from_bfloat16

BLOCK = 32


def _half(blocks: np.ndarray, byte: int) -> np.ndarray:
    """The half-precision number at ``byte`` of each block, (blocks, 1)."""
    return np.ascontiguousarray(blocks[:, byte : byte + 2]).view("<f2").astype(np.float32)


def _nibbles(blocks: np.ndarray, byte: int) -> np.ndarray:
    packed = blocks[:, byte : byte + 16]
    return np.hstack([packed & 15, packed >> 4]).astype(np.float32)


def _q4_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 18)
    return _half(blocks, 0) * (_nibbles(blocks, 2) - 8)


def _q4_1(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 20)
    return _half(blocks, 0) * _nibbles(blocks, 4) + _half(blocks, 2)


def _q8_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 34)
    return _half(blocks, 0) * blocks[:, 2:].view(np.int8)


# ggml's number of a type -> (name, numbers in a block, bytes of a block, unpacking of bytes)
TYPES: dict[int, tuple[str, int, int, Callable[[np.ndarray], np.ndarray]]] = {
    0: ("F32", 1, 4, lambda raw: raw.view("<f4")),
    1: ("F16", 1, 2, lambda raw: raw.view("<f2").astype(np.float32)),
    2: ("Q4_0", BLOCK, 18, _q4_0),
    3: ("Q4_1", BLOCK, 20, _q4_1),
    8: ("Q8_0", BLOCK, 34, _q8_0),
    30: ("BF16", 1, 2, lambda raw: from_bfloat16(raw.view("<u2"))),
}
