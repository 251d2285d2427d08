"""Error bars and autocorrelation times against exactly solvable cases."""

import warnings

import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import CURIE_WEISS, DIMS, assert_unit_variance, dense_family, exact, ragged_family, sample
from scipy.signal import lfilter

import analysis
from analysis.resampling import block_counts, block_means, block_starts, jackknife_error, leave_one_out


def ar1(a: float, shape: tuple[int, ...], rng) -> np.ndarray:
    """Stationary x_t = a x_{t-1} + noise along the last axis, unit variance, tau = (1 + a) / (1 - a)."""
    noise = rng.normal(size=shape) * np.sqrt(1 - a**2)
    noise[..., 0] /= np.sqrt(1 - a**2)
    return lfilter([1.0], [1.0, -a], noise, axis=-1)


def gaussian_run(energy: np.ndarray, magnetization=None) -> xr.Dataset:
    """A run at beta = 0.5 on 100 sites from (chain, draw) series."""
    variables = {"energy": (DIMS, energy[np.newaxis])}
    if magnetization is not None:
        variables["magnetization"] = (DIMS, magnetization[np.newaxis])
    return xr.Dataset(variables, {"beta": [0.5], "n_sites": 100})


@pytest.fixture(scope="module")
def family() -> list[xr.Dataset]:
    return ragged_family()


@pytest.fixture(scope="module")
def dense() -> xr.Dataset:
    return dense_family()


# Resampling


def test_blocks():
    assert len(block_starts(64, 1000, 1.0)) == 1
    assert len(block_starts(1, 6400, 1.0)) == 64
    assert len(block_starts(1, 6400, 32.0)) == 10  # blocks of 20 tau
    assert len(block_starts(1, 6400, 6400.0)) == 8  # never fewer, however slow
    starts = block_starts(7, 103, 1.0)
    series = np.random.default_rng(4).normal(size=(7, 103))
    counts = block_counts(7, 103, starts)
    assert counts.sum() == series.size
    rows = leave_one_out(block_means(series, starts), counts)
    np.testing.assert_allclose(rows[0], series.mean())
    rest = np.concatenate([series[0, starts[1] :], series[1:].ravel()])
    np.testing.assert_allclose(rows[1], rest.mean())
    with pytest.raises(ValueError, match="at least 2 draws"):
        block_starts(1, 1, 1.0)


def test_jackknife_of_a_mean_is_the_standard_error():
    x = np.random.default_rng(5).normal(size=50)
    rows = leave_one_out(x, np.ones(50, dtype=int))
    np.testing.assert_allclose(jackknife_error(rows), x.std(ddof=1) / np.sqrt(50))


# Thermodynamics


@pytest.mark.parametrize("chains", [1, 8, 64])
def test_errors_are_calibrated_on_independent_draws(chains):
    """60 runs as 60 values of beta: one joint chi-square over all quantities would mix correlated ones, so one each."""
    n, rng = 64, np.random.default_rng(6)
    table = analysis.summarize(sample(n, np.full(60, 1.0), chains, 12_800 // chains, rng))
    absm, m2, u4, e = CURIE_WEISS[n]
    truth = exact(n, 1.0)
    np.testing.assert_allclose([truth["magnetization_abs"], truth["binder"], truth["energy"]], [absm, u4, e], rtol=1e-9)
    np.testing.assert_allclose(truth["susceptibility"], n * m2, rtol=1e-9)
    for name, value in truth.items():
        assert_unit_variance((table[name] - value) / table[f"{name}_error"])


@pytest.mark.parametrize("chains", [1, 8, 64])
def test_errors_are_calibrated_on_correlated_draws(chains):
    rng, n_runs = np.random.default_rng(8), 100
    energy = np.stack([ar1(0.8, (chains, 25_600 // chains), rng) for _ in range(n_runs)])
    run = xr.Dataset({"energy": (DIMS, energy)}, {"beta": np.full(n_runs, 0.5), "n_sites": 100})
    table = analysis.summarize(run)
    assert_unit_variance(table["energy"] / table["energy_error"])
    assert_unit_variance((table["specific_heat"] - 25.0) / table["specific_heat_error"])
    naive = energy.mean(axis=(1, 2)) / (energy.std(axis=(1, 2)) / np.sqrt(energy[0].size))
    with pytest.raises(AssertionError, match="chi2"):  # negative control: errors that ignore tau = 9
        assert_unit_variance(naive)


def test_correlation_length_from_structure_factor():
    rng = np.random.default_rng(9)
    run = sample(64, [0.9, 1.0], 8, 200, rng).assign_coords(L=8, momentum=2 * np.sin(np.pi / 8))
    run["structure_factor"] = (DIMS, rng.exponential(size=(2, 8, 200)))
    table = analysis.summarize(run)
    ratio = 64 * (run["magnetization"] ** 2).mean(("chain", "draw")) / run["structure_factor"].mean(("chain", "draw"))
    np.testing.assert_allclose(table["xi"], np.sqrt(ratio - 1) / (2 * np.sin(np.pi / 8)))
    np.testing.assert_allclose(table["xi_over_L"], table["xi"] / 8)
    assert "xi_over_L" not in analysis.summarize(run.assign_coords(L="klein"))
    for name in ("L", "lattice_L"):
        assert "xi_over_L" in analysis.summarize(run.drop_vars("L").assign_attrs({name: 8}))
    assert "xi" not in analysis.summarize(run.assign_coords(momentum=np.nan))


def test_constant_data_has_zero_errors():
    constant = np.full((4, 100), -1.9)
    table = analysis.summarize(gaussian_run(constant, np.full((4, 100), 0.37)))
    for name in (
        "energy",
        "specific_heat",
        "magnetization_abs",
        "susceptibility",
        "susceptibility_connected",
        "binder",
    ):
        assert table[f"{name}_error"].item() == 0.0
    assert table["specific_heat"].item() == 0.0
    assert table["tau_energy"].item() == 1.0
    np.testing.assert_allclose(table["binder"], 2 / 3)
    no_magnetization = analysis.summarize(gaussian_run(constant, np.zeros((4, 100))))
    assert np.isnan(no_magnetization["binder"].item())


def test_variables_carry_their_formula(dense):
    table = analysis.summarize(dense)
    assert table.attrs == dense.attrs
    assert table["binder"].attrs["formula"] == "1 - <m^4> / (3 <m^2>^2)"
    assert table["energy"].dims == ("L", "beta")
    assert all({"long_name", "units", "formula"} <= variable.attrs.keys() for variable in table.data_vars.values())
    one = analysis.summarize(dense.isel(L=0, drop=True).assign_coords(n_sites=64))
    assert one["energy"].dims == ("beta",)
    np.testing.assert_array_equal(one["binder_error"], table["binder_error"].isel(L=0))


def test_a_list_equals_a_dataset(dense):
    parts = [dense.isel(L=i) for i in range(3)]
    xr.testing.assert_identical(analysis.summarize(parts), analysis.summarize(dense))
    xr.testing.assert_identical(analysis.crossings(parts[::-1]), analysis.crossings(dense))


def test_ragged_list_is_laid_on_the_union_of_beta(family):
    table = analysis.summarize(family)
    assert table["energy"].notnull().sum("beta").values.tolist() == [15, 15, 15]
    own = analysis.summarize(family[1])
    np.testing.assert_array_equal(table["binder"].isel(L=1).sel(beta=own["beta"]), own["binder"])


def test_disorder_average_of_thermal_averages():
    """Realisations with means 3 r and unit thermal variance: c has no contribution from the spread of the means."""
    rng = np.random.default_rng(10)
    centre = rng.normal(size=(50, 1, 1, 1))
    energy = 3 * centre + rng.normal(size=(50, 1, 4, 500))
    run = xr.Dataset({"energy": (("disorder", *DIMS), energy)}, {"beta": [1.0], "n_sites": 10})
    table = analysis.summarize(run)
    per_realisation = energy.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(table["energy"], per_realisation.mean())
    np.testing.assert_allclose(table["energy_error"], per_realisation.std(ddof=1) / np.sqrt(50))
    assert abs(table["specific_heat"].item() - 10 * (1 - 1 / 2000)) < 5 * table["specific_heat_error"].item()
    one = run.isel(disorder=[0])
    xr.testing.assert_identical(analysis.summarize(one), analysis.summarize(one.isel(disorder=0)))


def test_short_run_warns_once_with_its_number():
    rng = np.random.default_rng(13)
    slow = np.cumsum(rng.normal(size=(4, 200)), axis=1)
    data = gaussian_run(slow, rng.normal(size=(4, 200))).assign_coords(L=10)
    with pytest.warns(analysis.ShortRunWarning, match=r"energy at L = 1\d, beta = 0.5: tau = .*n = 800") as record:
        analysis.summarize([data, data.assign_coords(L=12)])
    assert [one.filename for one in record] == [__file__]
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        analysis.reweight(data, [0.5])
    assert {(one.category, one.filename) for one in record} == {
        (category, __file__) for category in (analysis.ShortRunWarning, analysis.ReweightingWarning)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analysis.summarize(gaussian_run(rng.normal(size=(4, 200))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.isel(chain=0), "dimensions beta, chain and draw"),
        (lambda d: d.drop_vars("n_sites"), "n_sites"),
        (lambda d: d.rename(energy="heat"), "energy or magnetization"),
        (lambda d: d.where(d["energy"] < 0), "energy must be finite"),
        (lambda d: d.isel(draw=slice(0)), "not empty"),
        (lambda d: [], "at least one size"),
        (lambda d: [d], "scalar coordinate L"),
        (lambda d: d.expand_dims("L"), "scalar coordinate L"),
    ],
)
def test_summarize_refuses(change, message):
    data = gaussian_run(np.random.default_rng(14).normal(size=(4, 100)))
    data = data.assign(energy=data["energy"].transpose(*DIMS))
    with pytest.raises(ValueError, match=message):
        analysis.summarize(change(data))
