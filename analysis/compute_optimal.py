"""Power laws in log-log form, and the best model size from slices of equal compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .arguments import as_numbers
from .language_scaling import FLOPS, Array, fit_to_dataset, positive_columns

FEWEST_PER_SLICE = 4

LARGEST_LOG = 100 * np.log(10)


@dataclass(frozen=True)
class PowerLaw:
    """y = amplitude x^exponent, with standard errors; `amplitude_error` is amplitude times the error of its logarithm.

    Attributes
    ----------
    scatter
        Root mean square residual of ln y, or of ln y in its errors where these were given.
    """

    exponent: float
    exponent_error: float
    amplitude: float
    amplitude_error: float
    scatter: float
    n_points: int

    def at(self, x: ArrayLike) -> Array:
        """The law at x."""
        return np.asarray(self.amplitude * as_numbers("x", x, above=0) ** self.exponent)

    def to_dataset(self) -> xr.Dataset:
        """All numbers as scalar variables."""
        return fit_to_dataset(self, "y = amplitude x^exponent")


def fit_power_law(x: ArrayLike, y: ArrayLike, y_error: ArrayLike | None = None) -> PowerLaw:
    """Straight line through ln y against ln x.

    Without errors, all points have the same relative one, taken from the residuals: intervals then are Student's t
    with n - 2 degrees of freedom.

    Parameters
    ----------
    x, y
        (point,) each, > 0.
    y_error
        (point,) standard errors, > 0 and small against y.

    Raises
    ------
    ValueError
        If shapes differ, a value is not positive, or there are fewer than 3 different x.

    Examples
    --------
    >>> law = fit_power_law([1.0, 10.0, 100.0], [2.0, 20.0, 200.0])
    >>> round(law.exponent, 6), round(law.amplitude, 6)
    (1.0, 2.0)
    """
    x_values, y_values = positive_columns(x=x, y=y)
    if max(np.abs(np.log(x_values)).max(), np.abs(np.log(y_values)).max()) > LARGEST_LOG:
        raise ValueError("x and y must lie between 1e-100 and 1e100: choose other units")
    if len(np.unique(x_values)) < 3:
        raise ValueError(f"a power law with errors needs at least 3 different x, got {len(np.unique(x_values))}")
    relative = np.ones_like(y_values)
    if y_error is not None:
        y_values, errors = positive_columns(y=y, y_error=y_error)
        relative = errors / y_values
        if not (relative.min() > 1e-100 and relative.max() < 1e100):
            raise ValueError("y_error must be between 1e-100 and 1e100 of y, got errors beyond")
    center = np.average(np.log(x_values), weights=relative**-2)
    design = np.stack([np.ones_like(x_values), np.log(x_values) - center], axis=1) / relative[:, np.newaxis]
    covariance = np.linalg.inv(design.T @ design)
    intercept, slope = covariance @ design.T @ (np.log(y_values) / relative)
    residual = np.log(y_values) / relative - design @ [intercept, slope]
    scatter = float(np.sqrt(residual @ residual / (len(residual) - 2)))
    if y_error is None:
        covariance = covariance * scatter**2
    amplitude = float(np.exp(intercept - slope * center))
    log_error = float(np.sqrt(covariance[0, 0] + center**2 * covariance[1, 1]))
    return PowerLaw(
        exponent=float(slope),
        exponent_error=float(np.sqrt(covariance[1, 1])),
        amplitude=amplitude,
        amplitude_error=amplitude * log_error,
        scatter=scatter,
        n_points=len(residual),
    )


@dataclass(frozen=True, eq=False)
class IsoFlopFit:
    """Minima of slices of equal compute and the power laws through them.

    Attributes
    ----------
    compute, parameters, parameters_error, tokens, loss
        (slice,) each: C, N_opt and its error, D_opt = C / (6 N_opt), the loss there.
    a, a_error, b, b_error
        N_opt ~ C^a and D_opt ~ C^b; b = 1 - a with the same error.
    size, data
        The two power laws.
    """

    compute: Array
    parameters: Array
    parameters_error: Array
    tokens: Array
    loss: Array
    size: PowerLaw
    data: PowerLaw

    @property
    def a(self) -> float:
        """Exponent of the best size."""
        return self.size.exponent

    @property
    def a_error(self) -> float:
        """Standard error of a."""
        return self.size.exponent_error

    @property
    def b(self) -> float:
        """Exponent of the best amount of data."""
        return self.data.exponent

    @property
    def b_error(self) -> float:
        """Standard error of b."""
        return self.data.exponent_error

    def to_dataset(self) -> xr.Dataset:
        """The minima along `slice`, and the exponents."""
        words = {"long_name": "exponent", "units": "1", "formula": "N_opt ~ C^a, D_opt ~ C^b"}
        table = xr.Dataset(attrs={"formula": "N_opt ~ C^a, D_opt ~ C^b, C = 6 N D"})
        for name in ("compute", "parameters", "parameters_error", "tokens", "loss"):
            table[name] = ("slice", getattr(self, name), words | {"long_name": name.replace("_", " ")})
        for name in ("a", "a_error", "b", "b_error"):
            table[name] = ((), getattr(self, name), words | {"long_name": name.replace("_", " ")})
        return table


def fit_isoflop(parameters: ArrayLike, compute: ArrayLike, loss: ArrayLike) -> IsoFlopFit:
    """Best size at every compute from a parabola in ln N, then its power law (approach 2 of Hoffmann et al. 2022).

    Errors follow from the scatter of all slices about their parabolas, taken as the same in all: one slice has too few
    runs to know its own. A parabola is the shape of the loss near its minimum only; slices that reach far beyond a
    factor of ten on one side move the minimum.

    Parameters
    ----------
    parameters, compute, loss
        (run,) each; runs of a slice have the same compute in FLOP.

    Raises
    ------
    ValueError
        If shapes differ, a value is not positive, there are fewer than 3 slices or 4 sizes in a slice, or a slice has
        no minimum within its sizes; names the slice.
    """
    N, C, L = positive_columns(parameters=parameters, compute=compute, loss=loss)
    budgets = np.unique(C)
    if len(budgets) < 3:
        raise ValueError(f"exponents with errors need at least 3 values of compute, got {len(budgets)}")
    minima = np.array([_minimum(N[budget == C], L[budget == C], budget) for budget in budgets])  # (slice, 5)
    size, reach, lowest, squares, dof = minima.T
    relative = reach * np.sqrt(squares.sum() / dof.sum())
    tokens = budgets / (FLOPS * size)
    return IsoFlopFit(
        compute=budgets,
        parameters=size,
        parameters_error=relative * size,
        tokens=tokens,
        loss=lowest,
        size=fit_power_law(budgets, size, relative * size),
        data=fit_power_law(budgets, tokens, relative * tokens),
    )


def _minimum(N: Array, L: Array, budget: float) -> tuple[float, float, float, float, int]:
    """Size at the minimum of a parabola in ln N, its relative error for unit noise, the loss, sum of squares, dof."""
    if len(np.unique(N)) < FEWEST_PER_SLICE:
        raise ValueError(
            f"the slice of compute {budget:.3g} has {len(np.unique(N))} sizes; a parabola with an error needs at least "
            f"{FEWEST_PER_SLICE}"
        )
    center = float(np.log(N).mean())
    x = np.log(N) - center
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    c0, c1, c2 = inverse @ design.T @ L
    vertex = -c1 / (2 * c2) if c2 > 0 else np.inf
    if not x.min() < vertex < x.max():
        raise ValueError(
            f"the slice of compute {budget:.3g} has no minimum between {N.min():.3g} and {N.max():.3g} parameters: "
            "add smaller or larger models"
        )
    residual = L - design @ [c0, c1, c2]
    gradient = np.array([0.0, -1 / (2 * c2), c1 / (2 * c2**2)])
    reach = float(np.sqrt(gradient @ inverse @ gradient))
    return float(np.exp(center + vertex)), reach, float(c0 + c1 * vertex / 2), float(residual @ residual), len(x) - 3
