"""Zeros of the partition function near the real axis: Fisher in complex beta, Lee and Yang in an imaginary field."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from .arguments import as_integer, as_numbers
from .mbar import Pool, Solution, relative_denominators, solve
from .measurement import Data, Measurement, join_sizes
from .moments import Series
from .notices import warn
from .resampling import Array, jackknife_error
from .reweighting import FEWEST_SAMPLES, ReweightingWarning, averages, measure_chains, pool_run

Complex = NDArray[np.complex128]

STEP = 0.2
REACH, FARTHEST = 1.5, 3.0
BEYOND = (0.5, 1.0, 1.5)
CLEAR = 3.5
NEWTON_STEPS = 30


def fisher_zeros(data: Data, count: int = 1) -> xr.Dataset:
    """Zeros of Z(beta) = sum_E g(E) exp(-beta E) in the upper half plane, those nearest to the real axis first.

    The density of states g is that of `reweight`. Candidates are the minima of |Z(x + i y) / Z(x)| on a grid over the
    valid range of x = Re beta, at most 1 / sigma(E) beyond the simulated one; y reaches to
    1.5 sqrt(ln n_effective) / sigma(E), where a Gaussian energy has drowned in noise. Newton's method finishes them,
    for the estimate and for every jackknife replica.

    Parameters
    ----------
    data
        As for `reweight`, without disorder.
    count
        Number of zeros wanted.

    Returns
    -------
    xarray.Dataset
        Dimensions (zero,) or (L, zero): ``beta_real`` and ``beta_imag`` in 1/J with their jackknife errors, and
        ``resolved``: |Z| rises beyond the zero to more than 3.5 of its errors, as it does not in mere noise. NaN where
        there are fewer zeros.

    Raises
    ------
    ValueError
        If the data is malformed as for `reweight`, or count is not positive.

    Warns
    -----
    ReweightingWarning
        If fewer zeros are resolved than asked for.

    References
    ----------
    M. E. Fisher, Lectures in Theoretical Physics VII C (1965); N. A. Alves, B. A. Berg and R. Villanova, Phys. Rev. B
    41, 383 (1990).
    """
    return _zeros_of_sizes(data, count, lambda run, series: _fisher(run, series, count))


def lee_yang_zeros(data: Data, betas: ArrayLike, count: int = 1) -> xr.Dataset:
    """Zeros theta > 0 of <cos(theta M)> at each beta: Z(beta, h) vanishes at the imaginary field beta h = i theta.

    M is the total magnetization of samples without field. theta reaches to 3 sqrt(ln n_effective) / sqrt(<M^2>).

    Parameters
    ----------
    data
        As for `reweight`, without disorder and field; ``magnetization`` is needed.
    betas
        (target,) inverse temperatures in 1/J, or one.
    count
        Number of zeros wanted at each.

    Returns
    -------
    xarray.Dataset
        Dimensions (beta, zero) or (L, beta, zero): ``field_imag`` = theta with its jackknife error, and ``resolved``
        as in `fisher_zeros`. NaN where there are fewer zeros.

    Raises
    ------
    ValueError
        If the data is malformed as for `reweight` or has no magnetization, betas are empty or not finite, or count is
        not positive.

    Warns
    -----
    ReweightingWarning
        If fewer zeros are resolved than asked for.

    References
    ----------
    T. D. Lee and C. N. Yang, Phys. Rev. 87, 410 (1952).
    """
    targets = np.unique(as_numbers("betas", betas))
    return _zeros_of_sizes(data, count, lambda run, series: _lee_yang(run, series, targets, count))


def _zeros_of_sizes(data: Data, count: int, find: Any) -> xr.Dataset:
    as_integer("count", count, 1)
    tables = []
    for run, series in measure_chains(data):
        if (n := series["energy"].shape[0]) > 1:
            raise ValueError(f"zeros belong to one realisation of the disorder, got {n}: select one")
        with threadpool_limits(limits=1, user_api="blas"), np.errstate(divide="ignore", invalid="ignore"):
            table = find(run, series)
        tables.append(table.assign_coords(n_sites=run.n_sites, **({} if run.label is None else {"L": run.label})))
    resolved = np.stack([table["resolved"].values for table in tables])
    if not resolved.all():
        warn(
            f"{int((~resolved).sum())} of {resolved.size} zeros are not resolved, see `resolved`: draw more,"
            " or simulate more betas near them",
            ReweightingWarning,
        )
    return join_sizes(tables, data)


def _fisher(run: Measurement, series: Series, count: int) -> xr.Dataset:
    pool = pool_run(run, {"energy": series["energy"]}, 0)
    solution = solve(pool)
    found = [_newton(pool, solution, start) for start in _candidates(run, pool, solution)]
    kept: list[Complex] = []
    for roots in sorted(found, key=lambda roots: roots[0].imag):
        fresh = all(abs(roots[0] - other[0]) > 1e-6 * abs(roots[0]) for other in kept)
        if np.isfinite(roots).all() and roots[0].imag > 0.0 and fresh:
            kept.append(roots)
    rows = np.full((len(pool.sizes), count), complex(np.nan, np.nan))
    resolved = np.zeros(count, dtype=bool)
    for i, roots in enumerate(kept[:count]):
        rows[:, i] = roots
        resolved[i] = _clearance(run, pool, solution, roots[0]) > CLEAR
    table = xr.Dataset({"resolved": ("zero", resolved, RESOLVED_ATTRS)})
    for name, part in (("real", rows.real), ("imag", rows.imag)):
        attrs = {"units": "1/J", "formula": "sum_E g(E) exp(-beta E) = 0"}
        words = f"{name} part of the zero"
        table[f"beta_{name}"] = ("zero", part[0], {"long_name": words, **attrs})
        table[f"beta_{name}_error"] = (
            "zero",
            jackknife_error(part),
            {"long_name": f"jackknife error of the {words}", **attrs},
        )
    return table


def _candidates(run: Measurement, pool: Pool, solution: Solution) -> Complex:
    """Minima of |Z(x + i y) / Z(x)| on a grid, below the noise."""
    moments, _ = averages(pool, solution, np.linspace(run.beta.min(), run.beta.max(), 50))
    spread = 1.0 / (run.n_sites * np.sqrt(moments["energy_variance"][0].max()))
    x = np.arange(run.beta.min() - spread, run.beta.max() + spread, STEP * spread)
    moments, n_effective = averages(pool, solution, x)
    sigma = run.n_sites * np.sqrt(moments["energy_variance"][0])
    limit = REACH * np.sqrt(np.log(np.maximum(n_effective, 1.0))) / sigma
    y = np.arange(0.0, min(limit.max(), FARTHEST * limit[np.argmax(sigma)]) + 2 * STEP * spread, STEP * spread)
    height = np.zeros((len(x), len(y)), dtype=np.complex128)
    shift = np.max([_exponents(pool, solution, chunk, x).max(axis=1) for chunk in pool.chunks()], axis=0)
    for chunk in pool.chunks():
        weight = pool.rows("weight", chunk)[0]
        factor = weight * np.exp(_exponents(pool, solution, chunk, x) - shift[:, np.newaxis])
        height += factor @ np.exp(-1j * np.outer(pool.energy[chunk], y))
    ratio = np.abs(height) / np.abs(height[:, :1])
    inner = ratio[1:-1, 1:-1]
    neighbours = [ratio[1 + i : len(x) - 1 + i, 1 + j : len(y) - 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    lowest = (inner <= np.min(neighbours, axis=0)) & (y[1:-1] <= limit[1:-1, np.newaxis])
    lowest &= (n_effective[1:-1] >= FEWEST_SAMPLES)[:, np.newaxis]
    i, j = np.nonzero(lowest)
    return np.asarray(x[i + 1] + 1j * y[j + 1])


def _exponents(pool: Pool, solution: Solution, chunk: slice, beta: Array) -> Array:
    """Logarithms of exp(-beta E) / D_n of row 0: (beta, point)."""
    return -np.outer(beta, pool.energy[chunk]) - solution.log_denominator[chunk]


def _newton(pool: Pool, solution: Solution, start: complex) -> Complex:
    """Zeros of all rows, (row,), from one start; NaN where the iteration leaves the neighbourhood."""
    roots = np.full(len(pool.sizes), start)
    for _ in range(NEWTON_STEPS):
        value, slope = _partition(pool, solution, roots)
        step = value / slope
        roots = roots - step
        if np.all(np.abs(step) <= 1e-12 * np.abs(roots)):
            return roots
        if np.any(np.abs(roots - start) > abs(start.imag)):
            break
    return np.full(len(roots), complex(np.nan, np.nan))


def _partition(pool: Pool, solution: Solution, beta: Complex) -> tuple[Complex, Complex]:
    """Sum of g(E) exp(-beta (E - <E>)) and its slope, with <E> that of row 0 at Re beta: (row,) each.

    Both are divided by the value at the real part of row 0's beta.
    """
    real = np.array([beta[0].real])
    shift = max(float(_exponents(pool, solution, chunk, real).max()) for chunk in pool.chunks())
    value, slope = np.zeros((2, len(beta)), dtype=np.complex128)
    norm, first = np.zeros((2, len(beta)))
    for chunk in pool.chunks():
        energy = pool.energy[chunk]
        weight = pool.rows("weight", chunk) / relative_denominators(pool, solution, chunk)
        weight *= np.exp(_exponents(pool, solution, chunk, real) - shift)
        terms = weight * np.exp(-np.outer(beta - real, energy))
        norm, first = norm + weight.sum(axis=1), first + weight @ energy
        value, slope = value + terms.sum(axis=1), slope - terms @ energy
    mean = first[0] / norm[0]
    turn = np.exp((beta - real) * mean) / norm
    return turn * value, turn * (slope + mean * value)


def _clearance(run: Measurement, pool: Pool, solution: Solution, root: complex) -> float:
    """Largest |Z| / error beyond a zero: in mere noise Z does not rise again."""
    moments = averages(pool, solution, np.array([root.real]))[0]
    sigma = run.n_sites * np.sqrt(moments["energy_variance"][0, 0])
    rows = [_partition(pool, solution, np.full(len(pool.sizes), root + 1j * step / sigma))[0] for step in BEYOND]
    return max(float(abs(z[0]) / np.hypot(jackknife_error(z.real), jackknife_error(z.imag))) for z in rows)


def _lee_yang(run: Measurement, series: Series, targets: Array, count: int) -> xr.Dataset:
    if "magnetization" not in series:
        raise ValueError("Lee-Yang zeros need the variable magnetization: sample it")
    pool = pool_run(run, series, 0, by_size=True)
    solution = solve(pool)
    n_effective = averages(pool, solution, targets)[1]
    rows = np.full((len(pool.sizes), len(targets), count), np.nan)
    resolved = np.zeros((len(targets), count), dtype=bool)
    sizes, kind = np.unique(pool.label, return_inverse=True)
    for i, beta in enumerate(targets):
        weights = _distribution(pool, solution, kind, len(sizes), beta)
        roots, clear = _first_roots(weights, sizes, float(n_effective[i]), count)
        rows[:, i, : len(clear)], resolved[i, : len(clear)] = roots, clear
    attrs = {"units": "1", "formula": "<cos(theta M)> = 0"}
    words = "imaginary part of beta h at the zero"
    return xr.Dataset(
        {
            "field_imag": (("beta", "zero"), rows[0], {"long_name": words, **attrs}),
            "field_imag_error": (
                ("beta", "zero"),
                jackknife_error(rows),
                {"long_name": f"jackknife error of the {words}", **attrs},
            ),
            "resolved": (("beta", "zero"), resolved, RESOLVED_ATTRS),
        },
        {"beta": ("beta", targets, {"long_name": "inverse temperature", "units": "1/J"})},
    )


def _distribution(pool: Pool, solution: Solution, kind: NDArray[np.intp], n_kinds: int, beta: float) -> Array:
    """Probability of each |M| at beta: (row, kind)."""
    total = np.zeros((len(pool.sizes), n_kinds))
    at = np.array([beta])
    shift = max(float(_exponents(pool, solution, chunk, at).max()) for chunk in pool.chunks())
    for chunk in pool.chunks():
        weight = pool.rows("weight", chunk) / relative_denominators(pool, solution, chunk)
        weight *= np.exp(_exponents(pool, solution, chunk, at) - shift)
        total += [np.bincount(kind[chunk], row, n_kinds) for row in weight]
    return np.asarray(total / total.sum(axis=1, keepdims=True))


def _first_roots(weights: Array, sizes: Array, n_effective: float, count: int) -> tuple[Array, NDArray[np.bool_]]:
    """First zeros of sum_M p(M) cos(theta M), (row, zero), and whether the sum rises from the noise beyond them."""
    scale = np.sqrt(weights[0] @ sizes**2)
    theta = np.arange(0.0, FARTHEST * np.sqrt(np.log(max(n_effective, 2.0))), 0.1 * STEP) / scale
    curve = np.cos(np.outer(theta, sizes)) @ weights[0]
    before = np.flatnonzero(np.sign(curve[1:]) != np.sign(curve[:-1]))[:count]
    roots = np.tile(theta[before] + (theta[1] - theta[0]) / 2.0, (len(weights), 1))
    for _ in range(NEWTON_STEPS):
        phase = roots[..., np.newaxis] * sizes  # (row, zero, size)
        value = np.einsum("rzs,rs->rz", np.cos(phase), weights)
        slope = -np.einsum("rzs,rs->rz", np.sin(phase), weights * sizes)
        roots = roots - value / slope
    beyond = roots[0][:, np.newaxis] + np.array(BEYOND) / scale  # (zero, step)
    rows = np.einsum("zts,rs->rzt", np.cos(beyond[..., np.newaxis] * sizes), weights)
    error = jackknife_error(rows)
    return roots, np.any(np.abs(rows[0]) > CLEAR * error, axis=1)


RESOLVED_ATTRS = {
    "long_name": "whether the partition function rises from the noise beyond the zero",
    "units": "1",
    "formula": f"|Z| > {CLEAR:g} errors",
}
