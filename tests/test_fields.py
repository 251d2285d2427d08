"""Any couplings and fields: both kernels against enumeration, exchange, cached fields, the logarithm."""

from itertools import pairwise

import numpy as np
import pytest
from numba import njit
from scipy import stats
from statistics_of_chains import joint_p, z_score

import ising
from ising.doubles import load8, store
from ising.fields import FieldTables, caching_wins, field_units
from ising.kernels_fields import heat_bath_threshold, log_ratio, metropolis_threshold, refresh_energies
from ising.kernels_rows import refresh
from ising.words import load

BETAS = np.array([0.0, 0.3, 0.8])
NAMES = ("energy", "magnetization")
PAIRS = ("overlap", "link_overlap", "overlap_k")
KERNELS = {"recomputed": False, "cached": True}
PATCH = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 5), (5, 6), (2, 7)]  # sites 8 and 9 are isolated


def _models():
    rng = np.random.default_rng(8)
    square, complete = ising.square(4), ising.complete(11)
    some = np.sort(rng.permutation(complete.n_bonds)[:40])
    return {
        "ring-antiferromagnet": ising.ferromagnet(ising.chain(9), J=-1.0),
        "gaussian": ising.edwards_anderson(square, seed=3, distribution="gaussian"),
        "random-fields": ising.IsingModel(square, 0.5, rng.normal(size=16)),
        "isolated-sites": ising.IsingModel(ising.from_bonds(10, PATCH), rng.normal(size=8), rng.normal(size=10)),
        "no-bonds": ising.IsingModel(ising.from_bonds(5, []), 1.0, rng.normal(size=5)),
        "sherrington-kirkpatrick": ising.sherrington_kirkpatrick(12, seed=4),
        "dense": ising.IsingModel(ising.from_bonds(11, complete.bonds[some]), rng.normal(size=40), 0.2),
        "curie-weiss": ising.IsingModel(complete, 1 / 11, rng.normal(size=11)),
        "uniform-frustrated": ising.ferromagnet(complete, J=-0.3, h=0.1),
        "many-scales": ising.IsingModel(square, 10.0 ** rng.uniform(-6, 1, 32) * rng.choice([-1, 1], 32)),
    }


MODELS = _models()


@pytest.fixture(scope="module")
def exact():
    return {name: ising.exact.enumerate_model(model, BETAS) for name, model in MODELS.items()}


def _sample(units, model, betas, chains, warmup, draws, names=NAMES, thin=1, chunk=None):
    results = {n: np.full((len(betas), chains // 2 if n in PAIRS else chains, draws), np.nan) for n in names}
    for unit in units:
        unit.warm_up(warmup)
        for start in range(0, draws, chunk or draws):
            unit.draw(results, start, min(start + (chunk or draws), draws), thin)
    assert all(np.isfinite(values).all() for values in results.values())
    return results


def _run(model, betas, update, seed, cached, exchange=False, chains=64, warmup=200, draws=500, **options):
    betas = np.asarray(betas, dtype=float)
    units = field_units(model, betas, chains, update, seed, 0, "random", exchange, cached)
    return _sample(units, model, betas, chains, warmup, draws, **options), units


def _z(data, model, exact):
    n = model.lattice.n_sites
    variance = (data["energy"] - exact.energy.values[:, None, None]) ** 2 * n * exact.beta.values[:, None, None] ** 2
    moments = {
        "energy": data["energy"],
        "magnetization_abs": np.abs(data["magnetization"]),
        "susceptibility": n * data["magnetization"] ** 2,
        "specific_heat": variance,
    }
    return {name: z_score(value.mean(axis=-1), exact[name].values) for name, value in moments.items()}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
def test_updates_reproduce_enumeration(update, kernel, exact):
    energies = []
    for k, (name, model) in enumerate(MODELS.items()):
        data, _ = _run(model, BETAS, update, k, KERNELS[kernel])
        z = _z(data, model, exact[name])
        assert max(float(np.abs(value).max()) for value in z.values()) < 5, (name, z)
        energies.append(z["energy"])
    assert 1e-4 < joint_p(energies, 64) < 1 - 1e-4


@pytest.mark.parametrize("kernel", KERNELS)
def test_exchange_reproduces_enumeration_at_every_beta(kernel, exact):
    betas, ladder_betas = [2, 0, 1], BETAS[[2, 0, 1]]  # a ladder in any order
    middle = []
    for k, (name, model) in enumerate(MODELS.items()):
        data, _ = _run(model, ladder_betas, "heat_bath", 40 + k, KERNELS[kernel], exchange=True)
        z = _z(data, model, exact[name].isel(beta=betas))
        assert max(float(np.abs(value).max()) for value in z.values()) < 5, (name, z)
        middle.append(z["energy"][k % 3])  # betas of one run are not independent: one a model
    assert 1e-4 < joint_p(middle, 64) < 1 - 1e-4


@pytest.mark.parametrize("kernel", KERNELS)
def test_exchange_with_the_wrong_sign_fails_the_same_test(kernel, exact):
    model = MODELS["gaussian"]
    units = field_units(model, BETAS, 64, "heat_bath", 1, 0, "random", True, KERNELS[kernel])
    for unit in units:
        unit.ladder = unit.ladder._replace(betas=-unit.ladder.betas)
    z = _z(_sample(units, model, BETAS, 64, 200, 500), model, exact["gaussian"])
    assert np.abs(z["energy"]).max() > 5


@pytest.mark.parametrize("kernel", KERNELS)
def test_swap_acceptance_is_the_exact_one(kernel):
    model, betas = MODELS["isolated-sites"], np.array([0.2, 0.7, 1.5, 2.5])
    energy = model.energy(_states(10))
    weight = np.exp(-betas[:, None] * energy)
    weight /= weight.sum(axis=1, keepdims=True)
    _, units = _run(model, betas, "heat_bath", 5, KERNELS[kernel], exchange=True, chains=128, draws=1000)
    observed = np.concatenate([unit.statistics()["swap_acceptance"][1] for unit in units], axis=1)
    assert observed.shape == (3, 128)
    expected = [
        (np.exp(np.minimum(0, (betas[k + 1] - betas[k]) * (energy[None] - energy[:, None]))) * a[:, None] * b).sum()
        for k, (a, b) in enumerate(pairwise(weight))
    ]
    assert np.abs(z_score(observed, np.array(expected))).max() < 4.5
    assert max(expected) < 0.95


@pytest.mark.parametrize("kernel", KERNELS)
def test_round_trips_of_two_equal_betas(kernel):
    """Every second step swaps; a replica is first seen at the lowest beta after a step, so two swaps count nothing."""
    _, units = _run(MODELS["gaussian"], [0.3, 0.3 + 1e-13], "heat_bath", 1, KERNELS[kernel], True, 16, 0, 100)
    for unit in units:
        first, trips = unit.statistics()["round_trips"]
        assert first == unit.first
        assert (trips == 48).all()
        assert (unit.statistics()["swap_acceptance"][1] == 1).all()


def _states(n):
    return 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
@pytest.mark.parametrize("exchange", [False, True])
def test_states_have_their_boltzmann_weights(update, exchange, kernel):
    model, betas, chains = MODELS["isolated-sites"], np.array([0.1, 0.4, 0.6]), 2048
    units = field_units(model, betas, chains, update, 9, 0, "random", exchange, KERNELS[kernel])
    index = []
    for unit in units:
        unit.warm_up(60)
        index += [((spins > 0) << np.arange(10)).sum(axis=1) for b, _, spins in unit.configurations() if b == 1]
    weight = np.exp(-betas[1] * model.energy(_states(10)))
    order = np.argsort(weight)
    expected = weight[order] / weight.sum() * chains
    _, group = np.unique((expected.cumsum() / 20).astype(int), return_inverse=True)  # about 20 or more expected in each
    observed = np.bincount(group, np.bincount(np.concatenate(index), minlength=2**10)[order])
    assert 1e-4 < stats.chisquare(observed, np.bincount(group, expected)).pvalue < 1 - 1e-4


def test_the_two_kernels_and_exchange_agree_on_a_large_glass():
    """More than one word of sites and one vector of fields, out of reach of enumeration."""
    model, betas = ising.sherrington_kirkpatrick(150, seed=2), [0.3, 0.6, 0.9]
    runs = [
        _run(model, betas, update, seed, cached, exchange, 64, 400, 400, names=("energy", *PAIRS[:2]))[0]
        for seed, (update, cached, exchange) in enumerate(
            [("heat_bath", False, False), ("heat_bath", True, False), ("metropolis", True, True)]
        )
    ]
    for name, power in (("energy", 1), ("overlap", 2), ("link_overlap", 1)):
        means = [(run[name] ** power).mean(axis=-1) for run in runs]
        for other in means[1:]:
            error = np.hypot(stats.sem(means[0], axis=-1), stats.sem(other, axis=-1))
            assert np.abs((means[0] - other).mean(axis=-1) / error).max() < 4.5, name


@pytest.mark.parametrize("kernel", KERNELS)
def test_observables_are_those_of_the_configurations(kernel):
    rng = np.random.default_rng(2)
    lattices = [ising.cubic(4), ising.complete(70), ising.from_bonds(70, ising.complete(70).bonds[::2])]
    for lattice in lattices:
        model = ising.IsingModel(lattice, rng.normal(size=lattice.n_bonds), rng.normal(size=lattice.n_sites))
        fourier = lattice.momentum is not None and not KERNELS[kernel]  # models with momentum are never cached
        names = (*NAMES, *PAIRS[:2], *(("structure_factor", "overlap_k") if fourier else ()))
        data, units = _run(model, [0.2, 0.5], "heat_bath", 3, KERNELS[kernel], True, 12, 5, 1, names=names)
        spins = np.zeros((2, 12, lattice.n_sites))
        for unit in units:
            for b, first, block in unit.configurations():
                spins[b, first : first + len(block)] = block
        q = spins[:, ::2] * spins[:, 1::2]
        a, b = lattice.bonds.T
        plain = {
            "energy": model.energy(spins) / lattice.n_sites,
            "magnetization": spins.mean(axis=-1),
            "overlap": q.mean(axis=-1),
            "link_overlap": (q[..., a] * q[..., b]).mean(axis=-1),
        }
        if fourier:
            wave = np.exp(2j * np.pi / lattice.momentum.length * lattice.momentum.layers)
            plain["structure_factor"] = (np.abs(spins @ wave.T) ** 2).mean(axis=-1) / lattice.n_sites
            plain["overlap_k"] = (np.abs(q @ wave.T) ** 2).mean(axis=-1) / lattice.n_sites
        for name in names:
            np.testing.assert_allclose(data[name][..., 0], plain[name], rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("exchange", [False, True])
def test_chains_do_not_depend_on_chunks_or_on_the_number_of_chains(exchange, kernel):
    model, names = ising.sherrington_kirkpatrick(40, seed=1), (*NAMES, *PAIRS[:2])
    for update in ("heat_bath", "metropolis"):
        whole, _ = _run(model, BETAS, update, 2, KERNELS[kernel], exchange, 70, 10, 30, names=names)
        parts, _ = _run(model, BETAS, update, 2, KERNELS[kernel], exchange, 6, 10, 30, names=names, chunk=7)
        other, _ = _run(model, BETAS, update, 3, KERNELS[kernel], exchange, 6, 10, 30, names=names)
        for name in names:
            n = parts[name].shape[1]
            assert np.array_equal(whole[name][:, :n], parts[name])
            assert not np.array_equal(other[name], parts[name])


@pytest.mark.parametrize("kernel", KERNELS)
def test_cached_fields_and_energies_stay_exact(kernel):
    model = ising.sherrington_kirkpatrick(100, seed=3)
    _, units = _run(model, [0.5, 1.0], "heat_bath", 1, KERNELS[kernel], True, 8, 1100, 1)  # 110,000 updates a chain
    for unit in units:
        state, tables = unit.state, unit.tables
        energies = state.energies.copy()
        if tables.cached:
            fields = state.fields.copy()
            refresh(state, tables.rows)
            assert np.array_equal(fields, state.fields)
            assert np.array_equal(energies, state.energies)
        else:
            refresh_energies(state, tables.graph, tables.fields)
            np.testing.assert_allclose(energies, state.energies, rtol=1e-12, atol=1e-12)


@njit
def _evaluate(a, b, words, ratio, heat_bath, metropolis):
    for k in range(0, a.size, 8):
        store(ratio, k, log_ratio(load8(a, k), load8(b, k)))
        store(heat_bath, k, heat_bath_threshold(load(words, k)))
        store(metropolis, k, metropolis_threshold(load(words, k), 0.9375))


def test_logarithm_is_accurate():
    rng = np.random.default_rng(1)
    n = 80_000
    a, b = (10.0 ** rng.uniform(-300, 300, n) for _ in range(2))
    a[: n // 2] = b[: n // 2] * rng.uniform(0.4, 2.5, n // 2)
    words = rng.integers(0, 2**64, n, dtype=np.uint64)
    words[:8] = [0, 2**64 - 1, 2**63, 2**63 - 1, 2**62, 2**11, 2**63 + 2**11, 2**64 - 2**11]
    out = [np.empty(n) for _ in range(3)]
    _evaluate(a, b, words, *out)
    u = ((words >> np.uint64(11)) | np.uint64(1)).astype(np.longdouble) / 2**53
    exact = [
        np.log(a.astype(np.longdouble)) - np.log(b.astype(np.longdouble)),
        np.log(u) - np.log1p(-u),
        np.log(np.longdouble(0.9375)) - np.log(u),
    ]
    for value, truth in zip(out, exact):
        assert np.max(np.abs(value - truth) / np.maximum(1, np.abs(truth))) < 4e-16


def test_the_kernel_is_chosen_by_degree_and_rounding():
    assert caching_wins(ising.sherrington_kirkpatrick(128, seed=1), 3.0)
    assert not caching_wins(ising.sherrington_kirkpatrick(32, seed=1), 3.0)
    assert not caching_wins(ising.ferromagnet(ising.complete(512), J=1 / 512), 1.0)
    assert not caching_wins(ising.edwards_anderson(ising.cubic(6), 1, "gaussian"), 1.0)
    complete = ising.complete(128)
    penalties = np.where(np.arange(complete.n_bonds) % 7, 1.0, 1e6)
    assert not caching_wins(ising.IsingModel(complete, penalties), 1.0)
    assert FieldTables(ising.sherrington_kirkpatrick(128, seed=1), 3.0).cached


def test_annealing_finds_low_energies_and_checks_its_arguments():
    model = ising.sherrington_kirkpatrick(128, seed=1)
    (unit,) = field_units(model, np.array([1.0]), 8, "metropolis", 1, 0, "up")
    assert (unit.spins() == 1).all()
    flips = unit.anneal(np.geomspace(0.1, 3, 300))
    assert 0 < flips < 8 * 128 * 300
    assert model.energy(unit.spins()).min() / 128 < -0.68
    (ladder,) = field_units(model, BETAS, 8, "metropolis", 1, 0, "up", exchange=True)
    with pytest.raises(ValueError, match="one beta"):
        ladder.anneal(BETAS)
    with pytest.raises(ValueError, match="update must be"):
        field_units(model, BETAS, 8, "wolff", 1, 0, "up")
