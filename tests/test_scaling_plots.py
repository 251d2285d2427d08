"""Pictures of finite-size scaling: Axes in, Axes out, the numbers of the tables on them."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import ragged_family

import analysis

mpl.use("agg")
plots = analysis.plots


@pytest.fixture(autouse=True)
def close():
    from matplotlib import pyplot as plt

    settings = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == settings
    plt.close("all")


def labelled(ax) -> list[str]:
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.filterwarnings("ignore::analysis.ScalingWarning")
def test_collapse_crossings_exponents_and_stability():
    family = ragged_family()
    fit = analysis.fit_collapse(family, "susceptibility", corrections=True, resamples=20)
    ax = plots.collapsed(fit.to_dataset())
    assert labelled(ax) == ["master curve", "N = 64", "N = 256", "N = 1024"]
    np.testing.assert_array_equal(ax.containers[0].lines[0].get_xdata(), fit.points["x"][:15])
    fits = [analysis.fit_scaling(family), analysis.fit_shared(family, ["binder"])]
    assert labelled(plots.stability(fits, exact=1.0)) == ["exact", "fits"]
    drift = plots.crossing_drift(analysis.crossings(family), {"joint fit": (fits[0].beta_c, fits[0].beta_c_error)})
    assert labelled(drift) == ["joint fit", "crossings"]
    table = analysis.quotients(family, crossing="binder")
    ax = plots.exponents(table, exact=2.0)
    assert len(labelled(ax)) == 3
    np.testing.assert_array_equal(ax.containers[0].lines[0].get_ydata(), table["x"])


def test_peaks_dynamics_and_lengths():
    L = np.array([8, 16, 32])
    columns = {"beta_peak": 0.44 - 0.3 / L, "beta_peak_error": 0 * L + 1e-4, "height": L**1.75, "height_error": 0.1 * L}
    peaks = xr.Dataset({name: ("L", values) for name, values in columns.items()}, {"L": L, "n_sites": ("L", L**2)})
    peaks["height"].attrs["units"] = "1"
    table = analysis.peak_scaling(peaks.assign_attrs(quantity="susceptibility_connected"), 1.0, 2)
    assert labelled(plots.peak_positions(table))[1].startswith(r"$\beta_c$ = 0.44000")
    assert plots.peak_heights(table).get_yscale() == "log"
    times = xr.Dataset(
        {"tau": (("update", "n_sites"), [[2.0, 4.0]]), "tau_error": (("update", "n_sites"), [[0.1, 0.2]])}
        | {name: ("update", [value]) for name, value in (("z", 1.0), ("z_error", 0.1), ("amplitude", 0.25))}
        | {"smallest": ("update", [64])},
        {"update": ["heat_bath"], "n_sites": [64, 256], "length": ("n_sites", [8.0, 16.0])},
        {"observable": "energy", "beta": 0.44},
    )
    assert labelled(plots.dynamics(times)) == [r"heat bath: $z=1.00\pm0.10$"]
    r = np.arange(9)
    noise = 1 + 0.01 * np.random.default_rng(1).normal(size=(4, 9))
    slices = xr.Dataset({"correlation": (("chain", "distance"), np.cosh((8 - r) / 3) * noise)}, {"distance": r})
    decay = analysis.decay_length(slices, (0, 8), period=16)
    assert labelled(plots.slice_decay(slices, decay, 16))[0].startswith(r"$\xi$ = ")
    beta = np.linspace(0.3, 0.6, 12)
    lengths = xr.Dataset({"xi": ("beta", 1 / np.abs(beta - 0.44))}, {"beta": beta, "n_sites": 64, "L": 8})
    ax = plots.length_proxy(analysis.proxy_quality(lengths, 0.44))
    assert labelled(ax)[0].startswith("L = 8")
    assert ax.get_yscale() == "log"
