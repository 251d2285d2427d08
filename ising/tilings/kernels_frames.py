"""Compiled: isometries of the disk in pairs of doubles (106 bits), from the frames of a layer to those of the next.

A frame is the isometry z -> (a z + b) / (conj(b) z + conj(a)), |a|^2 - |b|^2 = 1, that takes the origin to a site and
the positive real axis to the ray towards the site's parent. It is kept as eight doubles: Re a, Im a, Re b, Im b, each
high part then low part. A ball of radius R has e^R directions on its rim, so doubles alone would lose the length of an
edge there; sums and products of pairs are those of Dekker (1971).
"""

from __future__ import annotations

from numba import njit

SPLITTER = 134217729.0  # 2^27 + 1 cuts a double into two halves whose products are exact


@njit(cache=True, nogil=True, inline="always")
def _multiply_exact(x, y):  # type: ignore[no-untyped-def]
    """The product of two doubles and its rounding error."""
    product = x * y
    scaled = SPLITTER * x
    x_high = scaled - (scaled - x)
    x_low = x - x_high
    scaled = SPLITTER * y
    y_high = scaled - (scaled - y)
    y_low = y - y_high
    return product, ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low


@njit(cache=True, nogil=True, inline="always")
def _multiply(x, x_low, y, y_low):  # type: ignore[no-untyped-def]
    product, error = _multiply_exact(x, y)
    error += x * y_low + x_low * y
    total = product + error
    return total, error - (total - product)


@njit(cache=True, nogil=True, inline="always")
def _add(x, x_low, y, y_low):  # type: ignore[no-untyped-def]
    total = x + y
    part = total - x
    error = (x - (total - part)) + (y - part) + (x_low + y_low)
    rounded = total + error
    return rounded, error - (rounded - total)


@njit(cache=True, nogil=True, inline="always")
def _combine(x, x_low, u, u_low, y, y_low, v, v_low):  # type: ignore[no-untyped-def]
    """Value of x u + y v."""
    first, first_low = _multiply(x, x_low, u, u_low)
    second, second_low = _multiply(y, y_low, v, v_low)
    return _add(first, first_low, second, second_low)


@njit(cache=True, nogil=True)
def advance(frames, parent, slot, turns, step, moved):  # type: ignore[no-untyped-def]
    """Frames of children: turn the parent's by slot, go one edge, turn round.

    frames (n_parents, 8); parent, slot (n,); turns (n_slots, 4): cos and sin of pi slot / q; step (4,): cosh and sinh
    of half an edge; moved (n, 8) is filled.
    """
    cosh, cosh_low, sinh, sinh_low = step[0], step[1], step[2], step[3]
    for i in range(parent.size):
        ax, axl, ay, ayl, bx, bxl, by, byl = frames[parent[i]]
        c, cl, s, sl = turns[slot[i]]
        px, pxl = _combine(ax, axl, c, cl, -ay, -ayl, s, sl)  # a exp(i phi / 2)
        py, pyl = _combine(ax, axl, s, sl, ay, ayl, c, cl)
        mx, mxl = _combine(bx, bxl, c, cl, by, byl, s, sl)  # b exp(-i phi / 2)
        my, myl = _combine(by, byl, c, cl, -bx, -bxl, s, sl)
        ax, axl = _combine(px, pxl, cosh, cosh_low, mx, mxl, sinh, sinh_low)
        ay, ayl = _combine(py, pyl, cosh, cosh_low, my, myl, sinh, sinh_low)
        bx, bxl = _combine(px, pxl, sinh, sinh_low, mx, mxl, cosh, cosh_low)
        by, byl = _combine(py, pyl, sinh, sinh_low, my, myl, cosh, cosh_low)
        frame = moved[i]
        frame[0], frame[1], frame[2], frame[3] = -ay, -ayl, ax, axl  # i a
        frame[4], frame[5], frame[6], frame[7] = by, byl, -bx, -bxl  # -i b


@njit(cache=True, nogil=True, error_model="numpy")
def locate(frames, z, residual, gap):  # type: ignore[no-untyped-def]
    """Where the frames take the origin: b / conj(a) rounded, what the rounding left, and 1 - |z|^2 = 1 / |a|^2."""
    for i in range(z.size):
        ax, axl, ay, ayl, bx, bxl, by, byl = frames[i]
        square = ax * ax + ay * ay
        zx, zy = (bx * ax - by * ay) / square, (bx * ay + by * ax) / square
        x, x_low = _combine(zx, 0.0, ax, axl, zy, 0.0, ay, ayl)  # z conj(a)
        y, y_low = _combine(zy, 0.0, ax, axl, -zx, 0.0, ay, ayl)
        x = (bx - x) + (bxl - x_low)
        y = (by - y) + (byl - y_low)
        rest_x, rest_y = (x * ax - y * ay) / square, (x * ay + y * ax) / square
        z[i] = complex(zx + rest_x, zy + rest_y)
        residual[i] = complex(rest_x - (z[i].real - zx), rest_y - (z[i].imag - zy))
        gap[i] = 1 / square
