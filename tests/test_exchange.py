"""Replica exchange, isoenergetic moves and disorder in lanes: same averages as enumeration, honest statistics."""

import numpy as np
import pytest
import xarray as xr
from statistics_of_chains import joint_p, z_score

import ising
from ising.model import realisation

BETAS = [0.1, 0.3, 0.5, 0.8]
GLASS = ising.edwards_anderson(ising.square(4), seed=3)
MODELS = {
    "glass": GLASS,
    "field": ising.ferromagnet(ising.chain(9), h=0.3),
    "triangular": ising.ferromagnet(ising.triangular(3), J=-1.0),
}


def run(model, schedule, **options):
    return ising.sample(model, BETAS, schedule, progress=False, **options)


def _z(data, model):
    exact = ising.exact.enumerate_model(model, BETAS)
    m2 = model.lattice.n_sites * (data.magnetization**2).mean("draw")
    energy = data.energy.mean("draw")
    return [z_score(energy.values, exact.energy.values), z_score(m2.values, exact.susceptibility.values)]


@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
@pytest.mark.parametrize("name", MODELS)
def test_exchange_keeps_every_beta_in_equilibrium(name, update):
    data = run(MODELS[name], ising.Schedule(200, 2000), update=update, exchange=True, seed=1)
    z = _z(data, MODELS[name])
    assert np.abs(z).max() < 5
    assert joint_p(z[0], 64) > 1e-4


def test_the_wrong_sign_fails():
    """Swapping the labels of two betas afterwards is what a wrong exchange does."""
    data = run(GLASS, ising.Schedule(200, 2000), exchange=True, seed=1)
    wrong = data.isel(beta=[1, 0, 2, 3])
    assert np.abs(_z(wrong, GLASS)).max() > 20


def test_swap_acceptance_is_what_the_energy_distributions_say():
    states = 2 * (np.arange(2**16)[:, None] >> np.arange(16) & 1) - 1
    levels, count = np.unique(GLASS.energy(states), return_counts=True)
    p = count * np.exp(-np.array(BETAS)[:, None] * (levels - levels.min()))
    p /= p.sum(axis=1, keepdims=True)
    gain = levels[None, :] - levels[:, None]  # E' - E
    expected = [
        p[k] @ np.minimum(1, np.exp((BETAS[k + 1] - BETAS[k]) * gain)) @ p[k + 1] for k in range(len(BETAS) - 1)
    ]
    data = run(GLASS, ising.Schedule(200, 4000), exchange=True, seed=2)
    assert data.swap_acceptance.dims == ("beta_pair", "chain")
    assert np.abs(z_score(data.swap_acceptance.values, np.array(expected))).max() < 5


def test_round_trips_are_counted():
    """At equal betas every swap is accepted: replica b moves like a particle on a ladder with deterministic turns."""
    data = ising.sample(
        GLASS, [0.3, 0.3 + 1e-12, 0.3 + 2e-12], ising.Schedule(0, 600), exchange=True, chains=4, progress=False
    )
    assert (data.swap_acceptance == 1).all()
    # with three rungs and alternating pairs a replica returns every 6 steps and all three take part
    assert set(data.round_trips.values.tolist()) <= set(range(295, 301))


@pytest.mark.parametrize("exchange", [False, True])
def test_isoenergetic_moves_keep_equilibrium_and_help(exchange):
    data = run(GLASS, ising.Schedule(200, 2000), exchange=exchange, isoenergetic=1, seed=5)
    assert np.abs(_z(data, GLASS)).max() < 5


def test_isoenergetic_move_conserves_the_sum_of_energies_and_swaps_one_cluster():
    from ising.kernels_exchange import isoenergetic

    model = ising.edwards_anderson(ising.square(8), seed=1)
    rng = np.random.default_rng(0)
    spins = rng.integers(0, 2**64, 65, dtype=np.uint64)
    before = spins.copy()
    scratch = np.zeros((2, 64), np.uint64)
    isoenergetic(spins, model.lattice.neighbors, rng.integers(1, 2**60, 4, dtype=np.uint64), scratch[0], scratch[1])

    def unpack(words):
        return 2 * (words[:64, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).astype(int).T - 1

    old, new = unpack(before), unpack(spins)
    total = model.energy(old).reshape(-1, 2).sum(axis=1)
    np.testing.assert_array_equal(model.energy(new).reshape(-1, 2).sum(axis=1), total)
    moved = old != new
    np.testing.assert_array_equal(moved[0::2], moved[1::2])
    a, b = model.lattice.bonds.T
    for lane in range(0, 64, 2):
        differs, cluster = old[lane] != old[lane + 1], moved[lane]
        assert cluster.any()
        assert not (cluster & ~differs).any()
        # no bond leads from the cluster to another differing site: it is a whole component
        assert not (differs[a] & differs[b] & (cluster[a] != cluster[b])).any()


def test_disorder_in_lanes():
    """64 realisations in a word: each in its own equilibrium, and independent of how many there are."""
    lattice = ising.square(4)
    many = ising.edwards_anderson(lattice, seed=8, disorder=70)
    options = {"update": "heat_bath", "lanes": "disorder", "chains": 4, "seed": 3}
    data = run(many, ising.Schedule(300, 3000), **options)
    assert data.energy.dims == ("disorder", "beta", "chain", "draw")
    for k in (0, 1, 63, 64, 69):
        exact = ising.exact.enumerate_model(many[k], BETAS).energy.values
        e = data.energy[k]
        mean, error = e.mean(["chain", "draw"]), e.mean("draw").std("chain", ddof=1) / 2
        assert (np.abs(mean - exact) < 8 * error + 0.01).all()  # four chains: a t-distribution of three degrees
    q = data.spins[:, :, 0::2].values.astype(float) * data.spins[:, :, 1::2].values
    np.testing.assert_allclose(data.overlap.isel(draw=-1), q.mean(axis=-1))
    for k in (0, 69):
        np.testing.assert_allclose(data.energy[k].isel(draw=-1), many[k].energy(data.spins[k]) / 16)
    few = run(many[:3], ising.Schedule(300, 3000), **options)
    np.testing.assert_array_equal(few.energy, data.energy[:3])
    two_chains = run(many[:3], ising.Schedule(300, 3000), **(options | {"chains": 2}))
    np.testing.assert_array_equal(two_chains.energy, data.energy[:3, :, :2])


def test_disorder_in_lanes_joint_chi_square():
    lattice = ising.square(3)
    many = ising.edwards_anderson(lattice, seed=2, disorder=64)
    data = run(many, ising.Schedule(200, 500), lanes="disorder", chains=32, exchange=True, seed=4)
    assert data.swap_acceptance.dims == ("disorder", "beta_pair", "chain")
    z = []
    for k, model in enumerate(many):
        exact = ising.exact.enumerate_model(realisation(lattice, 2, "bimodal", k), BETAS).energy.values
        assert model.attrs["realisation"] == k
        z.append(z_score(data.energy[k].mean("draw").values, exact)[0])
    assert np.abs(z).max() < 5
    assert 1e-4 < joint_p(z, 32) < 1 - 1e-4


def test_exchange_does_not_depend_on_threads_or_chunks():
    one = run(GLASS, ising.Schedule(20, 100), exchange=True, chains=128, seed=3, threads=1)
    two = run(GLASS, ising.Schedule(20, 100), exchange=True, chains=128, seed=3, threads=2, configurations=7)
    xr.testing.assert_identical(one, two.drop_vars(["configurations", "configuration"]))
    fewer = run(GLASS, ising.Schedule(20, 100), exchange=True, chains=10, seed=3)
    np.testing.assert_array_equal(one.energy[:, :10], fewer.energy)


def test_ladder_equalises_the_swaps():
    model = ising.edwards_anderson(ising.cubic(4), seed=1)
    plain = np.linspace(0.1, 1.5, 6)
    betas = ising.temperature_ladder(model, 0.1, 1.5, 6, seed=1, progress=False)
    assert betas[0] == 0.1
    assert betas[-1] == 1.5
    spread = []
    for ladder in (plain, betas):
        data = ising.sample(model, ladder, ising.Schedule(500, 500), exchange=True, seed=2, progress=False)
        rate = data.swap_acceptance.mean("chain").values
        spread.append(rate.max() - rate.min())
    assert spread[1] < 0.05 < 0.5 < spread[0]


DENSE = ising.edwards_anderson(ising.complete(20), 1)


def _with_fields():
    pair = ising.edwards_anderson(GLASS.lattice, 1, disorder=2)
    return [ising.IsingModel(one.lattice, one.couplings, h, one.name, one.attrs) for h, one in enumerate(pair)]


BAD = {
    "order": (lambda: ising.sample(GLASS, [0.5, 0.3], exchange=True), "increasing order"),
    "one beta": (lambda: ising.sample(GLASS, 0.5, exchange=True), "two or more betas"),
    "update": (lambda: ising.sample(GLASS, [0.1, 0.2], exchange=True, update="wolff"), "exchange needs update"),
    "iso": (lambda: ising.sample(GLASS, 0.5, isoenergetic=-1), "isoenergetic"),
    "iso graph": (lambda: ising.sample(DENSE, 0.5, isoenergetic=1), "degree 19"),
    "lanes fields": (lambda: ising.sample(_with_fields(), 0.5, lanes="disorder"), "one field"),
    "exchange": (lambda: ising.sample(GLASS, [0.1, 0.2], exchange="no"), "True or False"),
    "ladder model": (lambda: ising.temperature_ladder([GLASS], 0.1, 0.5, 5), "one IsingModel"),
    "lanes": (lambda: ising.sample(GLASS, 0.5, lanes="bits"), "lanes must be"),
    "lanes gaussian": (
        lambda: ising.sample(ising.edwards_anderson(ising.chain(5), 1, "gaussian", 2), 0.5, lanes="disorder"),
        r"\+-J couplings",
    ),
    "lanes list": (
        lambda: ising.sample(list(ising.edwards_anderson(GLASS.lattice, 1, disorder=3))[1:], 0.5, lanes="disorder"),
        "edwards_anderson",
    ),
    "ladder": (lambda: ising.temperature_ladder(GLASS, 0.5, 0.1, 5), "beta_min < beta_max"),
    "ladder n": (lambda: ising.temperature_ladder(GLASS, 0.1, 0.5, 2), "n must be an integer >= 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()
