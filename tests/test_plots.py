"""The pictures of analysis: Axes in, Axes out, nothing global changed."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import dense_family, ragged_family

import analysis


@pytest.fixture(scope="module")
def family() -> list[xr.Dataset]:
    return ragged_family()


@pytest.fixture(scope="module")
def dense() -> xr.Dataset:
    return dense_family()


def test_core_imports_no_matplotlib():
    code = "import sys, analysis; assert 'matplotlib' not in sys.modules; analysis.plots.observable"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'plot'"):
        _ = analysis.plot


def test_plots_draw_what_they_are_given(dense, family):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    settings = dict(mpl.rcParams)
    table, pairs = analysis.summarize(dense), analysis.crossings(dense)
    _, ax = plt.subplots()
    assert analysis.plots.observable(table, "specific_heat", ax) is ax
    assert len(ax.containers) == 3
    np.testing.assert_array_equal(ax.containers[0].lines[0].get_ydata(), table["specific_heat"].isel(L=0))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["N = 64", "N = 256", "N = 1024"]
    assert "beta" in ax.get_xlabel()
    ax = analysis.plots.binder_crossing(table, pairs)
    np.testing.assert_array_equal(ax.containers[-1].lines[0].get_xdata(), pairs["beta_cross"])
    assert len(analysis.plots.binder_crossing(analysis.summarize(family)).containers) == 3
    peaks = analysis.peaks(dense, "susceptibility_connected")
    ax = analysis.plots.scaling_of_peaks(peaks)
    assert ax.get_xscale() == "log"
    assert analysis.plots.observable(analysis.summarize(family[0])).get_legend() is not None
    with pytest.raises(ValueError, match="must be a variable"):
        analysis.plots.observable(table, "xi")
    assert dict(mpl.rcParams) == settings
    plt.close("all")


def test_scaling_laws_of_language_models_are_drawn():
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    rng = np.random.default_rng(0)
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(1e8, 1e11, 4)))
    L = (1.7 + 400 / N**0.34 + 410 / D**0.28) * np.exp(rng.normal(0, 0.003, N.size))
    fit = analysis.fit_loss(N, D, L, replicas=20)
    ax = analysis.plots.loss_law(fit, N, D, L)
    assert len(ax.get_legend().get_texts()) == 5
    np.testing.assert_allclose(ax.lines[0].get_ydata(), fit.loss(ax.lines[0].get_xdata(), 1e8))
    C = np.repeat(np.geomspace(1e17, 1e20, 4), 5)
    sizes = fit.optimum(C)[0] * np.tile(np.geomspace(0.3, 3, 5), 4)
    losses = fit.loss(sizes, C / 6 / sizes) * np.exp(rng.normal(0, 1e-3, C.size))
    slices = analysis.fit_isoflop(sizes, C, losses)
    ax = analysis.plots.isoflop(slices, sizes, C, losses)
    np.testing.assert_array_equal(ax.containers[-1].lines[0].get_xdata(), slices.parameters)
    ax = analysis.plots.best_size(slices)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "FLOP" in ax.get_xlabel()
    plt.close("all")


def test_log_binning_is_drawn_in_errors():
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    noise = np.random.default_rng(1).normal(size=(2, 16, 128))
    run = xr.Dataset({"energy": (("beta", "chain", "draw"), noise)}, {"beta": [0.3, 0.4], "n_sites": 16})
    table = analysis.log_binning(run)
    ax = analysis.plots.log_binning(table)
    change = table["energy_change"] / table["energy_change_error"]
    np.testing.assert_allclose(ax.containers[0].lines[0].get_ydata(), change.isel(beta=0)[1:])
    assert "errors" in ax.get_ylabel()
    plt.close("all")
