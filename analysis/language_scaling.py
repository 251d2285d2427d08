"""Scaling laws of language models: loss against size and data, and how best to spend compute."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult, least_squares, nnls

from .arguments import as_integer, as_numbers

Array = NDArray[np.float64]

FLOPS = 6.0  # per parameter and token of training
HUBER = 1e-3  # of the residual of ln L (Hoffmann et al. 2022)
STARTS = (0.1, 0.2, 0.4, 0.7, 1.2)
BEST_STARTS = 4
LARGEST_EXPONENT = 3.0
SMALLEST_EXPONENT = 1e-3
SMALLEST_VARIATION = 1e-6
LARGEST_CORRELATION = 0.999


@dataclass(frozen=True)
class LossFit:
    """L(N, D) = E + A / N^alpha + B / D^beta, and the best N and D for compute C = 6 N D.

    N_opt = G (C / 6)^a, D_opt = (C / 6)^b / G with a = beta / (alpha + beta), b = alpha / (alpha + beta) and
    G = (alpha A / (beta B))^(1 / (alpha + beta)). Errors are half the width of the middle 68 % of the bootstrap.

    Attributes
    ----------
    E, A, B, alpha, beta
        The law; E in the units of the loss.
    a, b
        Exponents of the best size and the best amount of data; a + b = 1.
    G
        Amplitude of the best size.
    residual
        Median of |ln L - ln L(N, D)|.
    n_points, n_replicas
        Runs fitted, and bootstrap replicas that converged.
    """

    E: float
    E_error: float
    A: float
    A_error: float
    B: float
    B_error: float
    alpha: float
    alpha_error: float
    beta: float
    beta_error: float
    a: float
    a_error: float
    b: float
    b_error: float
    G: float
    G_error: float
    residual: float
    n_points: int
    n_replicas: int

    def loss(self, parameters: ArrayLike, tokens: ArrayLike) -> Array:
        """L(N, D)."""
        N, D = as_numbers("parameters", parameters, above=0), as_numbers("tokens", tokens, above=0)
        try:
            np.broadcast_shapes(N.shape, D.shape)
        except ValueError:
            raise ValueError(f"parameters and tokens must broadcast, got shapes {N.shape} and {D.shape}") from None
        return np.asarray(self.E + self.A * N**-self.alpha + self.B * D**-self.beta)

    def optimum(self, compute: ArrayLike) -> tuple[Array, Array]:
        """Best number of parameters and of tokens for the compute in FLOP."""
        per_six = as_numbers("compute", compute, above=0) / FLOPS
        return self.G * per_six**self.a, per_six**self.b / self.G

    def to_dataset(self) -> xr.Dataset:
        """All numbers as scalar variables."""
        return fit_to_dataset(self, "L = E + A / N^alpha + B / D^beta; N_opt = G (C / 6)^a, D_opt = (C / 6)^b / G")


def fit_loss(parameters: ArrayLike, tokens: ArrayLike, loss: ArrayLike, replicas: int = 200, seed: int = 0) -> LossFit:
    """Fit L = E + A / N^alpha + B / D^beta to the final losses of runs (approach 3 of Hoffmann et al.).

    Minimises the Huber loss (delta = 10^-3) of the residuals of ln L. The starts are a grid of exponents, for each of
    which E, A and B follow from non-negative linear least squares; the best of them are descended to convergence.
    Errors come from fits to runs drawn anew with replacement.

    Parameters
    ----------
    parameters, tokens, loss
        (run,) each: N, D and the loss reached, all > 0.
    replicas
        Bootstrap replicas, at least 20.
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If shapes differ, a value is not positive, there are fewer than 8 runs or fewer than 3 sizes or 3 amounts of
        data, N and D grow together so that their terms cannot be told apart, or the runs do not determine an exponent.

    References
    ----------
    J. Hoffmann et al., Training Compute-Optimal Large Language Models, arXiv:2203.15556 (2022); T. Besiroglu et al.,
    arXiv:2404.10102 (2024), on why the descent must converge.
    """
    N, D, L = positive_columns(parameters=parameters, tokens=tokens, loss=loss)
    _check_design(N, D)
    replicas, seed = as_integer("replicas", replicas, 20), as_integer("seed", seed, 0)
    x, y, z = np.log(N), np.log(D), np.log(L)
    x0, y0 = float(x.mean()), float(y.mean())
    starts = sorted((_descend(start, x - x0, y - y0, z) for start in _starts(N, D, L, x0, y0)), key=lambda r: r.cost)
    best = starts[0]
    residual = float(np.median(np.abs(_residuals(best.x, x - x0, y - y0, z))))
    _check_determined(best.x, np.ptp(_terms(best.x, x - x0, y - y0), axis=1) / L.mean(), residual)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(z), (replicas, len(z)))
    fits = [_descend(best.x, x[each] - x0, y[each] - y0, z[each]) for each in drawn]
    spread = np.array([_constants(fit.x, x0, y0) for fit in fits if fit.success])
    names = ("E", "A", "B", "alpha", "beta", "a", "b", "G")
    values = dict(zip(names, _constants(best.x, x0, y0)))
    low, high = np.quantile(spread, (0.16, 0.84), axis=0)
    errors = {f"{name}_error": float(error) for name, error in zip(names, (high - low) / 2)}
    return LossFit(**values, **errors, residual=residual, n_points=len(z), n_replicas=len(spread))


def _check_design(N: Array, D: Array) -> None:
    if len(N) < 8:
        raise ValueError(f"five numbers need at least 8 runs, got {len(N)}")
    for name, values in (("parameters", N), ("tokens", D)):
        if len(np.unique(values)) < 3:
            raise ValueError(f"a power law needs at least 3 different {name}, got {len(np.unique(values))}")
    if abs(np.corrcoef(np.log(N), np.log(D))[0, 1]) > LARGEST_CORRELATION:
        raise ValueError("parameters and tokens grow together in all runs: vary one at fixed other to tell them apart")


def _check_determined(theta: Array, variation: Array, residual: float) -> None:
    """Exponents within their bounds, and terms that vary by more than the noise; variation (3,) is relative to L."""
    for name, given, value, size in zip(("alpha", "beta"), ("parameters", "tokens"), theta[3:], variation[1:]):
        inside = 1.01 * SMALLEST_EXPONENT < value < 0.99 * LARGEST_EXPONENT
        if not inside or size < max(2 * residual, SMALLEST_VARIATION):
            raise ValueError(
                f"the runs do not determine {name}: its term varies by {size:.2g} of the loss against a residual of "
                f"{residual:.2g}, and {name} = {value:.3g}. Use runs over a wider range of {given}"
            )


def _starts(N: Array, D: Array, L: Array, x0: float, y0: float) -> list[Array]:
    """The best of a grid of exponents, as (ln E, ln A e^(-alpha x0), ln B e^(-beta y0), alpha, beta)."""
    found = []
    for alpha in STARTS:
        for beta in STARTS:
            columns = np.stack([np.ones_like(L), N**-alpha * np.exp(alpha * x0), D**-beta * np.exp(beta * y0)], axis=1)
            amplitudes, norm = nnls(columns / L[:, np.newaxis], np.ones_like(L))
            found.append((norm, np.array([*np.log(np.maximum(amplitudes, 1e-6 * L.min())), alpha, beta])))
    return [start for _, start in sorted(found, key=lambda pair: pair[0])[:BEST_STARTS]]


def _terms(theta: Array, x: Array, y: Array) -> Array:
    """(3, run): E, A / N^alpha and B / D^beta, x and y being ln N and ln D less their means."""
    return np.exp(np.stack([np.full_like(x, theta[0]), theta[1] - theta[3] * x, theta[2] - theta[4] * y]))


def _residuals(theta: Array, x: Array, y: Array, z: Array) -> Array:
    return np.asarray(np.log(_terms(theta, x, y).sum(axis=0)) - z)


def _jacobian(theta: Array, x: Array, y: Array, z: Array) -> Array:
    shares = _terms(theta, x, y)
    shares /= shares.sum(axis=0)
    return np.column_stack([*shares, -shares[1] * x, -shares[2] * y])


def _descend(start: Array, x: Array, y: Array, z: Array) -> OptimizeResult:
    """Huber fit from a start."""
    low = [-np.inf] * 3 + [SMALLEST_EXPONENT] * 2
    high = [np.inf] * 3 + [LARGEST_EXPONENT] * 2
    return least_squares(
        _residuals, start, _jacobian, (low, high), loss="huber", f_scale=HUBER, x_scale=1.0, args=(x, y, z),
        xtol=1e-10, ftol=1e-12, gtol=1e-12, max_nfev=500,
    )  # fmt: skip


def _constants(theta: Array, x0: float, y0: float) -> tuple[float, ...]:
    """E, A, B, alpha, beta, a, b, G."""
    alpha, beta = theta[3], theta[4]
    A, B = np.exp(theta[1] + alpha * x0), np.exp(theta[2] + beta * y0)
    a = beta / (alpha + beta)
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    return tuple(float(value) for value in (np.exp(theta[0]), A, B, alpha, beta, a, 1 - a, G))


def positive_columns(**columns: ArrayLike) -> list[Array]:
    """(run,) arrays of one length, finite and > 0."""
    arrays = {name: as_numbers(name, values, above=0) for name, values in columns.items()}
    for name, array in arrays.items():
        as_numbers(name, array, least=1e-100, most=1e100)
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"{', '.join(arrays)} must have one shape (run,), got {shapes}")
    return list(arrays.values())


def fit_to_dataset(fit: Any, formula: str) -> xr.Dataset:
    """The numbers of a fit as scalar variables."""
    words = {"units": "1", "formula": formula}
    variables = {
        field.name: ((), getattr(fit, field.name), {"long_name": field.name.replace("_", " "), **words})
        for field in fields(fit)
    }
    return xr.Dataset(variables, attrs={"formula": formula})
