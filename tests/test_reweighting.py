"""Multi-histogram reweighting and zeros of the partition function against exact answers."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from exact_draws import DIMS, boltzmann, density_of_states, draw, exact
from test_coverage import check_coverage

import analysis
import ising
from analysis import mbar
from analysis.pooling import Draws, pool_samples
from analysis.reweighting import averages, measure_chains, pool_run
from ising.exact import kaufman

PYMBAR = json.loads((Path(__file__).parent / "data" / "reweighting.json").read_text())


def z(table, name, reference):
    return ((table[name] - reference) / table[f"{name}_error"]).values


# The equations


def as_draws(energy, observables):
    return Draws(
        energy.shape, lambda k, rows: energy[k, rows], lambda k, rows: {n: v[k, rows] for n, v in observables.items()}
    )


def test_free_energies_agree_with_pymbar():
    beta = np.linspace(1, 3, 5)
    energy = (np.random.default_rng(2).gamma(25, 1, size=(5, 400)) / beta[:, np.newaxis])[:, np.newaxis]
    pool = pool_samples(beta, as_draws(energy, {}), np.ones(5), np.array([400]))
    solution = mbar.solve(pool)
    f = solution.free_energy[0] + beta * pool.offset
    np.testing.assert_allclose(f - f[0], PYMBAR["free_energy"], rtol=0, atol=1e-8)
    assert abs(solution.overlap - PYMBAR["overlap"]) < 1e-8
    assert solution.gradient < 1e-10


def test_merged_energies_equal_single_samples():
    rng = np.random.default_rng(1)
    data = draw(8, [0.38, 0.44, 0.5], 4, 200, rng)
    apart = data.assign(energy=data["energy"] + 1e-12 * rng.random(data["energy"].shape))  # no two energies alike
    targets = [0.4, 0.47]
    merged, single = analysis.reweight(data, targets), analysis.reweight(apart, targets)
    for name in ("energy", "energy_error", "specific_heat", "specific_heat_error", "log_z", "entropy_error"):
        np.testing.assert_allclose(merged[name], single[name], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(merged["n_effective"], single["n_effective"], rtol=1e-6)


def test_every_replica_is_the_whole_pipeline():
    """Row b equals the first row of a pool that never saw block b - 1."""
    data = draw(8, [0.38, 0.44], 8, 64, np.random.default_rng(2), stay=0.3)
    ((run, series),) = measure_chains(data)
    pool = pool_run(run, series, 0)
    n_blocks = len(pool.sizes) - 1
    rows, _ = averages(pool, mbar.solve(pool), np.array([0.41]))
    flat = np.stack([series["energy"].plane(0, k) for k in range(2)]).reshape(2, n_blocks, -1)
    for left_out in (0, 5, n_blocks - 1):
        energy = 64 * np.delete(flat, left_out, axis=1).reshape(2, 1, -1)
        observables = {"energy": energy / 64, "energy_squared": (energy / 64) ** 2}
        alone = pool_samples(run.beta, as_draws(energy, observables), run.tau["energy"], np.array([energy.shape[2]]))
        expected, _ = averages(alone, mbar.solve(alone), np.array([0.41]))
        for name in ("energy", "energy_variance"):
            assert abs(rows[name][1 + left_out, 0] - expected[name][0, 0]) < 1e-8


def test_one_beta_at_itself_is_summarize():
    rng = np.random.default_rng(3)
    m = rng.choice([-0.5, 0.25, 0.5, 1.0], size=(1, 8, 500))
    data = draw(8, [0.4], 8, 500, rng).assign(magnetization=(DIMS, m))
    table, fine = analysis.summarize(data), analysis.reweight(data, 0.4)
    for name in ("energy", "specific_heat", "susceptibility", "susceptibility_connected", "binder"):
        for variable in (name, f"{name}_error"):
            np.testing.assert_allclose(fine[variable], table[variable], rtol=1e-9)
            assert fine[variable].attrs == table[variable].attrs


def test_unsolved_equations_raise(monkeypatch):
    data = draw(8, [0.3, 0.5], 8, 50, np.random.default_rng(4))
    monkeypatch.setattr(mbar, "MOST_STEPS", 0)
    with pytest.raises(RuntimeError, match=r"not solved: largest residual .* after 0 steps"):
        analysis.reweight(data, [0.4])


# Against exact answers


@pytest.fixture(scope="module")
def kaufman_run():
    models = {L: ising.ferromagnet(ising.square(L)) for L in (16, 32)}
    schedule = ising.Schedule(warmup=100, draws=500)
    betas = [0.41, 0.425, 0.44, 0.455]
    return ising.sample_sizes(models, betas, schedule, update="swendsen_wang", seed=5, progress=False)


TARGETS = np.array([0.4175, 0.4325, 0.4475])


def test_kaufman_between_the_simulated_betas(kaufman_run):
    fine = analysis.reweight(kaufman_run, TARGETS)
    for L in (16, 32):
        reference, table = kaufman(L, TARGETS), fine.sel(L=L)
        assert np.abs(z(table, "energy", reference["energy"])).max() < 4
        assert np.abs(z(table, "specific_heat", reference["specific_heat"])).max() < 4
        growth = reference["log_z"] - float(kaufman(L, 0.41)["log_z"][0])
        assert np.abs(z(table, "log_z", growth)).max() < 4
        assert (table["energy_error"] < 0.01 * np.abs(table["energy"])).all()
    assert fine["valid"].all()
    assert {"magnetization_abs", "susceptibility", "binder", "xi", "xi_over_L"} <= set(fine)


def test_wrong_weights_fail(kaufman_run):
    """Control: the same samples said to come from betas 2 % off."""
    wrong = analysis.reweight(kaufman_run.assign_coords(beta=kaufman_run["beta"] * 1.02), TARGETS).sel(L=32)
    assert np.abs(z(wrong, "energy", kaufman(32, TARGETS)["energy"])).min() > 8


def test_reweighted_curves_join_summarize(kaufman_run):
    table = analysis.summarize(kaufman_run)
    fine = analysis.reweight(kaufman_run, kaufman_run["beta"])
    for name in ("magnetization_abs", "susceptibility", "binder", "xi_over_L"):
        assert (np.abs(fine[name] - table[name]) < 4 * table[f"{name}_error"]).all()
        assert float(fine[f"{name}_error"].sum()) < float(table[f"{name}_error"].sum())  # more samples, less error


def test_absolute_entropy_from_infinite_temperature():
    betas = np.linspace(0, 0.9, 13)
    data = draw(8, betas, 8, 400, np.random.default_rng(6))
    targets = [0.0, 0.2, 0.43, 0.85]
    fine, reference = analysis.reweight(data, targets), exact(8, targets)
    assert fine["log_z"].attrs["reference"].startswith("absolute")
    assert fine["beta_reference"] == 0
    assert abs(fine["entropy"][0] - np.log(2)) < 1e-12
    assert np.isnan(fine["free_energy"][0])
    for name in ("log_z", "entropy"):
        assert np.abs(z(fine, name, reference[name])[1:]).max() < 4
    relative = analysis.reweight(data.isel(beta=slice(6, None)), [0.6])
    assert relative["log_z"].attrs["reference"] == "relative: log_z and entropy are 0 at beta = 0.45"
    expected = exact(8, [0.45, 0.6])
    assert abs(z(relative, "entropy", expected["entropy"][1] - expected["entropy"][0])[0]) < 4


def test_real_energies():
    """Ten spins with Gaussian couplings, enumerated."""
    rng = np.random.default_rng(7)
    spins = 2.0 * ((np.arange(1024)[:, np.newaxis] >> np.arange(10)) & 1) - 1
    couplings = np.triu(rng.normal(size=(10, 10)), 1) / np.sqrt(10)
    energy, m = -((spins @ couplings) * spins).sum(axis=1), spins.mean(axis=1)
    betas = np.array([0.0, 0.7, 1.4])
    drawn = [rng.choice(1024, size=(8, 500), p=boltzmann(energy, np.ones(1024), beta)[0]) for beta in betas]
    variables = {"energy": (DIMS, energy[np.array(drawn)] / 10), "magnetization": (DIMS, m[np.array(drawn)])}
    fine = analysis.reweight(xr.Dataset(variables, {"beta": betas, "n_sites": 10}), [1.0])
    p, log_z = boltzmann(energy, np.ones(1024), 1.0)
    exact_values = {"energy": p @ energy / 10, "susceptibility": 10 * (p @ m**2), "log_z": log_z / 10}
    exact_values["specific_heat"] = (p @ energy**2 - (p @ energy) ** 2) / 10
    assert all(abs(z(fine, name, value)[0]) < 4 for name, value in exact_values.items())


def test_disorder_is_reweighted_by_realisation():
    rng = np.random.default_rng(8)
    runs = [draw(L, [0.35, 0.45], 8, 200, rng) for L in (8, 8, 8, 8)]
    both = analysis.reweight(xr.concat(runs, "disorder"), [0.4])
    single = np.array([float(analysis.reweight(run, [0.4])["specific_heat"][0]) for run in runs])
    # tau, hence the weight of a draw, is the slowest realisation's: differences far below the errors
    assert abs(both["specific_heat"][0] - single.mean()) < 0.05 * both["specific_heat_error"][0]
    assert abs(both["specific_heat_error"][0] / (single.std(ddof=1) / 2) - 1) < 0.05
    assert both["n_blocks"] == 4


# Valid range


def test_single_histogram_is_valid_within_a_width():
    data = draw(8, [0.42], 16, 500, np.random.default_rng(9))
    sigma = 8 * np.sqrt(exact(8, 0.42)["specific_heat"][0]) / 0.42
    targets = 0.42 + np.array([-5, -1, 0, 1]) / sigma
    with pytest.warns(analysis.ReweightingWarning, match=r"1 of 4 points .* fewer than 100 effective samples"):
        fine = analysis.reweight(data, targets)
    np.testing.assert_array_equal(fine["valid"], [False, True, True, True])
    assert np.argmax(fine["n_effective"].values) == 2
    inside = fine.isel(beta=slice(1, None))
    assert np.abs(z(inside, "energy", exact(8, targets[1:])["energy"])).max() < 4


def test_betas_without_overlap_warn():
    data = draw(8, [0.1, 0.8], 8, 500, np.random.default_rng(10))
    with pytest.warns(analysis.ReweightingWarning, match="share too few energies"):
        fine = analysis.reweight(data, [0.11, 0.79])
    assert fine["overlap"] < 0.01
    assert fine["valid"].all()


def test_reweight_refuses():
    data = draw(8, [0.4], 8, 50, np.random.default_rng(11))
    with pytest.raises(ValueError, match="betas must be a non-empty array"):
        analysis.reweight(data, [])
    with pytest.raises(ValueError, match="reweighting needs the variable energy"):
        analysis.reweight(data.rename(energy="magnetization"), [0.4])


# Coverage


def test_intervals_cover():
    assert_covers(n_runs=120)


@pytest.mark.validate
def test_intervals_cover_over_many_runs():
    assert_covers(n_runs=2_000)


def assert_covers(n_runs):
    """Student intervals of correlated draws, tau = 1 and 3 at alternate betas."""
    rng, targets, errors, dof = np.random.default_rng(12), [0.39, 0.45], [], []
    reference = exact(8, targets)
    for _ in range(n_runs):
        data = xr.concat([draw(8, [b], 16, 300, rng, stay) for b, stay in ((0.36, 0), (0.42, 0.5), (0.48, 0))], "beta")
        fine = analysis.reweight(data, targets)
        errors.append(np.ravel([z(fine, name, reference[name]) for name in ("energy", "specific_heat")]))
        dof.append(int(fine["n_blocks"]) - 1)
    check_coverage(np.array(errors), np.array(dof))


# Zeros


def exact_fisher_zeros(L):
    """Roots of sum_E g(E) exp(-beta E), polished, in the strip 0.3 < Re beta < 0.6, by imaginary part."""
    energy, states = density_of_states(L)
    power = ((energy - energy.min()) / 4).astype(int)
    coefficients = np.zeros(power.max() + 1)
    coefficients[power] = states / states.max()
    beta = -np.log(np.roots(coefficients[::-1])) / 4
    beta = beta[(beta.imag > 0) & (beta.real > 0.3) & (beta.real < 0.6)]
    for _ in range(20):
        terms = states / states.max() * np.exp(-np.outer(beta, energy - 0.7 * energy.min()))
        beta = beta + terms.sum(axis=1) / (terms @ (energy - 0.7 * energy.min()))
    return beta[np.argsort(beta.imag)]


@pytest.mark.parametrize("L", [4, 8])
def test_first_fisher_zero(L):
    data = draw(L, np.linspace(0.33, 0.5, 5), 16, 2000, np.random.default_rng(13))
    found, root = analysis.fisher_zeros(data), exact_fisher_zeros(L)[0]
    assert found["resolved"].all()
    assert abs(z(found, "beta_real", root.real)[0]) < 4
    assert abs(z(found, "beta_imag", root.imag)[0]) < 4
    assert found["beta_imag_error"][0] < 0.01 * root.imag


def test_no_zero_is_made_of_noise():
    """The ring has no zero nearer than pi / 4: beyond the reach of these samples."""
    rng = np.random.default_rng(14)
    flips = np.arange(0, 65, 2)
    log_states = np.array([np.sum(np.log(np.arange(65 - k, 65) / np.arange(1, k + 1))) for k in flips])
    betas = np.linspace(0.2, 0.6, 5)
    energy = 2.0 * flips - 64
    values = [rng.choice(energy, (16, 500), p=boltzmann(energy, np.exp(log_states), beta)[0]) for beta in betas]
    data = xr.Dataset({"energy": (DIMS, np.array(values) / 64)}, {"beta": betas, "n_sites": 64})
    with pytest.warns(analysis.ReweightingWarning, match="1 of 1 zeros are not resolved"):
        assert not analysis.fisher_zeros(data)["resolved"].any()


def test_lee_yang_zeros():
    rng = np.random.default_rng(15)
    spins = 2.0 * ((np.arange(65536)[:, np.newaxis] >> np.arange(16)) & 1) - 1
    square = spins.reshape(-1, 4, 4)
    energy = -(square * (np.roll(square, 1, 1) + np.roll(square, 1, 2))).sum(axis=(1, 2))
    total, betas = spins.sum(axis=1), np.array([0.3, 0.4, 0.5])
    drawn = np.array([rng.choice(65536, (8, 1000), p=boltzmann(energy, np.ones(65536), beta)[0]) for beta in betas])
    variables = {"energy": (DIMS, energy[drawn] / 16), "magnetization": (DIMS, total[drawn] / 16)}
    targets = [0.35, 0.45]
    found = analysis.lee_yang_zeros(xr.Dataset(variables, {"beta": betas, "n_sites": 16}), targets)
    assert found["resolved"].all()
    for i, beta in enumerate(targets):
        p = np.bincount(np.abs(total).astype(int), boltzmann(energy, np.ones(65536), beta)[0])
        theta = np.linspace(0.01, 0.2, 200_001)
        curve = sum(p[m] * np.cos(theta * m) for m in np.flatnonzero(p))
        root = theta[np.argmax(curve < 0)]  # known to 1e-6
        assert abs(found["field_imag"][i, 0] - root) < 4 * found["field_imag_error"][i, 0]


def test_zeros_refuse():
    data = draw(4, [0.4], 8, 50, np.random.default_rng(16))
    with pytest.raises(ValueError, match="count must be an integer >= 1, got 0"):
        analysis.fisher_zeros(data, 0)
    with pytest.raises(ValueError, match="need the variable magnetization"):
        analysis.lee_yang_zeros(data, 0.4)
    with pytest.raises(ValueError, match="one realisation of the disorder, got 2"):
        analysis.fisher_zeros(xr.concat([data, data], "disorder"))


# Pictures


def test_pictures(kaufman_run):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    fine = analysis.reweight(kaufman_run, np.linspace(0.41, 0.455, 10))
    ax = analysis.plots.reweighted(fine, "specific_heat", analysis.summarize(kaufman_run))
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), fine["specific_heat"].isel(L=0))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["L = 16", "L = 32"]
    unresolved = fine.assign(valid=fine["valid"] & (fine["beta"] < 0.43))
    assert np.isnan(analysis.plots.reweighted(unresolved).lines[1].get_ydata()).any()
    with pytest.raises(ValueError, match="quantity must have an error"):
        analysis.plots.reweighted(fine, "valid")
    zeros = analysis.fisher_zeros(draw(8, [0.38, 0.42, 0.46], 8, 1000, np.random.default_rng(17)))
    ax = analysis.plots.fisher_zeros(zeros)
    assert ax.containers[0].lines[0].get_ydata() == zeros["beta_imag"].values
    plt.close("all")
