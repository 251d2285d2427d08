"""Pictures of spin glasses; offered through `analysis.plots`."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from .drawing import LINE, colors, new_axes, picture, tidy


@picture(table="analysis.log_binning")
def log_binning(table: xr.Dataset, quantity: str = "energy", ax: Axes | None = None) -> Axes:
    """Change of a quantity from the last logarithmic bin to the earlier ones, in errors: flat near 0 in equilibrium.

    Parameters
    ----------
    table
        From `analysis.log_binning`.
    quantity
        The one it was asked for.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    earlier = table.isel(bin=slice(1, None))
    ax.axhspan(-2, 2, color="0.5", alpha=0.15, linewidth=0)
    for i, color in enumerate(colors(table.sizes["beta"])):
        line = earlier.isel(beta=i)
        change = line[f"{quantity}_change"] / line[f"{quantity}_change_error"]
        ax.errorbar(
            line["stop"].values, change.values, 1.0, color=color, label=rf"$\beta$ = {line['beta'].item():.4g}", **LINE
        )
    ax.set_xscale("log")
    ax.set_xlabel("last draw of the bin")
    ax.set_ylabel(f"change of {table[quantity].attrs['long_name']}  [errors]")
    ax.legend(frameon=False, fontsize="small")
    return tidy(ax)
