"""The ring of spins: the 2 x 2 transfer matrix with closed derivatives, accurate at every temperature."""

from __future__ import annotations

from math import asinh, cosh, exp, expm1, log, log1p, sinh, tanh

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ..arguments import as_number
from ..integers import as_integer
from ._common import check_beta, dataset

Jet = tuple[float, float, float]  # a function of beta with its two derivatives


def ring(n: int, beta: ArrayLike, J: float = 1.0, h: float = 0.0) -> xr.Dataset:
    """Ring of n spins by its 2 x 2 transfer matrix: ln Z, energy and specific heat per site, any J and h.

    Z = lambda_+^n + lambda_-^n,
    lambda_+- = e^(beta J) cosh(beta h) +- sqrt(e^(2 beta J) sinh^2(beta h) + e^(-2 beta J)).

    Parameters
    ----------
    n
        Number of spins, >= 3.
    beta
        Inverse temperature(s) >= 0.
    J, h
        Coupling, negative for the antiferromagnet (frustrated for odd n), and field.

    Raises
    ------
    ValueError
        n below 3, a negative beta, or a number that is not finite.

    Notes
    -----
    lambda_+ lambda_- = 2 sinh(2 beta J), so lambda_+- = g e^A, +-g e^-A with g^2 = 2 sinh(2 beta |J|). Z is
    lambda_+^n (1 + rho^n), or g^n 2 cosh(n A), for odd antiferromagnets g^n 2 sinh(n A): the second form where the
    eigenvalues are nearly equal (n A < 1; antiferromagnets: A < 1 and cold). Both are differentiated in closed form.
    Energy and specific heat keep twelve digits or more, the latter down to where it underflows.

    Examples
    --------
    >>> round(ring(8, 1.0).energy.item(), 9)
    -0.817662875
    >>> round(ring(3, 50.0, J=-1.0).energy.item(), 9)
    -0.333333333
    """
    n = as_integer("n", n, 3)
    betas = check_beta(beta)
    J, h = as_number("J", J, -1e6, most=1e6), abs(as_number("h", h, -1e6, most=1e6))
    log_z, first, second = np.array([_log_z(n, float(b), J, h) for b in betas]).T
    values = {"log_z": log_z / n, "energy": 0.0 - first / n, "specific_heat": betas * (betas * second) / n}
    return dataset(betas, values, n)


def _log_z(n: int, beta: float, J: float, h: float) -> Jet:
    v, rest = exp(-4 * beta * abs(J)), -expm1(-4 * beta * abs(J))  # rest = 1 - v
    if rest == 0:
        return _largest_first(n, beta, J, h)
    # L = -ln(1 - v) / 2: ln g = beta |J| - L, and a part of ln sinh A
    L = -log(rest) / 2, -2 * abs(J) * v / rest, 8 * v * (J / rest) ** 2
    y = _log_sinh_ferromagnet(beta, J, h, v, L) if J > 0 else _log_sinh_antiferromagnet(beta, J, h, L)
    A = max(asinh(exp(min(y[0], 100.0))), 1e-150)
    if (n * A > 1) if J > 0 else (A > 1 or v > 0.5):
        return _largest_first(n, beta, J, h)
    F, F1, F2 = _log_sinh_n(n, A, y[0]) if J < 0 and n % 2 else _log_cosh_n(n, A)
    return (
        n * (beta * abs(J) - L[0]) + F,
        n * (abs(J) - L[1]) + F1 * y[1],
        -n * L[2] + F1 * y[2] + F2 * y[1] ** 2,
    )


def _log_sinh_ferromagnet(beta: float, J: float, h: float, v: float, L: Jet) -> Jet:
    """Y = ln sinh A = (1/2) ln D + L, D = sinh^2(beta h) + v."""
    eta = beta * h
    if eta > 100:
        return eta, 0.0, 0.0  # n A > 1
    s, c = sinh(eta), cosh(eta)
    D = max(s**2 + v, 1e-300)
    first = (h * s * c - 2 * J * v) / D
    second = (-((h * s) ** 2) / D + v / D * (h**2 * (c**2 + s**2) + 8 * (J * s) ** 2 + 8 * h * J * s * c)) / D
    return log(D) / 2 + L[0], first + L[1], second + L[2]


def _log_sinh_antiferromagnet(beta: float, J: float, h: float, L: Jet) -> Jet:
    """Y = ln sinh A = ln cosh(beta h) - 2 beta |J| + L."""
    q = exp(-2 * beta * h)
    value = beta * (h + 2 * J) + log1p(q) - log(2)
    return value + L[0], (h + 2 * J) - 2 * h * q / (1 + q) + L[1], 4 * h**2 * q / (1 + q) ** 2 + L[2]


def _log_cosh_n(n: int, A: float) -> Jet:
    """Ln(2 cosh n A) and its derivatives by y = ln sinh A."""
    t, T, q = tanh(A), tanh(n * A), exp(-2 * n * A)
    return n * A + log1p(q), n * T * t, n * t * (T / cosh(A) ** 2 + 4 * n * t * q / (1 + q) ** 2)


def _log_sinh_n(n: int, A: float, y: float) -> Jet:
    """Ln(2 sinh n A) and its derivatives by y = ln sinh A."""
    t = tanh(A)
    if n * A > 1:
        q = exp(-2 * n * A)
        coth = (1 + q) / (1 - q)
        return n * A + log1p(-q), n * coth * t, n * t * (coth / cosh(A) ** 2 - 4 * n * t * q / (1 - q) ** 2)
    z = 2 * A
    small, large, excess = 1 / 6, n**2 / 6, 0.0
    for k in range(4, 28, 2):  # excess = (sinh(n z) - n sinh z) / (n z^3), term by term
        excess += large - small
        small, large = small * z**2 / (k * (k + 1)), large * (n * z) ** 2 / (k * (k + 1))
    ratio = sinh(n * A) / A
    first = n * t * cosh(n * A) / sinh(n * A)
    return log(2 * ratio * (A / sinh(A))) + y, first, 4 * n**2 * A * t * excess / (ratio * cosh(A)) ** 2


def _largest_first(n: int, beta: float, J: float, h: float) -> Jet:
    """The sum n ln lambda_+ + ln(1 + rho^n), rho = lambda_- / lambda_+.

    lambda_+ = e^(beta (J + h)) (1 + r) with r = e^(-beta (h + 4 J)) / (S + sinh beta h) and
    S = sqrt(sinh^2 beta h + e^(-4 beta J)); below sinh, cosh and S are divided by e^(beta h).
    """
    q, p = exp(-2 * beta * h), exp(-2 * beta * (h + 2 * J))
    s, c = -expm1(-2 * beta * h) / 2, (1 + q) / 2
    S = (s**2 + p) ** 0.5
    r = p / (S + s)
    slope = (h * c + 2 * J * s) / S  # of theta = asinh(e^(2 beta J) sinh beta h); r = e^(-beta (h + 2 J) - theta)
    bend = ((h**2 + 4 * J**2) * s + 4 * h * J * c) / S - s / S * slope**2
    r1 = -(h + 2 * J + slope)
    c1, c2 = r / (1 + r) * r1, r / (1 + r) * (r1**2 / (1 + r) - bend)
    # rho = N / (1 + r)^2, N = q - p
    N = -q * expm1(-4 * beta * J) if beta * abs(J) < 1 else q - p
    N1, N2 = -2 * h * q + 2 * (h + 2 * J) * p, 4 * h**2 * q - 4 * (h + 2 * J) ** 2 * p
    scale = (1 + r) ** -2
    rho, rho1 = N * scale, (N1 - 2 * c1 * N) * scale
    rho2 = (N2 - 4 * c1 * N1 + (4 * c1**2 - 2 * c2) * N) * scale
    Z = 1 + rho**n
    bulk = J * (rho + 2 * s**2 / (S * (1 + r))) + h * s / S  # of ln lambda_+: J + h + c1 without their cancellation
    first = n * rho ** (n - 1) * rho1 / Z
    second = n * rho ** (n - 2) * ((n - 1) * rho1**2 + rho * rho2) / Z - first**2
    return n * (beta * (J + h) + log1p(r)) + log(Z), n * bulk + first, n * c2 + second
