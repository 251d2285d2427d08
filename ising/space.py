"""Single large flat lattices: `SpaceUnit` carries one chain, 64 spins of a row in the bits of a word.

One bit a spin and no table of the lattice: neither its bonds nor its coordinates are ever built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kernels_space
from .lattice import Lattice
from .model import IsingModel
from .observables import Arrays
from .streams import Purpose, generator, wide_states
from .tables import N_DIGITS, flip_probability, polynomials, up_probability
from .unit_state import fill
from .words import ONES, WIDTH

BITS = 64
ROW_UNIT = 2 * BITS  # a row of L sites is two colours of L / 128 words
ROWS_AT_ONCE = 1024


def fits_space(model: IsingModel) -> bool:
    """Whether `SpaceUnit` covers the model: square or cubic, L a multiple of 128, one J, one h."""
    uniform = not isinstance(model.couplings, np.ndarray) and not isinstance(model.fields, np.ndarray)
    return uniform and not model.disordered and _shape(model.lattice) is not None


def _shape(lattice: Lattice) -> tuple[int, int] | None:
    """(L, dimension) of a square or cubic torus whose rows fill whole words; None for everything else."""
    L, d = lattice.attrs.get("L"), lattice.dimension
    if d not in (2, 3) or not isinstance(L, int) or L % ROW_UNIT:
        return None
    names = (f"hypercubic({L}, {d})", f"square({L})" if d == 2 else f"cubic({L})")
    return (L, d) if lattice.name in names else None


def space_digits(update: str, beta: float, coupling: float, field: float, degree: int) -> NDArray[np.uint64]:
    """Digits of P(up | number of up neighbours, old spin), as coefficients of an XOR polynomial.

    Heat bath: P = 1 / (1 + exp(-2 beta f)), f the local field. Metropolis: a spin s flips with probability
    (15/16) min(1, exp(-2 beta s f)): see `tables.LAZINESS`.

    Returns
    -------
    (N_DIGITS, 1 or 2, 8) uint64, zeros or all ones: digit d of P is the XOR over k of coefficient [d, 0, k] AND
    monomial_k, and of coefficient [d, 1, k] AND monomial_k AND old spin; monomial_k is the product of the count's bits
    at which k has a one. Heat bath has no second part.
    """
    fields = [coupling * (2 * count - degree) + field for count in range(degree + 1)]
    if update == "heat_bath":
        rows = [[up_probability(beta, f) for f in fields]]
    else:
        rise = [flip_probability(beta, -2 * f) for f in fields]
        stay = [1.0 - flip_probability(beta, 2 * f) for f in fields]
        rows = [rise, stay]
    bits = np.zeros((N_DIGITS, len(rows), 8), dtype=bool)
    for old, row in enumerate(rows):
        for count, p in enumerate(row):
            integer = min(int(p * 2.0**N_DIGITS + 0.5), 2**N_DIGITS - 1)
            bits[:, old, count] = integer >> np.arange(N_DIGITS - 1, -1, -1) & 1
    coefficients = polynomials(bits)
    coefficients[:, 1:] ^= coefficients[:, :1]
    return np.where(coefficients, ONES, np.uint64(0))


class SpaceUnit:
    """One chain at one beta on a large square or cubic lattice; every sweep measures energy and magnetization."""

    def __init__(
        self,
        model: IsingModel,
        update: str,
        beta_index: int,
        beta: float,
        chain: int,
        seed: int,
        disorder: int,
        initial: Any,
    ) -> None:
        shape = _shape(model.lattice)
        if shape is None or not fits_space(model):
            raise ValueError(
                f"{model.lattice.name} is no square or cubic torus with L % {ROW_UNIT} = 0, one J and one h"
            )
        if update not in ("heat_bath", "metropolis"):
            raise ValueError(f"update must be 'heat_bath' or 'metropolis' here, got {update!r}")
        self.model, self.beta_index, self.chain = model, beta_index, chain
        self.L, self.dimension = shape
        key = (model.lattice.n_sites, disorder, beta_index, chain)
        self.rng = wide_states(seed, Purpose.SAMPLING, [key])[0]
        self.digits = space_digits(update, float(beta), model.couplings, model.fields, 2 * self.dimension)
        self.planes = _initial_planes(initial, self.L, self.dimension, beta_index, chain, seed, key)
        self.scratch = _scratch(self.L, self.dimension)

    def warm_up(self, n_sweeps: int) -> None:
        """Sweep without measuring."""
        one_draw, nothing = np.empty((1, 3), np.int64), np.empty(0)
        kernels_space.run(self.planes, self.digits, self.rng, n_sweeps, self.scratch, one_draw, nothing)

    def draw(self, results: Arrays, start: int, stop: int, thin: int) -> None:
        """Fill draws start..stop of this chain: energy, magnetizations, structure factor."""
        counts = np.empty((stop - start, 3), np.int64)
        structure = np.empty(stop - start if "structure_factor" in results else 0)
        kernels_space.run(self.planes, self.digits, self.rng, thin, self.scratch, counts, structure)
        n = self.model.lattice.n_sites
        up, up_pairs, up_first = counts.T
        moment = 2 * up - n
        satisfied_excess = self.dimension * n - 4 * (self.dimension * up - up_pairs)  # an up spin has 2 d bonds
        values = {
            "energy": (-self.model.couplings * satisfied_excess - self.model.fields * moment) / n,
            "magnetization": moment / n,
            "structure_factor": structure / n,
            "staggered_magnetization": 2 * (2 * up_first - up) / n,
        }
        for name, out in results.items():
            out[self.beta_index, self.chain, start:stop] = values[name]

    def configurations(self) -> list[tuple[int, int, NDArray[np.int8]]]:
        """The spins in the order of the lattice's sites, one byte each."""
        return [(self.beta_index, self.chain, unpack(self.planes)[None])]

    def statistics(self) -> dict[str, tuple[int, NDArray[Any]]]:
        """Nothing: no exchange here."""
        return {}

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """Spins and random numbers, live."""
        return {"planes": self.planes, "rng": self.rng}

    def restore(self, checkpoint: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `checkpoint` of the same unit."""
        fill(self.checkpoint(), checkpoint)


def pack(spins: NDArray[np.int8], L: int, dimension: int) -> NDArray[np.uint64]:
    """(n_sites,) of +-1 in row-major order -> the planes of `kernels_space`."""
    planes = _empty_planes(L, dimension)
    cube = spins.reshape(-1, L, L)
    for rows, sites in _stripes(planes.shape[1], L):
        bits = (cube[sites] > 0).reshape(-1, BITS, L // ROW_UNIT).transpose(0, 2, 1)  # (rows, words, bits)
        planes[rows] = np.packbits(bits, axis=-1, bitorder="little").view("<u8")[..., 0]
    return _close(planes)


def unpack(planes: NDArray[np.uint64]) -> NDArray[np.int8]:
    """Planes of `kernels_space` -> (n_sites,) of +-1 in row-major order."""
    _, n_slabs, n_rows, n_words = planes.shape
    L = n_rows - 2
    cube = np.empty((n_slabs, L, L), np.int8)
    for rows, sites in _stripes(n_slabs, L):
        octets = np.ascontiguousarray(planes[rows]).astype("<u8").view(np.uint8)
        bits = np.unpackbits(octets.reshape(-1, n_words, 8), axis=-1, bitorder="little")  # (rows, words, bits)
        np.multiply(bits.transpose(0, 2, 1).reshape(-1, L // 2), 2, out=cube[sites], casting="unsafe")
    cube -= 1
    return cube.reshape(-1)


def _stripes(n_slabs: int, L: int) -> Iterator[tuple[Any, Any]]:
    """Pairs of indices, into planes and into (z, y, x), of the same sites: rows of one colour, slab and parity."""
    for z, colour, parity, first in product(range(n_slabs), range(2), range(2), range(0, L, ROWS_AT_ONCE)):
        last = min(first + ROWS_AT_ONCE, L)
        start = (z + colour + parity) % 2
        yield (
            (colour, z, slice(first + parity + 1, last + 1, 2)),
            (z, slice(first + parity, last, 2), slice(start, None, 2)),
        )


def _empty_planes(L: int, dimension: int) -> NDArray[np.uint64]:
    return np.empty((2, L if dimension == 3 else 1, L + 2, L // ROW_UNIT), np.uint64)


def _close(planes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Copy the first and last row of each slab beyond its other end."""
    planes[:, :, 0], planes[:, :, -1] = planes[:, :, -2], planes[:, :, 1]
    return planes


def _initial_planes(
    initial: Any, L: int, dimension: int, beta_index: int, chain: int, seed: int, key: tuple[int, ...]
) -> NDArray[np.uint64]:
    if not isinstance(initial, str):
        return pack(np.asarray(initial[beta_index, chain]), L, dimension)
    planes = _empty_planes(L, dimension)
    if initial == "up":
        planes[:] = ONES
        return planes
    rng = generator(seed, Purpose.INITIAL, *key)
    for colour, z, first in product(range(2), range(planes.shape[1]), range(1, L + 1, ROWS_AT_ONCE)):
        block = planes[colour, z, first : min(first + ROWS_AT_ONCE, L + 1)]
        block[:] = rng.integers(0, 2**64, block.shape, dtype=np.uint64)
    return _close(planes)


def _scratch(L: int, dimension: int) -> kernels_space.Scratch:
    n_words, n_slabs = L // ROW_UNIT, L if dimension == 3 else 1
    phase = 2 * pi / L * np.arange(L)
    return kernels_space.Scratch(
        side=np.empty(8 * n_words * max(1, 64 // n_words), np.uint64),
        sums=np.empty((2, WIDTH), np.uint64),
        waves=np.array([np.cos(phase), np.sin(phase)]),
        counters=np.empty((2, (n_slabs * L // 8).bit_length(), 8 * n_words), np.uint64),
        columns=np.empty((2, n_words, BITS), np.int32),
        layers=np.empty((dimension, L), np.int64),
    )
