"""Densities of states against exact counts, their thermodynamics against exact solutions, and a control."""

import numpy as np
import pytest
import xarray as xr
from numba import njit
from scipy import stats
from statistics_of_chains import joint_p

import ising
from ising import kernels_wang_landau as kernels
from ising import wang_landau
from ising.canonical import thermodynamics_from
from ising.wang_landau import FewRoundTripsWarning, Walker, density_of_states

SQUARE = ising.square(4)
HALF = [2, 32, 64, 424, 1728, 6688, 13568]
COUNTS = dict(zip([-32, -24, -20, -16, -12, -8, -4, 0, 4, 8, 12, 16, 20, 24, 32], [*HALF, 20524, *HALF[::-1]]))
BETAS = np.array([0.1, 0.3, 0.44, 0.7, 1.5])


def states(model, sweeps=20_000, runs=16, **options):
    return density_of_states(model, sweeps=sweeps, runs=runs, progress=False, **options)


def z_counts(dos, exact):
    """Scores of g = exp(log_g) at the given levels, with Student's t of the runs taken out."""
    z = (np.exp(dos.log_g.values) / exact - 1) / dos.log_g_error.values
    return stats.norm.isf(stats.t.sf(z, dos.sizes["run"] - 1))


def counts_by_enumeration(model):
    """{energy: number of configurations} of a small model."""
    n = model.lattice.n_sites
    spins = 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1
    energy, count = np.unique(model.energy(spins).round(9), return_counts=True)
    return dict(zip(energy.tolist(), count.tolist()))


def test_square_4x4_counts():
    dos = states(ising.ferromagnet(SQUARE), seed=1)
    assert dos.energy.values.tolist() == list(COUNTS)
    assert np.abs(z_counts(dos, list(COUNTS.values()))).max() < 5
    assert float(dos.log_g_error.max()) < 0.1
    assert np.exp(dos.log_g).sum().item() == pytest.approx(2**16)
    np.testing.assert_allclose(np.exp(dos.log_g_run).sum("energy"), 2**16)


@pytest.mark.parametrize(
    "model",
    [
        ising.edwards_anderson(SQUARE, seed=3),
        ising.ferromagnet(SQUARE, J=-0.7, h=0.35),
        ising.ferromagnet(ising.triangular(3), J=-1.0),
        ising.IsingModel(ising.chain(10), 0.5, np.resize([0.3, -0.3, 0.3], 10)),
        ising.edwards_anderson(ising.from_bonds(6, [(0, k) for k in range(1, 5)] + [(1, 2)]), seed=2),
        ising.ferromagnet(ising.complete(9), J=1 / 9),
    ],
    ids=["glass", "field", "frustrated", "staggered-fields", "irregular", "curie-weiss"],
)
def test_counts_of_other_models(model):
    exact = counts_by_enumeration(model)
    dos = states(model, seed=2)
    np.testing.assert_allclose(dos.energy, list(exact), atol=1e-8)
    assert np.abs(z_counts(dos, list(exact.values()))).max() < 5


def test_errors_are_calibrated_over_seeds():
    model, runs, heads, middles, heats = ising.ferromagnet(SQUARE), 12, [], [], []
    heat = ising.exact.enumerate_model(model, 0.44).specific_heat.item()
    for seed in range(30):
        dos = states(model, sweeps=3_000, runs=runs, seed=1000 + seed)
        z = (np.exp(dos.log_g) / list(COUNTS.values()) - 1) / dos.log_g_error
        heads.append(z.sel(energy=-32).item())
        middles.append(z.sel(energy=8).item())
        point = thermodynamics_from(dos, 0.44)
        heats.append(((point.specific_heat - heat) / point.specific_heat_error).item())
    for joint in (heads, middles, heats):
        assert 1e-4 < joint_p(joint, runs) < 1 - 1e-4


def test_square_8x8_head_and_kaufman():
    dos = states(ising.ferromagnet(ising.square(8)), sweeps=40_000, runs=8, seed=3)
    head = dos.isel(energy=slice(0, 4))
    assert head.energy.values.tolist() == [-128, -120, -116, -112]
    assert np.abs(z_counts(head, [2, 128, 256, 4672])).max() < 5
    assert float(dos.log_g_error.max()) < 0.2
    exact, ours = ising.exact.kaufman(8, BETAS), thermodynamics_from(dos, BETAS)
    for name in ("log_z", "energy", "specific_heat", "entropy"):
        assert np.abs((ours[name] - exact[name]) / ours[f"{name}_error"]).max() < 6, name  # Student t of 8 runs
    assert float(ours.energy_error.max()) < 0.02


def test_thermodynamics_of_a_glass():
    model = ising.edwards_anderson(SQUARE, seed=3)
    exact, ours = ising.exact.enumerate_model(model, BETAS), thermodynamics_from(states(model, seed=4), BETAS)
    assert ours.energy.attrs["formula"] == exact.energy.attrs["formula"]
    for name in ("log_z", "energy", "specific_heat", "entropy"):
        assert ours[name].dims == ("beta",)
        z = ((ours[name] - exact[name]) / ours[f"{name}_error"]).values
        assert np.abs(stats.norm.isf(stats.t.sf(z, 15))).max() < 5, name


@njit
def _produce_counting_moves_only(spins, level, rng, graph, log_g, visits, tally, n_sweeps):
    """The classic mistake: a refused attempt does not count for the level where the walker stays."""
    tally[kernels.PASSAGES] = 1000
    for _ in range(n_sweeps * spins.size):
        i = int(kernels.next_uint64(rng) >> np.uint64(33)) % spins.size
        local = graph.fields[i]
        for j in range(graph.neighbors.shape[1]):
            local += graph.couplings[i, j] * spins[graph.neighbors[i, j]]
        new = level + spins[i] * local
        if (kernels.next_uint64(rng) >> np.uint64(11)) * 2.0**-53 < np.exp(log_g[level] - log_g[new]):
            spins[i] = -spins[i]
            level = new
            visits[level] += 1
    return level


def test_counting_moves_only_fails_the_same_test(monkeypatch):
    monkeypatch.setattr(kernels, "produce", _produce_counting_moves_only)
    dos = states(ising.ferromagnet(SQUARE), seed=1)
    assert np.abs(z_counts(dos, [COUNTS[energy] for energy in dos.energy.values])).max() > 6


def test_refinement_follows_the_law():
    """Ln f = levels / attempts at the end, and the refined log_g is near the exact one."""
    model = ising.ferromagnet(SQUARE)
    _, graph, n_levels = wang_landau._integer_graph(model)
    walker = Walker(model, graph, n_levels, seed=5, run=0)
    walker.refine(50_000)
    assert walker.tally[kernels.KNOWN] == 15
    assert walker.clock.attempts[0] == 16 * 50_000
    assert walker.clock.log_f[0] == 15 / (16 * 50_000)
    log_g = walker.log_g[np.isfinite(walker.log_g)]
    exact = np.log(list(COUNTS.values()))
    assert np.abs((log_g - log_g.mean()) - (exact - exact.mean())).max() < 0.3


def test_compiled_equals_plain():
    model = ising.edwards_anderson(ising.square(3), seed=1)
    _, graph, n_levels = wang_landau._integer_graph(model)
    walkers = [Walker(model, graph, n_levels, seed=6, run=0) for _ in range(2)]
    walkers[0].refine(30)
    one = walkers[1]
    with np.errstate(over="ignore"):
        level = kernels.refine.py_func(
            one.spins, one.level, one.rng, graph, one.log_g, one.visits, one.tally, one.clock, 30
        )
    assert level == walkers[0].level
    np.testing.assert_array_equal(one.log_g, walkers[0].log_g)
    np.testing.assert_array_equal(one.spins, walkers[0].spins)
    bound = n_levels - 1
    assert 2 * level - bound == model.energy(one.spins)


def test_same_seed_same_bits_on_any_thread_count_and_run_count():
    model = ising.edwards_anderson(ising.square(3), seed=1)
    one = states(model, sweeps=3_000, runs=3, seed=3, threads=1)
    xr.testing.assert_identical(one, states(model, sweeps=3_000, runs=3, seed=3, threads=2))
    fewer = states(model, sweeps=3_000, runs=2, seed=3)
    np.testing.assert_array_equal(one.log_g_run[:2], fewer.log_g_run)
    assert not np.array_equal(fewer.log_g_run, states(model, sweeps=3_000, runs=2, seed=4).log_g_run)


def test_dataset_says_how_it_was_made_and_what_was_reached():
    dos = states(ising.edwards_anderson(SQUARE, seed=3), sweeps=3_000, runs=4, seed=9)
    assert (dos.lowest_energy, dos.highest_energy, dos.energy_bound) == (-22, 22, 32)
    assert dos.reached == "12 levels, 12 of them by every run"
    assert {"model", "lattice", "method", "sweeps", "seed", "numba_version"} <= set(dos.attrs)
    assert all("formula" in dos[name].attrs for name in dos)
    assert int(dos.visits.sum()) == 4 * 1_500 * 16


def test_short_walks_warn():
    with pytest.warns(FewRoundTripsWarning, match="round trips between the ends of its spectrum, fewer than 4"):
        states(ising.ferromagnet(ising.square(8)), sweeps=50, runs=2)


def test_one_run_has_no_error():
    dos = states(ising.ferromagnet(ising.square(3)), sweeps=2_000, runs=1)
    assert np.isnan(dos.log_g_error).all()
    assert np.isnan(thermodynamics_from(dos, 0.4).energy_error).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            ising.edwards_anderson(SQUARE, seed=1, distribution="gaussian"),
            r"\(\+-J; h a simple fraction of J\).* got 32 ",
        ),
        (ising.sherrington_kirkpatrick(20, seed=1), "got 190 magnitudes such as"),
        (ising.ferromagnet(SQUARE, h=np.sqrt(2)), "got 2 magnitudes such as"),
        (ising.ferromagnet(SQUARE, J=0.0), r"the model has neither couplings nor fields: its only level is 0"),
        (ising.ferromagnet(SQUARE, J=1e6, h=1.0), "levels of unit 1, above the limit of 10000000"),
        ("square", "model must be one IsingModel, got str"),
    ],
)
def test_models_without_levels_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        states(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 1}, "sweeps must be an integer >= 2, got 1"),
        ({"runs": 0}, "runs must be an integer >= 1, got 0"),
        ({"threads": 0}, "threads must be an integer >= 1, got 0"),
        ({"seed": 1.5}, "seed must be an integer >= 0, got 1.5"),
    ],
)
def test_impossible_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        states(ising.ferromagnet(SQUARE), **options)


def test_negative_beta_is_refused():
    dos = states(ising.ferromagnet(ising.square(3)), sweeps=2_000, runs=2)
    with pytest.raises(ValueError, match="beta must be finite and >= 0"):
        thermodynamics_from(dos, -0.1)
