"""The figures of a report: how each is drawn, what its caption says, and the lines of Python that make it alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import analysis
import ising

from . import figures, system_figures
from .findings import losses, steering
from .lanes import height

if TYPE_CHECKING:
    from .report import Results

SHOWN = (0.5, 1.0, 2.0)  # beta / beta_c of the disks
NARROW = 4.1  # inches: the comparison as phones show it
IMPORTS = "import xarray as xr\nfrom ceas_physics import figures\n\n"
RUNS = {"fixed": ("standard", "a fixed beta = 1/sqrt(d_k)"), "steered": ("thermostat", "the thermostat")}


@dataclass(frozen=True)
class Panel:
    """One figure.

    Attributes
    ----------
    name
        Of its file.
    title, caption
        In words; the title is also what a reader without pictures hears.
    code
        Python that makes it alone, in the folder of the report.
    draw
        Draws it into an Axes.
    size
        Inches.
    cells
        Many cells, so a PNG in the page, and as it is on dark pages.
    """

    name: str
    title: str
    caption: str
    code: str
    draw: Callable[[Axes], object]
    size: tuple[float, float] = (5.0, 3.5)
    cells: bool = False

    def figure(self, width: float | None = None) -> Figure:
        """The panel drawn, if asked for in another width."""
        figure = Figure(figsize=(width or self.size[0], self.size[1]), layout="constrained")
        self.draw(figure.subplots())
        return figure


def comparison(results: Results) -> Panel:
    """Every corridor on one axis."""
    return Panel(
        "corridors",
        "Every corridor against its critical point",
        "Bars are corridors, entropy 0.9 to 1.3 nats below ln n; their thin ends are errors. The vertical line is the "
        "critical point: the peak of C of this size, for size infinite the crossing of Binder cumulants, for the glass "
        "the published transition; the short bar on it is its error. Thin lines: the half-maximum band of C. Diamonds: "
        "the beta that a head runs at. Shaded: beta between beta_c/2 and 2 beta_c. Errors are one standard deviation.",
        f'{IMPORTS}figures.corridors(xr.open_dataset("corridor.nc"))',
        lambda ax: figures.corridors(results.table, ax),
        (7.6, height(results.table)),
    )


def scaling(results: Results) -> list[Panel]:
    """Three pictures of each sampled system, and the trend of beta_c with size."""
    square = _system("square", "Square lattice", "square_L", results.square, True)
    hyperbolic = _system("hyperbolic", "Closed {5,4} surfaces", "hyperbolic_54_N", results.hyperbolic, False)
    trend = Panel(
        "finite_size",
        "Drift of the peaks with size",
        "beta_c of each size, the peak of the specific heat, in units of the infinite system's; for the random energy "
        "model of sqrt(2 ln n)/sigma, where its rows freeze. Error bars: jackknife, one standard deviation.",
        f'{IMPORTS}figures.finite_size_trend(xr.open_dataset("corridor.nc"))',
        lambda ax: figures.finite_size_trend(results.table, ax),
    )
    return [panel for pair in zip(square, hyperbolic) for panel in pair] + [trend]


def _system(name: str, title: str, prefix: str, data: list[xr.Dataset], square: bool) -> list[Panel]:
    sizes = ", ".join(str(part.L.item()) for part in data)
    read = f'data = [xr.open_dataset(f"{prefix}{{size}}.nc") for size in ({sizes})]'
    code = f"{IMPORTS}{read}\n"
    exact = ising.exact.kaufman if square else None
    fit = system_figures.collapse_fit(data)
    nu = f"nu = {fit.nu:.3f} +- {fit.nu_error:.3f}" if square else "the mean-field nu = 1/2 (L = N^(1/4))"
    return [
        Panel(
            f"{name}_specific_heat",
            f"{title}: specific heat",
            f"The peak of each size is its beta_c{'; grey: exact, Kaufman 1949' if square else ''}. Error bars: "
            "jackknife over chains, one standard deviation.",
            f"import ising\n{code}figures.specific_heats(data, ising.exact.kaufman)"
            if square
            else f"{code}figures.specific_heats(data)",
            partial(figures.specific_heats, data, exact),
        ),
        Panel(
            f"{name}_binder",
            f"{title}: Binder crossings",
            "Curves of neighbouring sizes cross (diamonds) at a point that runs to the critical one; band: error of "
            "the crossing of the two largest. Error bars: jackknife over chains.",
            f"{code}figures.binder_crossings(data)",
            partial(figures.binder_crossings, data),
        ),
        Panel(
            f"{name}_collapse",
            f"{title}: collapse",
            f"The same curves less the fitted correction to scaling, against the scaled distance from beta_c = "
            f"{fit.beta_c:.4f} +- {fit.beta_c_error:.4f}, with {nu}: one curve, chi2/dof = "
            f"{fit.chi2:.1f}/{fit.dof:.1f}. Band: error of the master curve.",
            f"{code}figures.collapse(data)",
            lambda ax: analysis.plots.collapsed(fit.to_dataset(), ax),
        ),
    ]


def disks(results: Results) -> list[Panel]:
    """Three moments of an anneal on the Poincare disk."""
    disk, lattice = results.disk, ising.hyperbolic(5, 4, layers=int(results.disk.attrs["layers"]))
    found = []
    for moment, ratio in zip(("early", "middle", "late"), SHOWN):
        k = int(np.argmin(abs(np.log(disk.ratio.values / ratio))))
        spins = disk.spins.isel(frame=k).values
        found.append(
            Panel(
                f"disk_{moment}",
                f"The anneal at beta = {disk.ratio.values[k]:.2f} beta_c",
                f"Frame {k + 1} of {disk.sizes['frame']}: one configuration of {lattice.n_sites:,} spins, "
                f"magnetization {spins.mean():+.2f}.",
                "import analysis, ising, xarray as xr\n\n"
                f'lattice, disk = ising.hyperbolic(5, 4, layers={disk.attrs["layers"]}), xr.open_dataset("disk.nc")\n'
                f"analysis.plots.disk(lattice.coordinates, disk.spins[{k}], lattice.bonds)",
                partial(analysis.plots.disk, lattice.coordinates, spins, lattice.bonds),
                (4.0, 4.0),
                True,
            )
        )
    return found


def heads(results: Results) -> list[Panel]:
    """Specific heat of the heads of the transformer, before and after training."""
    found = []
    for k, name in enumerate(("untrained", "fixed", "steered")):
        run = results.head_heat.isel(run=k)
        found.append(
            Panel(
                f"heads_{name}",
                f"Specific heat of the heads, {run['run'].item()}",
                "C = beta^2 Var of the scores, mean over rows, against beta/beta_c; shaded: factor 2. Bands: standard "
                "error over sequences.",
                f'{IMPORTS}figures.head_heat(xr.open_dataset("head_specific_heat.nc").isel(run={k}))',
                partial(figures.head_heat, run),
            )
        )
    return found


def training(results: Results) -> list[Panel]:
    """What the thermostat does, beside a fixed beta."""
    found = []
    for name, (file, words) in RUNS.items():
        run = results.standard if name == "fixed" else results.steered
        code = f'import xarray as xr\nfrom ceas_physics import figures\n\nrun = xr.open_dataset("training_{file}.nc")\n'
        found += [
            Panel(
                f"entropy_{name}",
                f"Entropy under {words}",
                "Mean over the rows of the same sequences of validation text, head by head; shaded: the corridor. One "
                "run, so no error bars.",
                f"{code}figures.entropy_trace(run)",
                partial(_entropy, results, run),
            ),
            Panel(
                f"beta_{name}",
                f"Distance from criticality under {words}",
                "beta over the beta_c measured at the same step; shaded: factor 2. Triangles: beta on a bound of the "
                f"thermostat. {steering(run) if name == 'steered' else ''}",
                f"{code}figures.beta_trace(run)",
                partial(figures.beta_trace, run),
            ),
        ]
    runs = {"fixed 1/sqrt(d_k)": results.standard, "thermostat": results.steered}
    found = [found[k] for k in (0, 2, 1, 3)]
    last = losses(results)
    found.append(
        Panel(
            "losses",
            "Validation loss of both runs",
            f"{last[0].upper()}{last[1:]}.",
            f"{IMPORTS}"
            'runs = {name: xr.open_dataset(f"training_{name}.nc") for name in ("standard", "thermostat")}\n'
            "figures.losses(runs)",
            partial(figures.losses, runs),
        )
    )
    return found


def _entropy(results: Results, run: xr.Dataset, ax: Axes) -> None:
    """The trace of one run on an axis that fits both."""
    figures.entropy_trace(run, ax)
    both = np.concatenate([each.entropy.values.ravel() for each in (results.standard, results.steered)])
    ax.set_ylim(both.min() - 0.1, both.max() + 0.1)
