"""The largest eigenvalue of the Hessian, from power iterates of differences of gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ising.integers import as_integer

from .. import arguments as rules

ROUNDING = 1e-10


@dataclass(frozen=True)
class Curvature:
    """Largest eigenvalue found, of the unit ``vector`` v that starts the next call.

    ``residual`` is |Hv - eigenvalue v|: some eigenvalue of H lies within it of ``eigenvalue``.
    """

    eigenvalue: float
    residual: float
    vector: np.ndarray


@rules.checked(
    gradient=rules.function,
    position=rules.shaped("parameter"),
    vector=rules.shaped("parameter"),
    iterations=rules.count,
    preconditioner=rules.optional(rules.shaped("parameter")),
    difference=rules.positive,
)
def hessian_eigenvalue(
    gradient: Callable[[np.ndarray], np.ndarray],
    position: np.ndarray,
    vector: np.ndarray,
    *,
    iterations: int = 4,
    preconditioner: np.ndarray | None = None,
    difference: float = 1e-3,
) -> Curvature:
    """Largest eigenvalue of H, or of P^(-1/2) H P^(-1/2), from gradients alone.

    The largest Rayleigh quotient v.Hv in the span of the power iterates v, Hv, H^2 v, ... (Lanczos 1950). So it is the
    top of the spectrum also where a negative eigenvalue is larger in magnitude, to which a power iteration goes.
    H v = (gradient(x + h v) - gradient(x - h v))/(2 h), two gradients an iteration.

    Parameters
    ----------
    gradient : callable
        Gradient of the loss at a flat vector; always on the same data.
    position : ndarray, shape (parameters,)
        x; not changed.
    vector : ndarray, shape (parameters,)
        Where the iteration starts: a random vector, later the ``vector`` of the last call.
    iterations : int
        At least 2.
    preconditioner : ndarray, shape (parameters,), optional
        Diagonal P, positive: under Adam sqrt(v_hat) + epsilon, the denominator of its step.
    difference : float
        Norm of the step h v in the parameters: small against what changes H, large against rounding. Before training
        the default character model has 4.335; 1e-3 gives that to 0.01 %, in single precision too, 1e-2 to 1 %.

    Raises
    ------
    ValueError
        A vector of zeros, a preconditioner that is not positive, fewer than two iterations.
    """
    as_integer("iterations", iterations, 2)
    if position.shape != vector.shape or (preconditioner is not None and preconditioner.shape != vector.shape):
        raise ValueError(
            f"position, vector and preconditioner must have one shape, got {position.shape}, {vector.shape}"
        )
    if not np.any(vector):
        raise ValueError("vector must not be zero; start from a random one")
    if preconditioner is not None and not (preconditioner > 0.0).all():
        raise ValueError(f"preconditioner must be positive everywhere, its smallest entry is {preconditioner.min()}")
    root = np.ones(1) if preconditioner is None else 1.0 / np.sqrt(preconditioner.astype(float))

    def product(unit: np.ndarray) -> np.ndarray:
        direction = root * unit
        h = difference / np.linalg.norm(direction)
        ahead, behind = (gradient((position + sign * h * direction).astype(position.dtype)) for sign in (1.0, -1.0))
        return root * (ahead.astype(float) - behind) / (2.0 * h)

    return _largest_of_span(product, vector.astype(float), iterations)


def _largest_of_span(product: Callable[[np.ndarray], np.ndarray], vector: np.ndarray, iterations: int) -> Curvature:
    """Rayleigh-Ritz in an orthonormal basis of the power iterates."""
    basis = np.empty((0, len(vector)))
    images = np.empty_like(basis)
    for _ in range(iterations):
        for _ in range(2):  # once more against rounding
            vector = vector - basis.T @ (basis @ vector)
        norm = np.linalg.norm(vector)
        if len(basis) and norm <= ROUNDING * np.linalg.norm(images[-1]):
            break  # the span is invariant
        basis = np.vstack([basis, vector / norm])
        images = np.vstack([images, product(basis[-1])])
        vector = images[-1]
    matrix = basis @ images.T
    values, mixtures = np.linalg.eigh(0.5 * (matrix + matrix.T))
    top = mixtures[:, -1] @ basis
    residual = np.linalg.norm(mixtures[:, -1] @ images - values[-1] * top)
    return Curvature(float(values[-1]), float(residual), top)
