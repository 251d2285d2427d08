"""Crossings, critical points and peaks against the exact Curie-Weiss model."""

import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import assert_unit_variance, exact, ragged_family, sample
from scipy.optimize import brentq

import analysis
import ising
from analysis import curves
from analysis.crossing import cross_curves
from analysis.resampling import jackknife_covariance, leave_one_out


@pytest.fixture(scope="module")
def family() -> list[xr.Dataset]:
    return ragged_family()


# Crossings and the critical point


def exact_crossing(n: int, larger: int) -> float:
    return brentq(lambda beta: exact(larger, beta)["binder"] - exact(n, beta)["binder"], 0.95, 1.1)


def test_crossings_are_calibrated():
    rng = np.random.default_rng(15)
    truth, z = exact_crossing(64, 256), []
    u4 = exact(64, truth)["binder"]
    for _ in range(60):
        pair = [sample(n, 1 + np.linspace(-2, 3, 12) / np.sqrt(n), 64, 200, rng) for n in (64, 256)]
        found = analysis.crossings(pair).isel(pair=0)
        z.append(
            [(found["beta_cross"] - truth) / found["beta_cross_error"], (found["value"] - u4) / found["value_error"]]
        )
    for column in np.array(z, dtype=float).T:
        assert_unit_variance(column)


def crossing_pulls(scale: float, n_sets: int) -> np.ndarray:
    """Pulls of crossings of exact U4 with Gaussian noise in 64 blocks, `scale` times that of 16 chains of 400 draws."""
    rng, truth, pulls = np.random.default_rng(21), exact_crossing(64, 256), []
    grids = {n: 1 + np.linspace(-2, 3, 12) / np.sqrt(n) for n in (64, 256)}
    exact_u4 = {n: np.array([exact(n, beta)["binder"] for beta in grid]) for n, grid in grids.items()}
    for _ in range(n_sets):
        sizes = []
        for n, u4 in exact_u4.items():
            error = scale * np.interp(u4, [0.0, 0.3, 0.66], [0.012, 0.008, 0.0007])
            noise = leave_one_out(rng.normal(size=(12, 64)) * 8 * error[:, np.newaxis], np.ones(64, dtype=int))
            sizes.append((grids[n], u4 + noise))
        pair = cross_curves(*sizes)
        error = np.sqrt(sum(jackknife_covariance(side[:, 0], side[:, 0]) for side in (pair.small, pair.large)))
        pulls.append((pair.beta - truth) / error)
    return np.array(pulls)


@pytest.mark.parametrize("scale", [2.0, 1.0, 0.3, 0.1])
def test_crossings_cover_whether_noise_or_the_cubic_limits_them(scale, monkeypatch):
    pulls = crossing_pulls(scale, 300)
    for reach, share in ((1.0, 0.683), (1.96, 0.95)):
        assert np.mean(np.abs(pulls) < reach) > share - 4 * np.sqrt(share * (1 - share) / 300)
    assert np.sqrt(np.mean(pulls**2)) < 1.12
    monkeypatch.setattr(curves, "WINDOWS", (8, 6, 5, 4))  # control: the window that happens to have p > 0.1
    monkeypatch.setattr(curves, "HOPELESS_P", 0.1)
    assert np.sqrt(np.mean(crossing_pulls(scale, 300) ** 2)) > 1.12


def test_critical_beta_of_curie_weiss(family):
    pairs = analysis.crossings(family)
    for i, (n, larger) in enumerate([(64, 256), (256, 1024)]):
        assert abs(pairs["beta_cross"][i] - exact_crossing(n, larger)) < 4 * pairs["beta_cross_error"][i]
    estimate = analysis.critical_beta(family)
    assert abs(estimate.value - 1) < 3 * estimate.error
    assert estimate.error < 0.005
    assert abs(estimate.value - 1) < abs(pairs["beta_cross"][-1].item() - 1)  # the known U4* helps
    fit = analysis.fit_scaling(family)
    assert (estimate.value, estimate.error) == (fit.beta_c, np.hypot(fit.beta_c_error, fit.beta_c_shift))
    unknown = analysis.critical_beta(family, dimension="unknown")
    assert unknown.value == pairs["beta_cross"][-1]
    assert unknown.error > abs(pairs["beta_cross"][-1] - pairs["beta_cross"][-2])
    table = estimate.to_dataset()
    assert (table["beta_c"].item(), table["beta_c_error"].item()) == (estimate.value, estimate.error)
    assert "joint mean-field fit of 3 runs" in table.attrs["method"]


def test_crossings_extrapolate_where_no_joint_fit_is_possible(family):
    few = [run.isel(beta=slice(3, None, 4)) for run in family]
    with pytest.warns(analysis.CrossingWarning, match="no joint mean-field fit, crossings instead"):
        estimate = analysis.critical_beta(few)
    assert abs(estimate.value - 1) < 3 * estimate.error < 0.1
    assert "crossings of the 2 largest pairs of sizes, extrapolated" in estimate.method
    assert "extrapolated" in analysis.critical_beta(family, dimension=4).method  # logarithms: no joint fit


def test_closed_maps_that_are_no_copies_of_each_other():
    """Every map has a beta_c of its own, apart by 0.1 in x: the joint fit is nearer, its error is honest."""
    rng, away, methods = np.random.default_rng(20), [], []
    for _ in range(12):
        maps = [sample(n, 1 + np.linspace(-2, 3, 13) / np.sqrt(n), 16, 400, rng) for n in (256, 1024, 4096)]
        moved = [run.assign_coords(beta=run.beta * (1 + 0.1 * rng.normal() / np.sqrt(run.L))) for run in maps]
        joint, crossed = analysis.critical_beta(moved), analysis.critical_beta(moved, dimension=4)
        methods.append(joint.method)
        away.append([joint.value - 1, crossed.value - 1, abs(joint.value - 1) < joint.error])
    joint_away, crossed_away = np.sqrt(np.mean(np.square(away), axis=0))[:2]
    assert joint_away < 0.7 * crossed_away
    assert sum(inside for *_, inside in away) >= 3  # 68 % of 12 is 8.2 +- 1.6
    assert any("enlarged, chi2 / dof = " in method for method in methods)


def test_open_hyperbolic_patches_are_refused(family):
    patches = [run.assign_attrs(lattice="hyperbolic(5, 4, 3)", lattice_layers=3) for run in family]
    for analyse in (
        analysis.crossings,
        analysis.critical_beta,
        analysis.fit_scaling,
        analysis.fit_collapse,
        analysis.fit_shared,
        analysis.quotients,
    ):
        with pytest.raises(ValueError, match=r"hyperbolic\(5, 4, 3\) is an open hyperbolic patch.*ceas hyperbolic"):
            analyse(patches)
    patch = ising.sample(ising.ferromagnet(ising.hyperbolic(5, 4, 2)), 0.3, ising.Schedule(5, 20), progress=False)
    assert "lattice_layers" in patch.attrs  # what it goes by
    closed = ising.closed_hyperbolic(5, 4, n_sites=30)
    assert (
        "lattice_layers"
        not in ising.sample(ising.ferromagnet(closed), 0.3, ising.Schedule(5, 20), progress=False).attrs
    )


def test_size_labels_do_not_matter(family):
    labelled = [run.assign_coords(L=f"graph {run['n_sites'].item()}") for run in family]
    assert analysis.critical_beta(labelled) == analysis.critical_beta(family)
    assert analysis.crossings(labelled)["L_large"].values.tolist() == ["graph 256", "graph 1024"]
    assert analysis.summarize(labelled)["L"].values.tolist() == ["graph 64", "graph 256", "graph 1024"]


def test_a_grid_too_coarse_for_its_error_bars_says_so():
    rng = np.random.default_rng(16)
    pair = [sample(n, np.linspace(0.8, 1.2, 12), 64, 2000, rng) for n in (1024, 4096)]
    found = analysis.crossings(pair).isel(pair=0)
    assert found["chi2_per_dof"] > 3
    assert abs(found["beta_cross"] - exact_crossing(1024, 4096)) < 4 * found["beta_cross_error"]


def test_one_crossing_warns_about_drift(family):
    with pytest.warns(analysis.CrossingWarning, match="statistical only"):
        estimate = analysis.critical_beta(family[:2])
    assert estimate.value == analysis.crossings(family[:2])["beta_cross"].item()


def test_missing_crossings(family):
    rng = np.random.default_rng(17)
    above = [sample(n, np.linspace(1.1, 1.3, 8), 8, 500, rng) for n in (256, 1024)]
    with pytest.raises(ValueError, match="does not cross"):
        analysis.crossings(above)
    with pytest.warns(analysis.CrossingWarning, match="sizes 256 and 1024 does not cross"):
        pairs = analysis.crossings([*family[:2], above[1]])
    assert np.isfinite(pairs["beta_cross"].values).tolist() == [True, False]
    with pytest.raises(ValueError, match="at least 2 sizes, got 1"):
        analysis.crossings(family[0])
    with pytest.raises(ValueError, match="xi_over_L needs structure_factor, momentum"):
        analysis.crossings(family, "xi_over_L")
    with pytest.raises(ValueError, match="quantity must be one of"):
        analysis.crossings(family, "heat")
    with pytest.raises(ValueError, match="others do not cross"):
        analysis.fit_scaling(family, "magnetization_abs")
    with pytest.raises(ValueError, match="dimension must be a whole number"):
        analysis.critical_beta(family, dimension=2.0)
    with pytest.raises(ValueError, match=r"got dict: of a dict, give list\(d.values\(\)\)"):
        analysis.crossings({64: family[0], 256: family[1]})
    with pytest.raises(ValueError, match="64 and 64 both have 64 sites, so that no crossing"):
        analysis.crossings([family[0], family[0], family[1]])
    with pytest.raises(ValueError, match="a size has a beta more than once"):
        analysis.summarize([family[0].isel(beta=[0, 1, 1, 2]), family[1]])


# Peaks


PEAKED = ("susceptibility_connected", "specific_heat", "binder_slope")


def test_peaks_are_calibrated():
    rng, n, z = np.random.default_rng(18), 256, []
    fine = np.linspace(0.95, 1.2, 5001)
    truth = [exact(n, beta) for beta in fine]
    exact_curves = {name: np.array([one[name] for one in truth]) for name in PEAKED[:2]}
    exact_curves["binder_slope"] = np.gradient([one["binder"] for one in truth], fine)
    for _ in range(30):
        run = sample(n, 1 + np.linspace(-2.0, 5.0, 20) / np.sqrt(n), 64, 200, rng)
        for name, curve in exact_curves.items():
            found = analysis.peaks(run, name)
            assert found["method"] == "reweighting"
            place, height = found["beta_peak"] - fine[curve.argmax()], found["height"] - curve.max()
            z.append([place / found["beta_peak_error"], height / found["height_error"]])
    for column in np.array(z, dtype=float).reshape(30, 6).T:
        assert_unit_variance(column)


def test_peaks_without_energies_or_overlap_are_cubics():
    run = sample(256, 1 + np.linspace(-2.0, 5.0, 20) / 16, 64, 400, np.random.default_rng(22))
    best, cubic = (analysis.peaks(data, "susceptibility_connected") for data in (run, run.drop_vars("energy")))
    assert (best["method"].item(), cubic["method"].item()) == ("reweighting", "cubic")
    assert cubic["beta_peak_error"] > 2 * best["beta_peak_error"]
    assert abs(cubic["beta_peak"] - best["beta_peak"]) < 5 * cubic["beta_peak_error"]
    apart = sample(4096, np.linspace(0.6, 1.5, 10), 16, 100, np.random.default_rng(23))
    assert analysis.peaks(apart, "specific_heat")["method"].item() == "cubic"


def test_half_maximum_band(family):
    wide = [sample(n, 1 + np.linspace(-3, 6, 19) / np.sqrt(n), 64, 300, np.random.default_rng(19)) for n in (256, 1024)]
    found = analysis.peaks(wide, "susceptibility_connected")
    for i, n in enumerate((256, 1024)):
        half = exact(n, found["beta_peak"][i].item())["susceptibility_connected"] / 2
        for end in ("beta_low", "beta_high"):
            value = exact(n, found[end][i].item())["susceptibility_connected"]
            assert abs(value - half) < 0.1 * half
    narrow = analysis.peaks([wide[0].isel(beta=slice(5, 14))], "susceptibility_connected")
    assert np.isnan(narrow["beta_low"].item())


def test_peaks_refuse(family):
    with pytest.raises(ValueError, match="widen the beta range"):
        analysis.peaks(family[0].isel(beta=slice(0, 6)), "susceptibility_connected")
    with pytest.raises(ValueError, match="at least 5 values of beta"):
        analysis.peaks(family[0].isel(beta=slice(0, 3)))
