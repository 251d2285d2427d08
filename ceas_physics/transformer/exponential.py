"""exp for compiled loops: in single precision a polynomial that becomes vector code, in double precision the library's.

exp(x) = 2^n exp(r) with n the integer nearest to x/ln 2, and ln 2 in two parts so that r is exact to rounding. The
polynomial for exp(r), |r| <= ln(2)/2, has the coefficients of Cephes (S. Moshier); relative error below 2e-7. x is held
in [-87, 88], so that small weights stay normal numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

INVERSE_LN2 = np.float32(1.44269504)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
A0, A1, A2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
A3, A4, A5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
LOWEST, HIGHEST = np.float32(-87.0), np.float32(88.0)
ONE, ROUND = np.float32(1.0), np.float32(127.5)
BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)


def compiled(function: Any) -> Any:
    """Compile without the interpreter's lock, and keep the result on disk; IEEE arithmetic in the order written."""
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def _single(x: Any) -> Any:
    x = min(max(x, LOWEST), HIGHEST)
    exponent = np.int32(x * INVERSE_LN2 + ROUND)
    n = np.float32(exponent - BIAS)
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    y = ((((A0 * r + A1) * r + A2) * r + A3) * r + A4) * r + A5
    return (y * (r * r) + r + ONE) * np.int32(exponent << MANTISSA_BITS).view(np.float32)


def _double(x: Any) -> Any:
    return math.exp(x)


def exponential(x: float) -> float:
    """exp(x) of one number, in its precision."""
    return _single(x) if isinstance(x, np.float32) else _double(x)


@overload(exponential)
def _compiled_exponential(x: Any) -> Any:
    return _single if x == types.float32 else _double
