"""Pictures of the hyperbolic transitions; each function takes data and an Axes and returns the Axes."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from . import free_boundary

SIGNALS = {"energy": ("#0072b2", "from the energy"), "m2": ("#d55e00", r"from $\langle m^2\rangle$")}
MARKERS = "osDv^P<"


def transitions(closed: xr.Dataset, ax: Axes) -> Axes:
    """Measured beta_c over the Bethe value of the same degree, by tiling, errors included."""
    rows = np.arange(closed.sizes["tiling"])
    ratio, error = closed.beta_c / closed.beta_bethe, closed.beta_c_error / closed.beta_bethe
    ax.axhline(1.0, color="0.5", linewidth=1.0)
    ax.errorbar(rows, ratio, error, fmt="o", color="#2a6f97", markersize=5, capsize=3)
    ax.text(1.0, 1.002, "Bethe lattice of the same degree", transform=ax.get_yaxis_transform(), ha="right", color="0.4")
    ax.set_xticks(rows, closed.tiling.values)
    ax.set_ylabel(r"$\beta_c\,/\,\mathrm{artanh}\,\frac{1}{q-1}$")
    ax.set_xlabel(r"closed maps $\{p,q\}$")
    return _tidy(ax)


def gap(data: xr.Dataset, ax: Axes) -> Axes:
    """Gap of the central bond correlation to the ordered state, against beta, one line per number of layers."""
    values, errors = free_boundary.gap(data)
    for k, color in enumerate(_colors(data.sizes["layers"])):
        ax.errorbar(data.beta, values[k], errors[k], color=color, marker="o", markersize=3, linewidth=1.1,
                    label=f"{int(data.layers[k])} layers")  # fmt: skip
    _estimates(data, ax)
    ax.set_ylabel(r"$\langle s_i s_j\rangle_{\rm ordered}-\langle s_i s_j\rangle_{\rm free}$ at the centre")
    ax.set_title(f"{{{data.p},{data.q}}}", loc="left")
    ax.legend(frameon=False, fontsize="x-small")
    return _tidy(ax)


def loss(data: xr.Dataset, ax: Axes) -> Axes:
    """Loss of <m^2> per layer between consecutive patches, against beta."""
    values, errors = free_boundary.loss(data)
    layers = data.layers.values
    for k, color in enumerate(_colors(len(layers) - 1)):
        step = layers[k + 1] - layers[k]
        ax.errorbar(data.beta, values[k] / step, errors[k] / step, color=color, marker="o", markersize=3,
                    linewidth=1.1, label=f"{layers[k]} to {layers[k + 1]} layers")  # fmt: skip
    _estimates(data, ax)
    ax.set_ylabel(r"$-\,d\ln\langle m^2\rangle/dR$")
    ax.legend(frameon=False, fontsize="x-small")
    return _tidy(ax)


def residuals(formula: xr.Dataset, ax: Axes) -> Axes:
    """What every form of the law predicts out of sample, in percent of the measured value, by tiling."""
    rows = np.arange(formula.sizes["tiling"])
    ax.axhline(0.0, color="0.5", linewidth=1.0)
    for k, (name, color) in enumerate(zip(formula.form.values, _colors(formula.sizes["form"]))):
        bethe = name == "Bethe"
        shift = 0.0 if bethe else 0.09 * (k - (formula.sizes["form"] - 2) / 2)
        ax.plot(
            rows + shift, 100 * formula.residual[k], linestyle="none", marker="*" if bethe else MARKERS[k],
            markersize=11 if bethe else 5, color="black" if bethe else color,
            label=f"{name}  (rms {100 * float(formula.rms[k]):.1f} %)",
        )  # fmt: skip
    ax.set_xticks(rows, formula.tiling.values)
    ax.set_ylabel(r"predicted $\beta_c$, deviation [%]")
    ax.legend(frameon=False, fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return _tidy(ax)


def _estimates(data: xr.Dataset, ax: Axes) -> None:
    """Bands of beta_f from both signals and the dual value, on an axis of beta."""
    for signal, (color, label) in SIGNALS.items():
        value, error = float(data.beta_f.sel(signal=signal)), float(data.beta_f_error.sel(signal=signal))
        ax.axvspan(value - error, value + error, color=color, alpha=0.25, linewidth=0, label=rf"$\beta_f$ {label}")
    if "beta_f_dual" in data:
        ax.axvline(float(data.beta_f_dual), color="0.2", linestyle="--", linewidth=1.0, label=r"$\beta_f$ by duality")
    ax.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
    ax.set_xlabel(r"inverse temperature  $\beta$  [$1/J$]")
    ax.set_xlim(float(data.beta[0]), float(data.beta[-1]))


def _colors(n: int) -> np.ndarray:
    return mpl.colormaps["viridis"](np.linspace(0.05, 0.85, n))


def _tidy(ax: Axes) -> Axes:
    ax.spines[["top", "right"]].set_visible(False)
    return ax
