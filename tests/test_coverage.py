"""Intervals contain the truth as often as they say: independent runs of exactly solvable cases.

A run is at least 200 tau long. Intervals are Student's t for the number of blocks; those of tau are symmetric in
ln tau, whose error tau_error / tau does not depend on tau.
"""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.signal import lfilter

import analysis
import ising
from analysis.autocorrelation import autocorrelation_time
from analysis.measurement import measure
from analysis.resampling import jackknife_error
from analysis.thermodynamics import evaluate

LEVELS = (0.68, 0.95)
FULL = 2_000  # runs
DIMS = ("beta", "chain", "draw")
QUANTITIES = ("energy", "specific_heat", "magnetization_abs", "susceptibility", "binder")


def check_coverage(t: np.ndarray, dof: np.ndarray) -> None:
    """Exact binomial test per quantity and level, one joint chi-square over all; t (run, quantity), dof (run,)."""
    inside = np.stack([np.abs(t) < stats.t.isf((1 - level) / 2, dof)[:, np.newaxis] for level in LEVELS], axis=2)
    inside = inside.reshape(len(t), -1)  # (run, quantity and level)
    nominal = np.tile(LEVELS, t.shape[1])
    counts = inside.sum(axis=0)
    p = [stats.binomtest(int(count), len(t), level).pvalue for count, level in zip(counts, nominal)]
    assert min(p) > 1e-4, (counts / len(t), p)
    sigma = np.sqrt(nominal * (1 - nominal) / len(t))  # of the nominal counts; their correlations from the runs
    z = (counts / len(t) - nominal) / sigma
    chi2 = z @ np.linalg.solve(np.corrcoef(inside.T), z)
    assert stats.chi2.sf(chi2, len(z)) > 1e-4, (counts / len(t), z)


def t_values(energy, magnetization, beta: float, n_sites: int, truth: dict[str, float]):
    """(run, chain, draw) each -> t of every quantity (run, quantity) and degrees of freedom (run,)."""
    t, dof = [], []
    for e, m in zip(energy, magnetization):
        data = xr.Dataset({"energy": (DIMS, e[np.newaxis]), "magnetization": (DIMS, m[np.newaxis])})
        (run,) = measure(data.assign_coords(beta=[beta], n_sites=n_sites))
        rows = np.stack([evaluate(run, name)[:, 0] for name in truth], axis=1)  # (1 + block, quantity)
        t.append((rows[0] - list(truth.values())) / jackknife_error(rows))
        dof.append(run.n_blocks - 1)
    return np.array(t), np.array(dof)


def torus_runs(n_runs: int, beta: float, chains: int, draws: int, seed: int):
    """Runs of the 4 x 4 torus: one call with many chains, taken apart."""
    model = ising.ferromagnet(ising.square(4))
    data = ising.sample(
        model, beta, ising.Schedule(200, draws), "heat_bath", n_runs * chains, seed, progress=False,
        observables=["energy", "magnetization"],
    )  # fmt: skip
    exact = ising.exact.enumerate_model(model, beta)
    truth = {name: exact[name].item() for name in QUANTITIES}
    return *(data[name].values.reshape(n_runs, chains, draws) for name in ("energy", "magnetization")), truth


TORUS = [(0.25, 1, 440), (0.4, 8, 100), (0.44, 1, 1570)]  # beta, chains, draws: 200, 200 and 400 tau of |m|


def check_torus(n_runs: int, beta: float, chains: int, draws: int, seed: int) -> None:
    energy, magnetization, truth = torus_runs(n_runs, beta, chains, draws, seed)
    tau = autocorrelation_time(abs(magnetization.reshape(-1, draws))).tau
    assert chains * draws > 200 * tau
    check_coverage(*t_values(energy, magnetization, beta, 16, truth))


@pytest.mark.filterwarnings("ignore::analysis.ShortRunWarning")  # a few of the runs take their tau for n / 50
@pytest.mark.parametrize("case", TORUS, ids=str)
def test_intervals_of_the_torus(case):
    check_torus(200, *case, seed=1)


@pytest.mark.validate
@pytest.mark.filterwarnings("ignore::analysis.ShortRunWarning")
@pytest.mark.parametrize("case", TORUS, ids=str)
def test_intervals_of_the_torus_in_full(case):
    check_torus(FULL, *case, seed=2)


@pytest.mark.validate
@pytest.mark.filterwarnings("ignore::analysis.ShortRunWarning")
def test_intervals_of_kaufmans_torus():
    beta, chains, draws = 0.4, 2, 600
    data = ising.sample(
        ising.ferromagnet(ising.square(8)), beta, ising.Schedule(100, draws), "swendsen_wang", FULL * chains, seed=3,
        observables=["energy", "magnetization"], progress=False,
    )  # fmt: skip
    exact = ising.exact.kaufman(8, beta)
    truth = {"energy": exact["energy"].item(), "specific_heat": exact["specific_heat"].item()}
    energy, magnetization = (data[name].values.reshape(FULL, chains, draws) for name in ("energy", "magnetization"))
    assert chains * draws > 200 * autocorrelation_time(energy.reshape(-1, draws)).tau
    check_coverage(*t_values(energy, magnetization, beta, 64, truth))


@pytest.mark.filterwarnings("ignore::analysis.ShortRunWarning")
def test_errors_that_ignore_tau_are_found_out():
    """Negative control: every draw a block of its own."""
    energy, magnetization, truth = torus_runs(200, *TORUS[1], seed=1)
    values = np.stack([energy, abs(magnetization)], axis=3).reshape(200, -1, 2)
    naive = (values.mean(axis=1) - [truth["energy"], truth["magnetization_abs"]]) / stats.sem(values, axis=1)
    with pytest.raises(AssertionError):
        check_coverage(naive, np.full(200, values.shape[1] - 1))


def test_confidence_interval_is_the_one_tested_here():
    energy, magnetization, truth = torus_runs(1, *TORUS[1], seed=4)
    data = xr.Dataset({"energy": (DIMS, energy), "magnetization": (DIMS, magnetization)})
    table = analysis.summarize(data.assign_coords(beta=[0.4], n_sites=16))
    t, dof = t_values(energy, magnetization, 0.4, 16, truth)
    for name, value in zip(truth, t[0]):
        low, high = analysis.confidence_interval(table, name, 0.68).values[:, 0]
        assert (low < truth[name] < high) == (abs(value) < stats.t.isf(0.16, dof[0]))
        np.testing.assert_allclose((low + high) / 2, table[name][0])


# Autocorrelation times


def ar1(a: float, shape: tuple[int, ...], rng) -> np.ndarray:
    """x_t = a x_{t-1} + noise: tau = (1 + a) / (1 - a)."""
    noise = rng.normal(size=shape) * np.sqrt(1 - a**2)
    noise[..., 0] /= np.sqrt(1 - a**2)
    return lfilter([1.0], [1.0, -a], noise, axis=-1)


def two_level(a: float, shape: tuple[int, ...], rng) -> np.ndarray:
    """+-1 that flips with probability (1 - a) / 2: rho(t) = a^t as for AR(1)."""
    flips = rng.random(shape) < (1 - a) / 2
    return rng.choice([-1.0, 1.0], size=(*shape[:-1], 1)) * (1.0 - 2.0 * (flips.cumsum(axis=-1) % 2))


def check_tau(n_runs: int, process, a: float, chains: int, seed: int) -> None:
    rng, tau = np.random.default_rng(seed), (1 + a) / (1 - a)
    series = process(a, (n_runs, chains, int(200 * tau / chains)), rng)
    found = [autocorrelation_time(run) for run in series]
    z = [[np.log(each.tau / tau) * each.tau / each.tau_error] for each in found]
    check_coverage(np.array(z), np.full(n_runs, np.inf))


TAU_CASES = [(ar1, 0.5, 1), (ar1, 0.8, 8), (two_level, 0.8, 1)]


@pytest.mark.filterwarnings("ignore::analysis.ShortSeriesWarning")
@pytest.mark.parametrize(("process", "a", "chains"), TAU_CASES)
def test_intervals_of_tau(process, a, chains):
    check_tau(300, process, a, chains, seed=5)


@pytest.mark.validate
@pytest.mark.filterwarnings("ignore::analysis.ShortSeriesWarning")
@pytest.mark.parametrize(("process", "a", "chains"), TAU_CASES)
def test_intervals_of_tau_in_full(process, a, chains):
    check_tau(FULL, process, a, chains, seed=6)
