"""Couplings as a device reads them: rows of neighbours, with the errors of a real device if asked for."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, issparse

import ising
from ising.arguments import as_kind, as_numbers
from ising.streams import Purpose, generator

from .realism import Realism

SMALLEST = 1e-100  # of the largest coupling or field
DENSE_FROM = 0.2  # share of nonzero couplings from which the full matrix is faster


@dataclass(frozen=True, eq=False)
class Couplings:
    """I_i = sum_k weights[k] s[neighbors[k]] + fields[i], k from offsets[i] to offsets[i + 1]; never densified.

    Attributes
    ----------
    offsets
        (n_sites + 1,) int64.
    neighbors
        (n_reads,) int32.
    weights
        (n_reads,) float64: a coupling for every read, so that J_ij and J_ji may differ.
    fields
        (n_sites,) float64.
    stuck
        (n_sites,) int8: 0 for live spins, +-1 for those that never change.
    """

    offsets: NDArray[np.int64]
    neighbors: NDArray[np.int32]
    weights: NDArray[np.float64]
    fields: NDArray[np.float64]
    stuck: NDArray[np.int8]

    @property
    def n_sites(self) -> int:
        """Number of spins."""
        return len(self.fields)

    @property
    def mean_degree(self) -> float:
        """Coupling reads of an average event."""
        return len(self.neighbors) / self.n_sites

    def by_site(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the reads of every site, (n_reads,) -> (n_sites,)."""
        values = as_numbers("values", values, ndim=1, empty=True)
        if values.shape != self.neighbors.shape:
            raise ValueError(f"values must hold one number a read, {self.neighbors.size}, got shape {values.shape}")
        sites = np.repeat(np.arange(self.n_sites), np.diff(self.offsets))
        return np.bincount(sites, values, self.n_sites).astype(float)

    @property
    def scale(self) -> float:
        """Root mean square local field at random spins, (mean_i sum_j J_ij^2 + h_i^2)^(1/2)."""
        return sqrt(float((self.by_site(self.weights**2) + self.fields**2).mean()))

    def matrix(self) -> NDArray[np.float64]:
        """(n_sites, n_sites) where at least a fifth of it is not zero, else (0, 0)."""
        n = self.n_sites
        if len(self.neighbors) < DENSE_FROM * n * n:
            return np.zeros((0, 0))
        full = np.zeros((n, n))
        full[np.repeat(np.arange(n), np.diff(self.offsets)), self.neighbors] = self.weights
        return full


def couplings_of(model: ising.IsingModel, realism: Realism | None = None, seed: int = 0) -> Couplings:
    """The couplings of a model on a device.

    Parameters
    ----------
    model
        Any Ising model with at least one coupling or field.
    realism
        Errors of the device; one device for all replicas, drawn from the seed.
    seed
        Of mismatch and dead spins.

    Raises
    ------
    ValueError
        A model without couplings and fields, or with numbers too large or too small to square.
    """
    model = as_kind("model", model, ising.IsingModel, "ising.ferromagnet(ising.square(8))")
    realism = Realism() if realism is None else as_kind("realism", realism, Realism, "Realism(noise=0.1)")
    lattice = model.lattice
    if not np.any(model.couplings) * lattice.n_bonds and not model.has_field:
        raise ValueError(f"there is nothing to anneal: {lattice.name} has no coupling and no field that is not zero")
    present = lattice.neighbors >= 0
    neighbors = lattice.neighbors[present].astype(np.int32)
    bonds = np.broadcast_to(np.asarray(model.couplings, dtype=float), lattice.n_bonds)
    weights = bonds[lattice.neighbor_bonds[present]].copy()
    fields = np.array(np.broadcast_to(model.fields, lattice.n_sites), dtype=float)
    offsets = np.concatenate([[0], np.cumsum(lattice.degree, dtype=np.int64)])
    if realism.bits is not None:
        weights, fields = _rounded(weights, realism.bits), _rounded(fields, realism.bits)
    rng = generator(seed, Purpose.DEVICE, lattice.n_sites)
    if realism.mismatch:
        weights = weights * (1.0 + realism.mismatch * rng.standard_normal(len(weights)))
        fields = fields * (1.0 + realism.mismatch * rng.standard_normal(len(fields)))
    largest = max(np.abs(weights).max(initial=0.0), np.abs(fields).max())
    if not SMALLEST < largest < 1.0 / SMALLEST:
        raise ValueError(
            f"the largest coupling or field must lie in [{SMALLEST:g}, {1 / SMALLEST:g}], got {largest:g}: rescale"
        )
    stuck = np.zeros(lattice.n_sites, np.int8)
    if realism.dead:
        dead = rng.random(lattice.n_sites) < realism.dead
        stuck[dead] = rng.choice(np.array([-1, 1], np.int8), int(dead.sum()))
        if dead.all():
            raise ValueError(f"dead = {realism.dead} left none of the {lattice.n_sites} spins alive; use less")
    return Couplings(offsets, neighbors, weights, fields, stuck)


def _rounded(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    step = np.abs(values).max(initial=0.0) / (2.0 ** (bits - 1) - 1.0)
    return np.asarray(np.rint(values / step) * step if step > 0.0 else values)


def as_model(model: Any) -> ising.IsingModel:
    """An Ising model as it is, or that of a symmetric coupling matrix, dense or of scipy.sparse."""
    if isinstance(model, ising.IsingModel):
        return model
    if issparse(model):
        return _from_sparse(coo_array(model))
    try:
        matrix = np.asarray(model)
    except Exception:  # rows of different lengths; a foreign object, which may raise anything
        matrix = np.empty(0)
    if matrix.ndim == 2 and matrix.dtype.kind in "biuf":
        return ising.from_matrix(matrix)
    raise ValueError(
        "model must be an ising.IsingModel or a real, symmetric matrix of couplings (of a networkx graph: "
        f"npu.max_cut, of a lattice: ising.ferromagnet), got {type(model).__name__}"
    )


def _from_sparse(matrix: Any) -> ising.IsingModel:
    """The model of a symmetric coo_array, without making it dense."""
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a coupling matrix must be square, got shape {matrix.shape}")
    if not np.isfinite(matrix.data).all():
        raise ValueError("couplings must be finite; the matrix holds NaN or infinity")
    if abs(matrix - matrix.T).nnz or (matrix.row == matrix.col).any():
        raise ValueError("the coupling matrix must be symmetric with a zero diagonal")
    upper = matrix.row < matrix.col
    bonds = np.stack([matrix.row, matrix.col], axis=-1)[upper].astype(np.int64)
    lattice = ising.from_bonds(matrix.shape[0], bonds, name="matrix")
    return ising.IsingModel(lattice, matrix.data[upper].astype(float), name="from_matrix")
