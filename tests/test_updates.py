"""Every update on every lattice family against full enumeration, one joint chi-square, and a control that must fail."""

import numpy as np
import pytest
from scipy import stats
from statistics_of_chains import joint_p, z_score

import ising

CHAINS = 64
OPEN_PATCH = [(0, k) for k in range(1, 8)] + [(k, k % 7 + 1) for k in range(1, 8)] + [(1, 8), (8, 9), (9, 10), (10, 11)]


def _models():
    rng = np.random.default_rng(5)
    square, patch = ising.square(4), ising.from_bonds(12, OPEN_PATCH, name="patch")
    klein = ising.closed_hyperbolic(3, 7, surface="klein")
    return {
        "ring": ising.ferromagnet(ising.chain(8)),
        "ring-antiferromagnet": ising.ferromagnet(ising.chain(8), J=-1.0),
        "ring-odd-antiferromagnet": ising.ferromagnet(ising.chain(9), J=-1.0),
        "ring-field": ising.ferromagnet(ising.chain(8), h=0.3),
        "square": ising.ferromagnet(square),
        "square-antiferromagnet": ising.ferromagnet(square, J=-1.0),
        "square-field": ising.ferromagnet(square, J=0.5, h=-0.2),
        "square-glass": ising.edwards_anderson(square, seed=3),
        "square-gaussian": ising.edwards_anderson(square, seed=3, distribution="gaussian"),
        "square-random-fields": ising.IsingModel(square, 0.5, rng.normal(size=16)),
        "triangular-antiferromagnet": ising.ferromagnet(ising.triangular(3), J=-1.0),
        "honeycomb": ising.ferromagnet(ising.honeycomb(3)),
        "triangular": ising.ferromagnet(ising.triangular(3), J=0.5),
        "complete": ising.ferromagnet(ising.complete(10), J=0.2, h=0.1),
        "cubic": ising.ferromagnet(ising.cubic(3), J=0.4),
        "bring": ising.ferromagnet(ising.closed_hyperbolic(4, 5, surface="bring")),
        "klein": ising.ferromagnet(klein, J=0.5),
        "klein-glass": ising.edwards_anderson(klein, seed=1),
        "patch": ising.ferromagnet(patch, h=0.1),
        "patch-glass": ising.edwards_anderson(patch, seed=2),
        "random-regular": ising.ferromagnet(ising.random_regular(14, 3, seed=1)),
        "sherrington-kirkpatrick": ising.sherrington_kirkpatrick(12, seed=4),
        "hopfield": ising.hopfield(rng.choice([-1, 1], (2, 12))),
        "hypercubic": ising.ferromagnet(ising.hypercubic(3, 2), J=0.5),
    }


BETAS = [0.0, 0.3, 0.6]
MODELS = _models()
UPDATES = ["heat_bath", "metropolis", "random_site", "swendsen_wang", "wolff"]


@pytest.fixture(scope="module")
def exact():
    return {name: ising.exact.enumerate_model(model, BETAS) for name, model in MODELS.items()}


def _z(model, exact, update, seed):
    data = ising.sample(model, BETAS, ising.Schedule(200, 500), update=update, chains=CHAINS, seed=seed, progress=False)
    n = model.lattice.n_sites
    moments = {
        "energy": data.energy,
        "magnetization_abs": np.abs(data.magnetization),
        "susceptibility": n * data.magnetization**2,
    }
    z = {name: z_score(value.mean("draw").values, exact[name].values) for name, value in moments.items()}
    variance = (data.energy - exact.energy) ** 2 * n * data.beta**2
    z["specific_heat"] = z_score(variance.mean("draw").values, exact.specific_heat.values)
    return z


@pytest.mark.parametrize("update", UPDATES)
def test_updates_reproduce_enumeration(update, exact):
    energies = []
    for k, (name, model) in enumerate(MODELS.items()):
        z = _z(model, exact[name], update, seed=100 * UPDATES.index(update) + k)
        worst = {key: float(np.abs(value).max()) for key, value in z.items()}
        assert max(worst.values()) < 5, (name, worst)
        energies.append(z["energy"])
    assert 1e-4 < joint_p(energies, CHAINS) < 1 - 1e-4


def test_sequential_metropolis_fails_the_same_test():
    """The classic trap: sequential order with dE = 0 always accepted is not ergodic on a ring."""
    model, beta = MODELS["ring"], 1.0
    rng = np.random.default_rng(0)
    spins = rng.choice([-1, 1], (CHAINS, 8))
    energies = []
    for sweep in range(700):
        for i in range(8):
            cost = 2 * spins[:, i] * (spins[:, i - 1] + spins[:, (i + 1) % 8])
            accept = (cost <= 0) | (rng.random(CHAINS) < np.exp(-beta * cost))
            spins[:, i] *= np.where(accept, -1, 1)
        if sweep >= 200:
            energies.append(model.energy(spins) / 8)
    z = z_score(np.mean(energies, axis=0), ising.exact.ring(8, beta).energy.item())
    assert abs(z) > 5


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("make", [lambda: ising.chain(4), lambda: ising.square(4), lambda: ising.complete(4)])
def test_infinite_temperature_forgets_the_start(update, make):
    """From all spins up, at beta = 0, every state must become equally likely: parity and orbits are the traps."""
    model = ising.ferromagnet(make(), J=-1.0)
    n = model.lattice.n_sites
    data = ising.sample(
        model, 0.0, ising.Schedule(101, 1), update=update, chains=4096, seed=6, initial="up", progress=False
    )
    down = (data.spins.values < 0).sum(axis=-1).ravel()
    expected = stats.binom.pmf(np.arange(n + 1), n, 0.5) * down.size
    group = np.minimum(expected.cumsum(), (expected[::-1].cumsum())[::-1]) < 10
    keep = ~group
    observed = np.bincount(down, minlength=n + 1)
    merged = [np.r_[x[keep], x[group].sum()] if group.any() else x for x in (observed, expected)]
    assert stats.chisquare(*merged).pvalue > 1e-4


def test_wrong_temperature_fails_the_same_test(exact):
    model = MODELS["square"]
    data = ising.sample(model, 0.31, ising.Schedule(200, 500), chains=CHAINS, seed=1, progress=False)
    assert abs(z_score(data.energy.mean("draw").values, exact["square"].energy.sel(beta=0.3).item())) > 5


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("name", ["ring-field", "square-glass"])
def test_states_have_their_boltzmann_weights(update, name):
    """Chi-square of the final states of independent chains over all 2^n states, rare ones grouped."""
    model, beta, chains = MODELS[name], 0.4, 4096
    n = model.lattice.n_sites
    states = 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1
    weight = np.exp(-beta * model.energy(states))
    data = ising.sample(model, beta, ising.Schedule(60, 1), update=update, chains=chains, seed=9, progress=False)
    index = ((data.spins.values > 0) << np.arange(n)).sum(axis=-1).ravel()
    order = np.argsort(weight)
    expected = weight[order] / weight.sum() * chains
    _, group = np.unique((expected.cumsum() / 20).astype(int), return_inverse=True)  # about 20 or more expected in each
    observed = np.bincount(group, np.bincount(index, minlength=2**n)[order])
    assert 1e-4 < stats.chisquare(observed, np.bincount(group, expected)).pvalue < 1 - 1e-4
