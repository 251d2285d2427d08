"""The largest eigenvalue of the Hessian, by power iteration on differences of gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ising.integers import as_integer


@dataclass(frozen=True)
class Curvature:
    """Result of a power iteration.

    ``eigenvalue`` is the Rayleigh quotient v.Hv of the last unit vector v, ``residual`` |Hv - eigenvalue v|: some
    eigenvalue lies within the residual of it. ``vector`` starts the next call.
    """

    eigenvalue: float
    residual: float
    vector: np.ndarray


def hessian_eigenvalue(
    gradient: Callable[[np.ndarray], np.ndarray],
    position: np.ndarray,
    vector: np.ndarray,
    *,
    iterations: int = 4,
    preconditioner: np.ndarray | None = None,
    difference: float = 1e-2,
) -> Curvature:
    """Eigenvalue of largest magnitude of H, or of P^(-1/2) H P^(-1/2), from gradients alone.

    H v = (gradient(x + h v) - gradient(x - h v))/(2 h), two gradients an iteration. A power iteration with factor
    |lambda_2/lambda_1| an iteration; where a negative eigenvalue is the largest in magnitude, it is the one found.

    Parameters
    ----------
    gradient : callable
        Gradient of the loss at a flat vector; always on the same data.
    position : ndarray, shape (parameters,)
        x; not changed.
    vector : ndarray, shape (parameters,)
        Where the iteration starts: a random vector, later the ``vector`` of the last call.
    iterations : int
    preconditioner : ndarray, shape (parameters,), optional
        Diagonal P, positive: under Adam sqrt(v_hat) + epsilon, the denominator of its step.
    difference : float
        Norm of the step h v in the parameters: small against what changes H, large against rounding, which adds
        about epsilon |gradient|/difference to H v.

    Raises
    ------
    ValueError
        A vector of zeros, a preconditioner that is not positive, fewer than one iteration.
    """
    as_integer("iterations", iterations, 1)
    if not np.any(vector):
        raise ValueError("vector must not be zero; start from a random one")
    if preconditioner is not None and not (preconditioner > 0.0).all():
        raise ValueError(f"preconditioner must be positive everywhere, its smallest entry is {preconditioner.min()}")
    root = 1.0 if preconditioner is None else 1.0 / np.sqrt(preconditioner.astype(float))
    unit = vector / np.linalg.norm(vector.astype(float))
    for _ in range(iterations):
        direction = root * unit
        h = difference / np.linalg.norm(direction)
        ahead, behind = (gradient((position + sign * h * direction).astype(position.dtype)) for sign in (1.0, -1.0))
        product = root * (ahead.astype(float) - behind) / (2.0 * h)
        eigenvalue = float(unit @ product)
        residual = float(np.linalg.norm(product - eigenvalue * unit))
        norm = np.linalg.norm(product)
        if norm > 0.0:
            unit = product / norm
    return Curvature(eigenvalue, residual, unit)
