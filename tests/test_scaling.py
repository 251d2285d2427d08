"""Joint scaling fits: calibration on synthetic families, exact critical points, scatter between maps, refusals."""

import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import DIMS, assert_unit_variance, sample

import analysis
import ising
from analysis.collapse import collapse_quality

BETA_C, NU = 0.44, 1.2


def binder_draws(u4, n_draws: int, rng) -> np.ndarray:
    """Magnetizations 0 and 1 whose Binder cumulant is u4: P(1) = 1 / (3 (1 - u4)); (beta, 16, draw)."""
    p = 1 / (3 * (1 - np.asarray(u4)))
    return (rng.random((len(p), 16, n_draws)) < p[:, np.newaxis, np.newaxis]).astype(float)


def synthetic_family(rng, sizes=(8, 16, 32, 64), n_draws=500) -> list[xr.Dataset]:
    """2D data of known beta_c and nu: U4 = 0.33 (1 + tanh(0.7 + 0.9 x + 0.1 x^2)) + 0.3 (1 + x / 2) L^(-7/4)."""
    runs = []
    for L in sizes:
        x = np.linspace(-1.2, 1.2, 9)
        u4 = 0.33 * (1 + np.tanh(0.7 + 0.9 * x + 0.1 * x**2)) + 0.3 * (1 + x / 2) * L**-1.75
        beta = BETA_C * (1 + x * L ** (-1 / NU))
        coords = {"beta": beta, "n_sites": L * L, "L": L}
        runs.append(xr.Dataset({"magnetization": (DIMS, binder_draws(u4, n_draws, rng))}, coords, {"dimension": 2}))
    return runs


def curie_weiss_family(rng, sizes=(64, 256, 1024, 4096), draws=400) -> list[xr.Dataset]:
    return [sample(n, 1 + np.linspace(-2, 2, 11) / np.sqrt(n), 16, draws, rng) for n in sizes]


def pulls(n_sets: int, seed: int) -> np.ndarray:
    """(set, 2): (beta_c - truth) / error and (nu - truth) / error."""
    rng, z = np.random.default_rng(seed), []
    for _ in range(n_sets):
        fit = analysis.fit_scaling(synthetic_family(rng))
        z.append([(fit.beta_c - BETA_C) / fit.beta_c_error, (fit.nu - NU) / fit.nu_error])
    return np.array(z)


@pytest.mark.filterwarnings("ignore::analysis.ScalingWarning")  # one set in twenty, by the definition of p
def test_beta_c_and_nu_are_calibrated():
    z = pulls(60, 1)
    for column in z.T:
        assert_unit_variance(column)
        assert abs(column.mean()) < 4 / np.sqrt(len(column))
    with pytest.raises(AssertionError):  # control: errors half as large would be seen
        assert_unit_variance(2 * z[:, 0])


@pytest.mark.filterwarnings("ignore::analysis.ScalingWarning")
def test_curie_weiss_is_calibrated():
    rng, z = np.random.default_rng(2), []
    for _ in range(30):
        fit = analysis.fit_scaling(curie_weiss_family(rng))
        z.append((fit.beta_c - 1) / fit.beta_c_statistical)
        assert fit.beta_c_error >= fit.beta_c_statistical
        assert (fit.nu, fit.nu_error, fit.critical_value_error) == (0.5, 0.0, 0.0)
    assert_unit_variance(z)
    assert abs(np.mean(z)) < 4 / np.sqrt(len(z))


@pytest.mark.validate
@pytest.mark.filterwarnings("ignore::analysis.ScalingWarning")
def test_coverage_over_a_thousand_sets():
    for column in np.abs(pulls(1_000, 3)).T:
        assert 0.64 < np.mean(column < 1.0) < 0.72
        assert 0.93 < np.mean(column < 1.96) < 0.975


@pytest.fixture(scope="module")
def family() -> list[xr.Dataset]:
    return curie_weiss_family(np.random.default_rng(4))


def test_labels_order_and_the_unit_of_beta_do_not_matter(family):
    fit = analysis.fit_scaling(family)
    labelled = [run.assign_coords(L=f"graph {int(run.n_sites)}") for run in family[::-1]]
    assert analysis.fit_scaling(labelled) == fit
    halved = analysis.fit_scaling([run.assign_coords(beta=run.beta / 2) for run in family])
    assert halved.beta_c == pytest.approx(fit.beta_c / 2, rel=1e-9)
    assert halved.beta_c_error == pytest.approx(fit.beta_c_error / 2, rel=1e-6)
    assert halved.quality == pytest.approx(fit.quality, rel=1e-6)


def test_fields_and_dataset(family):
    fit = analysis.fit_scaling(family)
    assert (fit.smallest, fit.largest, fit.n_runs, fit.quantity) == (64, 4096, 4, "binder")
    assert fit.p > 0.05
    assert 0.3 < fit.quality < 3
    assert abs(fit.beta_c_shift) < 5 * fit.beta_c_error
    table = fit.to_dataset()
    assert table["beta_c"].item() == fit.beta_c
    assert table["beta_c"].attrs["units"] == "1/J"
    assert table.attrs["method"].startswith("joint fit of degree 4 in x")
    large = analysis.fit_scaling(family, smallest=256)
    assert (large.smallest, large.n_runs) == (256, 3)


def test_scatter_between_maps_enters_the_error():
    rng = np.random.default_rng(5)
    maps = curie_weiss_family(rng, (256, 256, 1024, 1024, 4096, 4096))
    n_sites = np.array([int(run.n_sites) for run in maps])
    fits = []
    for _ in range(16):
        factor = 1 + 0.1 * rng.standard_normal(6) / np.sqrt(n_sites)  # every map has a beta_c of its own
        moved = [run.assign_coords(beta=run.beta * by, L=i) for i, (run, by) in enumerate(zip(maps, factor))]
        with pytest.warns(analysis.ScalingWarning, match="does not fit all sizes"):
            fits.append(analysis.fit_scaling(moved))
    assert "scatter between runs" in fits[0].method
    away, error = (np.sqrt(np.mean(np.square(x))) for x in zip(*((f.beta_c - 1, f.beta_c_error) for f in fits)))
    assert 0.5 < away / error < 1.8  # rms over 16 fits, known to 18 %, and errors of about 3 degrees of freedom each
    assert away > 3 * analysis.fit_scaling(maps).beta_c_error  # control: the error of the points alone falls short


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_refusals(family):
    with pytest.raises(ValueError, match="at least 3 different sizes, got 2"):
        analysis.fit_scaling(family[:2])
    with pytest.raises(ValueError, match="at least 3 different sizes, got 1"):
        analysis.fit_scaling([family[0]] * 3)
    with pytest.raises(ValueError, match="dimension must be 2, 3"):
        analysis.fit_scaling(family, dimension="unknown")
    with pytest.raises(ValueError, match="dimension must be 2, 3"):
        analysis.fit_scaling(family, dimension=4)
    with pytest.raises(ValueError, match="xi_over_L needs structure_factor"):
        analysis.fit_scaling(family, "xi_over_L")
    apart = [run.assign_coords(beta=run.beta + i) for i, run in enumerate(family)]
    with pytest.raises(ValueError, match="does not cross within the beta range"):
        analysis.fit_scaling(apart)
    one_away = [family[0], family[1].assign_coords(beta=family[1].beta + 1), *family[2:]]
    with pytest.raises(ValueError, match=r"size 256 has 0 values of beta near the crossing"):
        analysis.fit_scaling(one_away)
    coarse = [run.isel(beta=slice(0, None, 5)) for run in family[:3]]
    with pytest.raises(ValueError, match=r"values of beta near the crossing|parameters need more than"):
        analysis.fit_scaling(coarse)


def test_the_wrong_dimension_is_not_credible():
    with pytest.warns(analysis.ScalingWarning, match="smallest="):
        analysis.fit_scaling(synthetic_family(np.random.default_rng(6)), dimension="mean_field")


def test_quality_of_a_collapse():
    rng, x, run = np.random.default_rng(7), np.tile(np.linspace(-1, 1, 60), 4), np.repeat(np.arange(4), 60)
    x = x + 0.001 * run
    error = np.full(x.size, 0.01)
    smooth = np.tanh(x)
    assert collapse_quality(x, smooth, error, run) < 1e-3
    noisy = collapse_quality(x, smooth + rng.normal(0, error), error, run)
    assert abs(noisy - 1) < 5 * np.sqrt(2 / x.size) * 2  # neighbours share points: twice the variance at most
    assert collapse_quality(x, smooth + 0.03 * run, error, run) > 5  # control: curves apart by three errors
    assert np.isnan(collapse_quality(x, smooth, error, np.zeros(x.size, int)))


@pytest.mark.parametrize("n_points", [7, 13])
def test_quality_does_not_depend_on_how_coarse_the_grid_is(n_points):
    """Errors of 0.001 see the bend of the curve between seven points: no fault of the collapse."""
    rng, found = np.random.default_rng(8), []
    for _ in range(40):
        spacing = 2.4 / (n_points - 1)
        x = np.concatenate([np.linspace(-1.2, 1.2, n_points) + spacing * rng.uniform(-0.5, 0.5) for _ in range(4)])
        run, error = np.repeat(np.arange(4), n_points), np.full(4 * n_points, 1e-3)
        y = np.tanh(0.7 + 0.9 * x) + rng.normal(0, error)
        found.append([collapse_quality(x, y + shift * error * run, error, run) for shift in (0, 2)])
    good, bad = np.mean(found, axis=0)
    assert abs(good - 1) < 0.25  # known to 0.05, and seven points leave some of the bend
    assert bad > 5  # control: curves apart by two errors


def test_quality_of_fits_to_coarse_precise_data():
    coarse = [run.isel(beta=slice(0, None, 2)) for run in synthetic_family(np.random.default_rng(9), n_draws=20_000)]
    fits = [analysis.fit_scaling(coarse), analysis.fit_collapse(coarse, corrections=True, resamples=20)]
    for fit in fits:
        assert 0.1 < fit.quality < 2 * max(1.0, fit.chi2 / fit.dof)
        assert abs(fit.beta_c - BETA_C) < 4 * fit.beta_c_error
    with pytest.warns(analysis.ScalingWarning, match="do not collapse"):  # control: corrections left in
        assert analysis.fit_collapse(coarse, method="local_linear", resamples=20).quality > 20


# Monte Carlo


def run_sizes(lattices, beta_c, reach, draws, n_beta=11) -> list[xr.Dataset]:
    """Swendsen-Wang runs at beta_c (1 + x / sqrt(N)), |x| <= reach."""
    models = {lattice.attrs.get("L", lattice.n_sites): ising.ferromagnet(lattice) for lattice in lattices}
    x = np.linspace(-reach, reach, n_beta)
    betas = {size: beta_c * (1 + x / np.sqrt(model.lattice.n_sites)) for size, model in models.items()}
    schedule = ising.Schedule(warmup=300, draws=draws)
    return ising.sample_sizes(models, betas, schedule, update="swendsen_wang", seed=1, progress=False)


def test_square_lattice():
    fit = analysis.fit_scaling(run_sizes([ising.square(L) for L in (8, 16, 32)], 0.44, 1.0, 2_000))
    assert abs(fit.beta_c - 0.44068679) < 4 * fit.beta_c_error
    assert abs(fit.nu - 1) < 4 * fit.nu_error
    assert abs(fit.critical_value - 0.61069) < 4 * fit.critical_value_error
    assert fit.beta_c_error < 2e-3
    assert np.isnan(fit.beta_c_scatter)


@pytest.mark.validate
@pytest.mark.filterwarnings("ignore::analysis.ScalingWarning")  # p = 0.02 for xi_over_L with this seed
def test_square_lattice_to_a_part_in_five_thousand():
    data = run_sizes([ising.square(L) for L in (8, 16, 32, 64)], 0.4407, 1.2, 4_000)
    for quantity, value in (("binder", 0.61069), ("xi_over_L", 0.90505)):
        fit = analysis.fit_scaling(data, quantity)
        assert abs(fit.beta_c - 0.44068679) < 4 * fit.beta_c_error < 1e-3
        assert abs(fit.nu - 1) < 4 * fit.nu_error < 0.2
        assert abs(fit.critical_value - value) < 4 * fit.critical_value_error


@pytest.mark.validate
@pytest.mark.parametrize(
    ("p", "q", "sizes", "beta_c", "error"),
    [
        (5, 4, (330, 1710, 3720, 6090), 0.3572605, 0.0),  # corner transfer matrices, bulk
        (3, 7, (156, 1740, 4920, 5676), 0.18677, 9e-5),  # joint fit of 1740 and 5676, physics.md C.2
    ],
)
def test_closed_maps(p, q, sizes, beta_c, error):
    maps = [ising.closed_hyperbolic(p, q, n_sites) for n_sites in sizes]
    fit = analysis.fit_scaling(run_sizes(maps, round(beta_c, 4), 1.5, 5_000, 13))
    assert abs(fit.beta_c - beta_c) < 4 * np.hypot(fit.beta_c_error, error)
    assert fit.beta_c_error < 5e-4 * beta_c
