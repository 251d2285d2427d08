"""The proposed law beta_c = exp(C(kappa) delta r_eff) / lambda_max, tried against measured critical points.

All {p,q} have the boundary dimension delta = 1 and, in units of their own, the curvature kappa = -1: C is one number,
and the law says something only once r_eff is named. Each candidate below is fitted with that one number to all tilings
but one, and predicts the one left out. What has to be beaten is the Bethe value atanh(1 / (q - 1)), fitted to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from math import acosh, pi

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ising.tilings import area_per_site, edge_length, norm_bounds

Array = NDArray[np.float64]

SIGNIFICANT = 5  # errors

RADII: dict[str, Callable[[int, int], float]] = {
    "constant": lambda p, q: 1.0,
    "edge length": edge_length,
    "disk of a site's area": lambda p, q: acosh(1 + area_per_site(p, q) / (2 * pi)),
}
LAMBDA_MAX: dict[str, Callable[[int, int], float]] = {
    "degree q": lambda p, q: float(q),
    "norm of the infinite lattice": lambda p, q: float(np.mean(norm_bounds(p, q))),
}


def test(transitions: xr.Dataset) -> xr.Dataset:
    """Predictions of every form of the law, each tiling left out of the fit in turn, and of the Bethe value.

    Parameters
    ----------
    transitions
        Dimension tiling with coordinates p and q, variables beta_c, beta_c_error and beta_bethe, as from
        `closed_maps.measure`; at least 3 tilings.

    Returns
    -------
    xarray.Dataset
        predicted (form, tiling) and residual = predicted / beta_c - 1; C (form,) from all tilings; rms (form,), the
        root mean square of the residuals; attr verdict. The last form is ``"Bethe"``, with C = NaN.

    Raises
    ------
    ValueError
        Fewer than 3 tilings.
    """
    n = transitions.sizes["tiling"]
    if n < 3:
        raise ValueError(f"the formula needs at least 3 tilings to leave one out of, got {n}")
    pairs = list(zip(transitions.p.values.tolist(), transitions.q.values.tolist()))
    measured = transitions.beta_c.values
    predicted, constants, names = [], [], []
    for lambda_name, lambda_max in LAMBDA_MAX.items():
        scale = np.array([lambda_max(p, q) for p, q in pairs])
        for radius_name, radius in RADII.items():
            r = np.array([radius(p, q) for p, q in pairs])
            logs = np.log(measured * scale)  # = C r
            left_out = (r @ logs - r * logs) / (r @ r - r * r)
            predicted.append(np.exp(left_out * r) / scale)
            constants.append(float(r @ logs / (r @ r)))
            names.append(f"r_eff: {radius_name}; lambda_max: {lambda_name}")
    names.append("Bethe")
    constants.append(np.nan)
    predicted.append(transitions.beta_bethe.values)
    residual = np.array(predicted) / measured - 1
    rms = np.sqrt((residual**2).mean(axis=1))
    data = xr.Dataset(
        {
            "predicted": (
                ("form", "tiling"),
                predicted,
                {"long_name": "beta_c predicted out of sample", "units": "1/J"},
            ),
            "residual": (("form", "tiling"), residual, {"long_name": "predicted / measured - 1", "units": "1"}),
            "C": ("form", constants, {"long_name": "C fitted to all tilings", "units": "1/r_eff"}),
            "rms": ("form", rms, {"long_name": "root mean square residual", "units": "1"}),
        },
        {"form": names, **transitions[["tiling", "p", "q"]].coords},
    )
    return data.assign_attrs(verdict=_verdict(data, measured_error=transitions.beta_c_error / transitions.beta_c))


def _verdict(data: xr.Dataset, measured_error: xr.DataArray) -> str:
    """What the residuals say. Nothing is chosen before the fit, so the best form is the best of several."""
    forms = data.drop_sel(form="Bethe")
    geometric = forms.sel(form=[name for name in forms.form.values if "constant" not in name])
    best, best_geometric = (part.isel(form=int(np.argmin(part.rms.values))) for part in (forms, geometric))
    bethe = float(data.rms.sel(form="Bethe"))
    off = float((np.abs(best.residual) / measured_error).max())
    gain = "improves on" if float(best_geometric.rms) < bethe else "does not improve on"
    fits = "it holds within the errors" if off < SIGNIFICANT else f"it is rejected, up to {off:.0f} errors off"
    return (
        f"with C fitted to all tilings but one, the best of {forms.sizes['form']} forms ({best.form.item()}) predicts "
        f"the one left out to {float(best.rms):.1%}, and {fits}; with a geometric r_eff the law predicts to "
        f"{float(best_geometric.rms):.1%} at best ({best_geometric.form.item()}), which {gain} the Bethe value with "
        f"nothing fitted, {bethe:.1%}"
    )
