"""The spectrum of the adjacency matrix A of a lattice: its norm, the second modes and the edge expansion."""

from __future__ import annotations

from contextlib import suppress
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .lattice import Lattice, as_lattice

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DENSE_BELOW = 400  # sites; LAPACK is faster there
SAME = 1e-8  # eigenvalues closer than this times the largest degree count as one
WANTED = 8  # eigenvalues at a time: degenerate ones converge together
SUBSPACE = 40
MAX_RESTARTS = 2_000


def adjacency_matrix(lattice: Lattice) -> csr_array:
    """The adjacency matrix A: (n_sites, n_sites), 1.0 at the two places of every bond."""
    from scipy.sparse import csr_array

    first, second = as_lattice(lattice).bonds.T
    places = np.concatenate([first, second]), np.concatenate([second, first])
    return csr_array((np.ones(2 * lattice.n_bonds), places), shape=(lattice.n_sites, lattice.n_sites))


def adjacency_norm(lattice: Lattice) -> float:
    """The largest eigenvalue of A: q on a closed q-regular lattice, less than in the infinite one on an open patch.

    Parameters
    ----------
    lattice
        Any lattice with bonds, connected or not.

    Raises
    ------
    ValueError
        A lattice without bonds.

    Examples
    --------
    >>> from ising import square
    >>> round(adjacency_norm(square(8)), 9)
    4.0
    """
    if as_lattice(lattice).n_bonds == 0:
        raise ValueError(f"the adjacency norm needs a lattice with bonds, {lattice.name!r} has none")
    return float(_largest(adjacency_matrix(lattice))[0])


def second_eigenvalue(lattice: Lattice) -> float:
    """The second largest eigenvalue lambda_2 of A; on a connected q-regular lattice the largest below q.

    Parameters
    ----------
    lattice
        A connected lattice of two or more sites.

    Raises
    ------
    ValueError
        One site, or a lattice in several pieces.

    Examples
    --------
    >>> from ising import closed_hyperbolic
    >>> round(second_eigenvalue(closed_hyperbolic(3, 7, surface="klein")) ** 2, 9)  # lambda_2 = sqrt 7
    7.0
    """
    return float(_largest(_connected(lattice))[1])


def second_modes(lattice: Lattice) -> tuple[float, NDArray[np.float64]]:
    """The second largest eigenvalue of A with an orthonormal basis of all its eigenvectors.

    On a closed hyperbolic lattice they play the part of the smallest momenta of a torus. Lanczos iterations with the
    modes found so far moved to the bottom of the spectrum go on until no further one appears, so no copy of a
    degenerate eigenvalue is missed.

    Parameters
    ----------
    lattice
        A connected lattice of two or more sites.

    Returns
    -------
    eigenvalue
        lambda_2.
    modes
        (n_sites, k) float64, orthonormal columns, k the degeneracy of lambda_2.

    Raises
    ------
    ValueError
        One site, or a lattice in several pieces.

    Examples
    --------
    >>> from ising import square
    >>> eigenvalue, modes = second_modes(square(5))
    >>> modes.shape, round(eigenvalue, 6)  # 2 + 2 cos(2 pi / 5), along both axes, sine and cosine
    ((25, 4), 2.618034)
    """
    from scipy.sparse.linalg import ArpackError

    matrix, n_sites = _connected(lattice), lattice.n_sites
    width = SAME * float(lattice.degree.max())
    found, second = np.empty((n_sites, 0)), np.inf
    while n_sites >= DENSE_BELOW and found.shape[1] <= n_sites // 8:
        try:
            values, vectors = _lanczos(matrix, found)
        except ArpackError:  # most eigenvalues are equal, as on a complete graph
            break
        second = values[1] if found.shape[1] == 0 else second
        new = vectors[:, values > second - width]
        if new.shape[1] == 0:
            return float(second), found[:, 1:]
        found = np.linalg.qr(np.concatenate([found, new], axis=1))[0]
    values, vectors = np.linalg.eigh(matrix.toarray())
    return float(values[-2]), vectors[:, :-1][:, values[:-1] > values[-2] - width]


def edge_expansion_bounds(lattice: Lattice) -> tuple[float, float]:
    """Cheeger's two bounds on the edge expansion h = min |boundary of S| / |S| over sets S of at most half the sites.

    (q - lambda_2) / 2 <= h <= sqrt(q^2 - lambda_2^2) on a connected q-regular lattice (Mohar 1989).

    Parameters
    ----------
    lattice
        A connected lattice whose sites all have the same number q of neighbours.

    Returns
    -------
    lower, upper
        Bonds per site.

    Raises
    ------
    ValueError
        One site, several pieces, or sites of different degrees.

    Examples
    --------
    >>> from ising import closed_hyperbolic
    >>> [round(bound, 3) for bound in edge_expansion_bounds(closed_hyperbolic(3, 7, surface="klein"))]
    [2.177, 6.481]
    """
    q = int(as_lattice(lattice).degree.max(initial=0))
    if (lattice.degree != q).any():
        low = lattice.degree.min()
        raise ValueError(
            f"the expansion bounds need equal degrees, {lattice.name!r} has {low} .. {q}: close the lattice"
        )
    second = second_eigenvalue(lattice)
    return (q - second) / 2, sqrt(max(q * q - second * second, 0.0))


def _connected(lattice: Lattice) -> csr_array:
    """The adjacency matrix of a lattice that is one piece of two or more sites."""
    from scipy.sparse.csgraph import connected_components

    if as_lattice(lattice).n_sites < 2:
        raise ValueError(f"a second eigenvalue needs two or more sites, {lattice.name!r} has {lattice.n_sites}")
    matrix = adjacency_matrix(lattice)
    pieces = connected_components(matrix, directed=False, return_labels=False)
    if pieces > 1:
        raise ValueError(f"lattice must be connected, {lattice.name!r} is in {pieces} pieces; take them one at a time")
    return matrix


def _largest(matrix: csr_array) -> NDArray[np.float64]:
    """The largest eigenvalues, descending."""
    from scipy.sparse.linalg import ArpackError

    if matrix.shape[0] >= DENSE_BELOW:
        with suppress(ArpackError):
            return _lanczos(matrix, np.empty((matrix.shape[0], 0)))[0]
    return np.linalg.eigvalsh(matrix.toarray())[::-1]


def _lanczos(matrix: csr_array, known: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues, descending, and their vectors, with the (n_sites, k) known ones below the spectrum."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    span = 2.0 * float(matrix.sum(axis=0).max())

    def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        return matrix @ vector.ravel() - known @ (span * (known.T @ vector.ravel()))

    operator = LinearOperator(matrix.shape, matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(matrix.shape[0])
    values, vectors = eigsh(operator, WANTED, which="LA", v0=start, ncv=SUBSPACE, maxiter=MAX_RESTARTS)
    return values[::-1], vectors[:, ::-1]
