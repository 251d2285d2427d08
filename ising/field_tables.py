"""Set-up of `fields.py`, in plain numpy: graphs, layouts and first states for the kernels."""

from __future__ import annotations

from math import ceil, log2, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels_field_draws import Layout, SlotLadder
from .kernels_fields import FieldGraph, WordState, refresh_energies
from .kernels_rows import RowGraph, RowState, refresh
from .model import IsingModel


def is_uniform_complete(model: IsingModel) -> bool:
    """Whether every pair of sites has the same coupling (Curie-Weiss)."""
    return not model.disordered and is_complete(model)


def largest_sum(model: IsingModel) -> float:
    """max_i |h_i| + sum_j |J_ij|: no local field is larger."""
    n = model.lattice.n_sites
    strength = np.broadcast_to(np.abs(model.couplings), model.lattice.n_bonds)
    ends = model.lattice.bonds.T
    total = np.bincount(ends[0], strength, n) + np.bincount(ends[1], strength, n)
    return float((total + np.abs(model.fields)).max())


def integer_step(largest: float, n_sites: int) -> float:
    """Power of two in whose units no rounded local field leaves int32."""
    return 2.0 ** ceil(log2(max(largest, 1e-290) / (2**31 - 4 * n_sites)))


def field_graph(model: IsingModel, fields: NDArray[np.float64]) -> FieldGraph:
    """Neighbours of every site one after the other, with their couplings."""
    lattice, n = model.lattice, model.lattice.n_sites
    if is_uniform_complete(model):
        none = np.zeros(n + 1, np.int64)
        return FieldGraph(none, np.empty(0, np.int32), np.empty(0), fields.copy(), np.array([model.couplings], float))
    couplings = np.broadcast_to(np.asarray(model.couplings, dtype=np.float64), lattice.n_bonds)
    present = lattice.neighbors >= 0
    start = np.concatenate([[0], np.cumsum(lattice.degree, dtype=np.int64)])
    each = couplings[lattice.neighbor_bonds[present]]
    sites = np.repeat(np.arange(n), lattice.degree)
    base = fields - np.bincount(sites, each, n)
    return FieldGraph(start, lattice.neighbors[present].astype(np.int32), 2.0 * each, base, np.empty(0))


def layout(model: IsingModel, fourier: bool) -> Layout:
    """Sites by layer (one layer if not fourier) and the ends of the bonds."""
    lattice, n = model.lattice, model.lattice.n_sites
    order, start = np.arange(n, dtype=np.int32)[None], np.array([[0, n]], np.int32)
    waves = np.zeros((2, 0))
    if fourier and lattice.momentum is not None:
        layers, length = lattice.momentum.layers, lattice.momentum.length
        order = np.argsort(layers, axis=1, kind="stable").astype(np.int32)
        counts = np.stack([np.bincount(axis, minlength=length) for axis in layers])
        start = np.concatenate([np.zeros((len(layers), 1), int), counts.cumsum(axis=1)], axis=1).astype(np.int32)
        phase = 2 * pi / length * np.arange(length)
        waves = np.array([np.cos(phase), np.sin(phase)])
    bonds = np.zeros((0, 2), np.int32) if is_complete(model) else lattice.bonds
    return Layout(order, start, waves, np.array(bonds[:, 0]), np.array(bonds[:, 1]))


def is_complete(model: IsingModel) -> bool:
    """Whether every pair of sites has a bond."""
    n = model.lattice.n_sites
    return n > 2 and model.lattice.n_bonds == n * (n - 1) // 2


def row_graph(model: IsingModel, fields: NDArray[np.float64]) -> RowGraph:
    """Rows of couplings rounded to integer steps."""
    n, (a, b) = model.lattice.n_sites, model.lattice.bonds.T
    step = integer_step(largest_sum(model), n)
    rows, base = aligned((n, -(-n // 16) * 16), np.int32), aligned((-(-n // 16) * 16,), np.int32)
    couplings = np.rint(np.broadcast_to(model.couplings, len(a)) / step)
    rows[a, b] = rows[b, a] = (2 * couplings).astype(np.int64).astype(np.int32)  # modulo 2^32
    whole = np.rint(fields / step)
    base[:n] = whole - np.bincount(a, couplings, n) - np.bincount(b, couplings, n)
    adjacency = np.zeros((0, 1), np.uint64)
    if not is_complete(model):
        bond = np.zeros((n, n), bool)
        bond[a, b] = bond[b, a] = True
        adjacency = pack(bond)
    return RowGraph(rows, base, whole.astype(np.int32), adjacency, pack(np.ones((1, n), bool))[0], step)


def row_state(graph: RowGraph, up: NDArray[np.bool_], rng: NDArray[np.uint64]) -> RowState:
    """Chains (n_rows, n_sites) with their cached fields."""
    n_rows, stride = len(up), graph.rows.shape[1]
    state = RowState(
        aligned((n_rows, stride), np.int32), pack(up), rng, np.zeros(n_rows, np.int64), aligned((stride,), np.int32)
    )
    refresh(state, graph)
    return state


def word_state(graph: FieldGraph, fields: NDArray[np.float64], up: NDArray[np.bool_], rng: Any) -> WordState:
    """Chains (n_slots, 64, n_sites) with their running energies."""
    words = np.ascontiguousarray(pack(up.transpose(0, 2, 1))[..., 0])
    slots = aligned((len(up), 64), np.float64)
    state = WordState(words, rng, slots, aligned((64,), np.float64), np.zeros(1, np.int64))
    refresh_energies(state, graph, fields)
    return state


def pack(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """(..., n) booleans -> (..., ceil(n / 64)) words, bit i of the words is entry i."""
    n = bits.shape[-1]
    padded = np.zeros((*bits.shape[:-1], -(-n // 64) * 64), bool)
    padded[..., :n] = bits
    return np.packbits(padded, axis=-1, bitorder="little").view(np.uint64)


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros that start at a multiple of 64 bytes: vector loads and stores then never cross a cache line."""
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    block = np.zeros(size + 64, np.uint8)
    offset = -block.ctypes.data % 64
    return block[offset : offset + size].view(dtype).reshape(shape)


def new_ladder(betas: NDArray[np.float64], energies: NDArray[np.float64], rng: NDArray[np.uint64]) -> SlotLadder:
    """A ladder whose replicas stand where they start; energies (n_slots, n_lanes)."""
    n, n_lanes = energies.shape
    return SlotLadder(
        betas, energies, np.repeat(np.arange(n, dtype=np.int32)[:, None], n_lanes, axis=1),
        np.zeros((n, n_lanes), np.int8), np.zeros((n - 1, n_lanes), np.int64), np.zeros(n - 1, np.int64),
        np.zeros(n_lanes, np.int64), np.zeros(n - 1, np.uint64), rng, np.zeros(1, np.int64),
    )  # fmt: skip
