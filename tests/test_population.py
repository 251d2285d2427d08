"""Population annealing against enumeration and Kaufman, its bookkeeping of families and weights, and a control."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from statistics_of_chains import joint_p

import ising
from ising import kernels_population, population
from ising.population import FewFamiliesWarning, Population, population_annealing

BETAS = np.linspace(0, 1.2, 25)
RUNS = 16
SQUARE = ising.square(4)
MODELS = {
    "ferromagnet": ising.ferromagnet(SQUARE),
    "antiferromagnet-ring": ising.ferromagnet(ising.chain(9), J=-1.0),
    "glass": ising.edwards_anderson(SQUARE, seed=3),
    "gaussian": ising.edwards_anderson(SQUARE, seed=4, distribution="gaussian"),
    "field": ising.ferromagnet(SQUARE, J=0.5, h=-0.2),
    "random-fields": ising.IsingModel(SQUARE, 0.5, np.random.default_rng(5).normal(size=16)),
    "sherrington-kirkpatrick": ising.sherrington_kirkpatrick(12, seed=4),
    "irregular": ising.edwards_anderson(ising.from_bonds(6, [(0, k) for k in range(1, 5)] + [(1, 2)]), seed=2),
}
QUANTITIES = ("energy", "specific_heat", "magnetization_abs", "susceptibility", "log_z")


def anneal(model, betas=BETAS, population=500, sweeps=5, runs=RUNS, **options):
    return population_annealing(model, betas, population, sweeps, runs=runs, progress=False, **options)


def z_scores(data, exact):
    """(beta > 0,) distance from the exact value in errors; exact agreement counts as 0."""
    z = {}
    for name in QUANTITIES:
        if name in exact:
            distance = (data[f"{name}_mean"] - exact[name]).values[1:]
            error = data[f"{name}_error"].values[1:]
            z[name] = np.divide(distance, error, out=np.zeros_like(distance), where=np.abs(distance) > 1e-12)
    return z


def test_every_kind_of_model_reproduces_enumeration():
    energies, log_z, heats = [], [], []
    for seed, (name, model) in enumerate(MODELS.items()):
        z = z_scores(anneal(model, seed=seed), ising.exact.enumerate_model(model, BETAS))
        normal = {key: np.abs(stats.norm.isf(stats.t.sf(value, RUNS - 1))).max() for key, value in z.items()}
        assert max(normal.values()) < 5, (name, normal)
        energies.append(z["energy"][11])
        heats.append(z["specific_heat"][7])
        log_z.append(z["log_z"][-1])
    for joint in (energies, heats, log_z):  # one beta of each model, so that the scores are independent
        assert 1e-4 < joint_p(joint, RUNS) < 1 - 1e-4


def test_errors_are_calibrated_over_seeds():
    model, betas = MODELS["glass"], np.linspace(0, 0.9, 7)
    exact = ising.exact.enumerate_model(model, betas)
    scores = [z_scores(anneal(model, betas, 300, seed=100 + k, runs=12), exact) for k in range(40)]
    for name in ("energy", "log_z"):
        assert 1e-4 < joint_p([z[name][-1] for z in scores], 12) < 1 - 1e-4


def test_square_lattice_reproduces_kaufman():
    betas = np.linspace(0, 0.5, 21)
    data = anneal(ising.ferromagnet(ising.square(8)), betas, population=1000, seed=8)
    exact = ising.exact.kaufman(8, betas[1:]).reindex(beta=betas)
    z = z_scores(data, exact)
    assert max(np.abs(value).max() for value in z.values()) < 5, z
    assert float(data.energy_error.max()) < 5e-3
    assert float(data.log_z_error.max()) < 1e-3


def test_free_energy_is_log_z_over_beta():
    data = anneal(MODELS["glass"], seed=2)
    assert np.isnan(data.free_energy.isel(beta=0)).all()
    later = data.isel(beta=slice(1, None))
    np.testing.assert_allclose(later.free_energy_mean, -later.log_z_mean / later.beta)
    np.testing.assert_allclose(later.free_energy_error, later.log_z_error / later.beta, rtol=1e-9)
    np.testing.assert_allclose(data.log_z.isel(beta=0), np.log(2))


def test_without_resampling_the_same_test_fails(monkeypatch):
    """A quench that only counts the weights: the population lags behind the temperature."""

    def ignore(self, beta):
        exponent = -(beta - self.beta) * self.energy
        self.beta = beta
        return float(np.log(np.exp(exponent).mean()))

    monkeypatch.setattr(Population, "resample", ignore)
    model, betas = MODELS["glass"], np.linspace(0, 1.2, 5)
    z = z_scores(anneal(model, betas, population=4000, sweeps=1), ising.exact.enumerate_model(model, betas))
    assert np.abs(z["energy"]).max() > 10
    assert np.abs(z["log_z"]).max() > 10


def test_resampling_keeps_the_families_and_rounds_the_number_of_copies():
    model = MODELS["gaussian"]
    one = Population(model, population._replica_graph(model), 700, seed=1, run=0)
    spins, weight = one.spins.copy(), np.exp(-0.4 * one.energy)
    log_q = one.resample(0.4)
    assert log_q == pytest.approx(np.log(weight.mean()))
    np.testing.assert_array_equal(one.spins, spins[:, one.family])
    copies, expected = np.bincount(one.family, minlength=700), weight / weight.mean()
    assert (copies >= np.floor(expected)).all()
    assert (copies <= np.ceil(expected)).all()
    one.measure()
    np.testing.assert_allclose(one.energy, model.energy(one.spins.T))
    np.testing.assert_array_equal(one.magnetization, one.spins.sum(axis=0, dtype=int))
    family = one.family.copy()
    one.resample(0.6)
    assert set(one.family) <= set(family)


def test_family_statistics_and_weights():
    data = anneal(MODELS["glass"], population=300, seed=3)
    np.testing.assert_allclose(data.family_entropy.isel(beta=0), np.log(300))
    np.testing.assert_allclose(data.rho_t.isel(beta=0), 1)
    assert (data.family_entropy.isel(beta=-1) < np.log(300) - 1).all()
    assert (np.exp(data.family_entropy) >= 300 / data.rho_t - 1e-9).all()  # Renyi entropies fall with their order
    np.testing.assert_allclose(np.exp(data.log_weight).sum("run"), 1)
    np.testing.assert_allclose(data.log_weight.diff("run"), 16 * data.log_z.diff("run"), atol=1e-9)
    by_hand = (np.exp(data.log_weight) * data.energy).sum("run")
    np.testing.assert_allclose(data.energy_mean, by_hand)


def test_ground_state_of_a_small_glass():
    model = ising.edwards_anderson(ising.square(5), seed=7)
    data = anneal(model, np.linspace(0, 3, 31), population=400, seed=1, runs=4)
    lowest = 25 * ising.exact.enumerate_model(model, 20.0).energy.item()
    np.testing.assert_allclose(data.best_energy, lowest)
    np.testing.assert_allclose(model.energy(data.best_spins), data.best_energy)
    np.testing.assert_allclose(model.energy(data.spins).mean(axis=1) / 25, data.energy.isel(beta=-1))


def test_same_seed_same_bits_on_any_thread_count_and_run_count():
    betas = [0, 0.3, 0.6]
    one = anneal(MODELS["gaussian"], betas, population=601, runs=3, seed=3, threads=1)
    xr.testing.assert_identical(one, anneal(MODELS["gaussian"], betas, population=601, runs=3, seed=3, threads=2))
    fewer = anneal(MODELS["gaussian"], betas, population=601, runs=2, seed=3)
    np.testing.assert_array_equal(one.energy[:2], fewer.energy)
    np.testing.assert_array_equal(one.spins[:2], fewer.spins)
    other = anneal(MODELS["gaussian"], betas, population=601, runs=3, seed=4)
    assert len(np.unique(np.concatenate([one.energy, other.energy])[:, -1])) == 6


def test_one_run_has_no_error():
    data = anneal(MODELS["glass"], [0, 0.5], runs=1)
    assert np.isnan(data.energy_error).all()
    assert np.isfinite(data.energy_mean).all()


def test_dataset_says_how_it_was_made():
    data = anneal(MODELS["glass"], [0, 0.5], runs=2, seed=9)
    expected = {"model": "edwards_anderson", "method": "population_annealing", "resampling": "systematic", "seed": 9}
    assert expected.items() <= data.attrs.items()
    assert {"lattice", "numpy_version", "population", "sweeps"} <= set(data.attrs)
    assert all("formula" in data[name].attrs or "long_name" in data[name].attrs for name in data)


def test_our_exponential_is_that_of_numpy():
    x = np.linspace(-40, 40, kernels_population.BLOCK)
    ours = x.copy()
    kernels_population.negative_exponential(ours, kernels_population.make_scratch())
    np.testing.assert_allclose(ours, np.exp(-x), rtol=4e-16)
    cut = np.array([1e9, -1e9, 0.0])
    kernels_population.negative_exponential(cut, kernels_population.make_scratch())
    np.testing.assert_allclose(cut, [np.exp(-700), np.exp(700), 1], rtol=1e-12)


def test_few_families_warn():
    with pytest.warns(FewFamiliesWarning, match="the 20 replicas of a run descend from about"):
        anneal(MODELS["gaussian"], [0, 2.0], population=20, runs=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"betas": [0.1, 0.2]}, r"betas must rise from 0, where random spins are the exact start, got \[0.1, 0.2\]"),
        ({"betas": [0, 0.5, 0.3]}, "betas must rise from 0"),
        ({"betas": [0, -0.5]}, "beta must be finite and >= 0, got -0.5"),
        ({"population": 1}, "population must be an integer >= 2, got 1"),
        ({"sweeps": 0}, "sweeps must be an integer >= 1, got 0"),
        ({"runs": 2.5}, "runs must be an integer >= 1, got 2.5"),
        ({"threads": 0}, "threads must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
        ({"population": 10**9}, "a population of 1000000000 x 16 spins takes 14.9 GiB, above the 2 GiB limit"),
    ],
)
def test_impossible_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        anneal(MODELS["glass"], **{"betas": [0, 0.5], **options})


def test_several_models_are_refused():
    with pytest.raises(ValueError, match="model must be one IsingModel, got tuple"):
        anneal(ising.edwards_anderson(SQUARE, seed=1, disorder=2))
