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
