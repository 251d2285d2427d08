"""Lane independence, spin glasses against exact sums, the 3D critical point, and the traps of random bits."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from statistics_of_chains import joint_p, z_score

import ising

CUBIC_CRITICAL_BETA = 0.221654626  # Ferrenberg, Xu and Landau 2018
UPDATES = ("heat_bath", "metropolis", "swendsen_wang", "wolff", "random_site")


def run(model, beta, schedule, **options):
    return ising.sample(model, beta, schedule, progress=False, **options)


# Lanes of a word


def autocorrelation(series, lags):
    """(..., draw) of zero mean -> (lags + 1,), averaged over the other axes."""
    n = series.shape[-1]
    rho = np.array([np.mean(series[..., : n - lag] * series[..., lag:]) for lag in range(lags + 1)])
    return rho / rho[0]


def pair_z(series):
    """(lane, draw) -> z of the correlation of every pair of lanes; var = (1 + 2 sum rho(t)^2) / draws (Bartlett)."""
    series = series - series.mean(axis=1, keepdims=True)
    tau = 1 + 2 * (autocorrelation(series, 20)[1:] ** 2).sum()
    pairs = np.triu_indices(len(series), 1)
    return np.corrcoef(series)[pairs] * np.sqrt(series.shape[1] / tau)


def overlap_z(spins):
    """(lane, draw, site) -> z of the mean overlap of every pair of lanes, which is 0 by symmetry."""
    z = []
    for a in range(len(spins) - 1):
        q = (spins[a] * spins[a + 1 :]).mean(axis=-1, dtype=np.float32)  # (later lanes, draw)
        tau = 1 + 2 * autocorrelation(q, 8)[1:].sum()
        z.append(q.mean(axis=1) / np.sqrt(np.mean(q**2) * tau / q.shape[1]))
    return np.concatenate(z)


def joint_chi_square(z):
    return stats.chi2.sf((z**2).sum(), df=z.size)


def independent(z):
    return np.abs(z).max() < 5.5 and 1e-4 < joint_chi_square(z) < 1 - 1e-4


@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
@pytest.mark.parametrize(
    "model",
    [ising.ferromagnet(ising.square(4)), ising.edwards_anderson(ising.cubic(3), seed=1)],
    ids=lambda model: model.name,
)
def test_lanes_of_a_word_are_independent(model, update):
    data = run(model, 0.2, ising.Schedule(100, 4000, thin=5), update=update, chains=64, seed=21, configurations=1)
    assert data.attrs["kernel"] == "bits"
    for name in ("energy", "magnetization"):
        assert independent(pair_z(data[name].values[0])), name
    assert independent(overlap_z(data.configurations.values[0]))


def reference_word(lanes, draws, shared_digits, thin=4):
    """Heat bath on a 4 x 4 torus in numpy at beta = 0.2; lane 1 takes the leading digits of lane 0's numbers."""
    rng = np.random.default_rng(3)
    spins = rng.choice([-1, 1], (lanes, 4, 4)).astype(np.int8)
    colour = np.indices((4, 4)).sum(axis=0) % 2
    kept = np.empty((lanes, draws, 16), np.int8)
    for sweep in range(thin * draws):
        for c in range(2):
            uniform = rng.random((lanes, 4, 4))
            scale = 2**shared_digits
            uniform[1] = (np.floor(uniform[0] * scale) + uniform[1] * scale % 1) / scale
            local = sum(np.roll(spins, shift, axis) for shift, axis in product((-1, 1), (1, 2)))
            spins = np.where((colour == c), np.where(uniform < 1 / (1 + np.exp(-0.4 * local)), 1, -1), spins)
        kept[:, sweep // thin] = spins.reshape(lanes, 16)
    return kept


@pytest.mark.parametrize(("shared_digits", "passes"), [(0, True), (1, False), (52, False)])
def test_shared_random_digits_are_seen(shared_digits, passes):
    """One shared digit in two of eight lanes must already fail; none must pass."""
    spins = reference_word(8, 2500, shared_digits)
    assert bool(independent(overlap_z(spins))) is passes


# Spin glasses against exact sums


@pytest.fixture(scope="module")
def torus_glass():
    """27 spins and its exact averages."""
    model = ising.edwards_anderson(ising.cubic(3), seed=11)
    return model, ising.exact.enumerate_model(model, [0.3, 0.6, 1.0])


@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
def test_cubic_glass_of_27_spins_is_enumeration(torus_glass, update):
    model, exact = torus_glass
    z = glass_z(model, exact, update)
    assert max(np.abs(value).max() for value in z.values()) < 5, z
    for name, value in z.items():
        assert joint_p(value, 128) > 1e-4, name


def test_one_reversed_bond_fails(torus_glass):
    model, exact = torus_glass
    couplings = model.couplings.copy()
    couplings[0] *= -1
    z = glass_z(ising.IsingModel(model.lattice, couplings), exact, "heat_bath")
    assert np.abs(z["energy"]).max() > 5


def glass_z(model, exact, update):
    betas = [0.3, 0.45, 0.6, 0.8, 1.0]
    data = run(model, betas, ising.Schedule(500, 4000, thin=2), update=update, exchange=True, chains=128, seed=22)
    data = data.sel(beta=exact.beta)
    heat = 27 * data.beta**2 * (data.energy - exact.energy) ** 2
    chi = 27 * data.magnetization**2
    pairs = {"energy": data.energy, "specific_heat": heat, "susceptibility": chi}
    return {name: z_score(value.mean("draw").values, exact[name].values) for name, value in pairs.items()}


def bar(width, length, seed):
    """A +-J bar: layers of width x width sites with periodic sides, free ends."""
    rng = np.random.default_rng(seed)
    site = np.arange(length * width**2).reshape(length, width, width)
    around = [np.stack([site, np.roll(site, -1, axis)], -1).reshape(length, -1, 2) for axis in (1, 2)]
    inside = np.concatenate(around, axis=1)  # (layer, bond, 2)
    along = np.stack([site[:-1], site[1:]], -1).reshape(length - 1, -1, 2)
    bonds = np.concatenate([inside.reshape(-1, 2), along.reshape(-1, 2)])
    signs = rng.choice([-1.0, 1.0], len(bonds))
    J_inside, J_along = np.split(signs, [inside.shape[0] * inside.shape[1]])
    model = ising.IsingModel(ising.from_bonds(site.size, bonds), signs)
    return model, (inside - site[:, 0, 0, None, None], J_inside.reshape(length, -1), J_along.reshape(length - 1, -1))


def transfer_matrix(layers, beta, width):
    """Mean and variance of H by sums of w, H w, H^2 w over the states of one layer, w = exp(-beta H)."""
    inside, J_inside, J_along = layers
    n = width**2
    spins = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n)[::-1] & 1).astype(np.int8)  # first site: leading bit
    total = np.array([np.ones(2**n), np.zeros(2**n), np.zeros(2**n)])
    for layer, (bonds, J) in enumerate(zip(inside, J_inside)):
        if layer:
            for site, J_site in enumerate(J_along[layer - 1]):
                old = total.reshape(3, 2**site, 2, -1)
                same, other = (weighted(old, -s * J_site, beta) for s in (1, -1))
                total = np.stack([same[:, :, 0] + other[:, :, 1], other[:, :, 0] + same[:, :, 1]], axis=2)
                total = total.reshape(3, -1)
        energy = -sum(J_b * (spins[:, a] * spins[:, b]) for (a, b), J_b in zip(bonds, J))
        total = weighted(total, energy, beta)
        total /= total[0].mean()
    z, e, e2 = total.sum(axis=1)
    return e / z, e2 / z - (e / z) ** 2


def weighted(total, energy, beta):
    """Add an energy to H in the sums of w, H w and H^2 w."""
    z, e, e2 = total
    return np.exp(-beta * energy) * np.array([z, e + energy * z, e2 + 2 * energy * e + energy**2 * z])


def test_transfer_matrix_is_enumeration():
    model, layers = bar(3, 2, seed=4)
    exact = ising.exact.enumerate_model(model, 0.7)
    energy, variance = transfer_matrix(layers, 0.7, 3)
    assert energy / 18 == pytest.approx(exact.energy.item(), rel=1e-12)
    assert 0.49 * variance / 18 == pytest.approx(exact.specific_heat.item(), rel=1e-9)


@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
def test_bar_with_free_ends_is_its_transfer_matrix(update):
    model, layers = bar(4, 8, seed=5)
    betas = np.array([0.3, 0.4, 0.5, 0.65, 0.8, 1.0])
    data = run(model, betas, ising.Schedule(1000, 4000, thin=2), update=update, exchange=True, seed=23)
    z = []
    for beta in (0.4, 0.8):
        energy, variance = transfer_matrix(layers, beta, 4)
        here = 128 * data.energy.sel(beta=beta)
        z.append(
            [z_score(x.mean("draw").values, exact) for x, exact in ((here, energy), ((here - energy) ** 2, variance))]
        )
    assert np.abs(z).max() < 5, z


# The critical point in three dimensions


def jackknife(data):
    """Energy, Binder parameter and xi / L with errors from the chains."""
    L = data.attrs.get("L", round(data.sizes["site"] ** (1 / 3)))
    means = [x.mean("draw").values[0] for x in (data.energy, data.magnetization**2, data.magnetization**4)]
    moments = np.array([*means, data.structure_factor.mean("draw").values[0]])  # (4, chain)
    k = moments.shape[1]

    def values(m):
        e, m2, m4, structure = m
        return np.array([e, 1 - m4 / (3 * m2**2), np.sqrt(L**3 * m2 / structure - 1) / (2 * L * np.sin(np.pi / L))])

    left_out = values((moments.sum(axis=1, keepdims=True) - moments) / (k - 1))
    full = values(moments.mean(axis=1))
    return k * full - (k - 1) * left_out.mean(axis=1), np.sqrt(k - 1) * left_out.std(axis=1)


def test_updates_agree_at_the_cubic_critical_point():
    model = ising.ferromagnet(ising.cubic(8))
    schedules = dict.fromkeys(UPDATES, ising.Schedule(1000, 4000, thin=5))
    schedules |= {"swendsen_wang": ising.Schedule(100, 3000), "wolff": ising.Schedule(100, 3000)}
    schedules["random_site"] = ising.Schedule(300, 100, thin=10)
    found = [
        jackknife(run(model, CUBIC_CRITICAL_BETA, schedules[update], update=update, chains=64, seed=24))
        for update in UPDATES
    ]
    values, errors = np.array(found).swapaxes(0, 1)  # (update, quantity)
    weights = errors**-2
    mean = (weights * values).sum(axis=0) / weights.sum(axis=0)
    p = stats.chi2.sf((weights * (values - mean) ** 2).sum(axis=0), df=len(UPDATES) - 1)
    assert ((p > 1e-4) & (p < 1 - 1e-4)).all(), (values, errors, p)
    # 0.46548 and 0.6431 for L = infinity; corrections of order L^-0.83 leave a few percent at L = 8
    np.testing.assert_allclose(mean[1:], [0.46548, 0.6431], rtol=0.06)


# Traps of random bits


def binomial_p(spins, p_up):
    """(sample, site) independent spins: chi-square of the 2^8 states of the first eight sites."""
    up = spins[:, :8] > 0
    observed = np.bincount((up << np.arange(8)).sum(axis=1), minlength=256)
    count = np.array([bin(state).count("1") for state in range(256)])
    expected = len(spins) * p_up**count * (1 - p_up) ** (8 - count)
    group = np.unique((expected[np.argsort(expected)].cumsum() / 20).astype(int), return_inverse=True)[1]
    order = np.argsort(expected)
    return stats.chisquare(np.bincount(group, observed[order]), np.bincount(group, expected[order])).pvalue


FREE = {
    "bits": (ising.square(6), "heat_bath", 64),
    "bits-degree-0": (ising.from_bonds(20, [(18, 19)]), "heat_bath", 64),
    "bits-metropolis": (ising.square(6), "metropolis", 64),
    "fields": (ising.square(6), "heat_bath", 64),
    "fields-metropolis": (ising.square(6), "metropolis", 64),
    "space": (ising.square(128), "heat_bath", 2),
    "swendsen_wang": (ising.square(6), "swendsen_wang", 64),
    "wolff": (ising.square(6), "wolff", 64),
}


@pytest.mark.parametrize("p_up", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("case", FREE)
def test_free_spins_with_p_a_power_of_two(case, p_up):
    """P(up) = 1 / (1 + exp(-2 beta h)): h = ln(3) / (2 beta) gives exactly 3/4; beta = 0 gives 1/2."""
    lattice, update, chains = FREE[case]
    beta, h = (1.0, np.sign(p_up - 0.5) * np.log(3) / 2) if p_up != 0.5 else (0.0, 1.0)
    kernel = case.split("-")[0]
    J = np.zeros(lattice.n_bonds)
    fields = np.full(lattice.n_sites, h)
    if kernel == "fields":
        fields[-1] += 1.0  # no longer uniform
    model = ising.IsingModel(lattice, J, fields)
    thin = {"heat_bath": 1, "metropolis": 64, "swendsen_wang": 8, "wolff": 12}[update]
    draws = 50 if kernel == "space" else 1000 if thin == 1 else 300
    data = run(model, beta, ising.Schedule(64, draws, thin), update=update, chains=chains, seed=25, configurations=1)
    assert data.attrs["kernel"].split(",")[0] == (kernel if kernel in ("bits", "fields", "space") else "clusters")
    spins = data.configurations.values[0].reshape(-1, lattice.n_sites)
    if kernel == "space":
        spins = spins.reshape(-1, 8)  # draws are independent, and so are sites
    assert 1e-4 < binomial_p(spins, p_up) < 1 - 1e-4
    if update == "heat_bath" and kernel != "space":
        series = data.configurations.values[0, :, :, :8] - (2 * p_up - 1)  # no memory from sweep to sweep
        memory = np.mean(series[:, 1:] * series[:, :-1]) / (4 * p_up * (1 - p_up)) * np.sqrt(series[:, 1:].size)
        assert abs(memory) < 5


@pytest.mark.parametrize("J", [1.0, -1.0])
@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("n", [8, 9])
def test_ring_whose_probabilities_are_all_quarters(n, update, J):
    """exp(4 beta) = 3: P(up) is 1/4, 1/2 or 3/4, and a satisfied bond is active with p = 1 - 1/sqrt(3)."""
    beta = np.log(3) / 4
    draws = 1000 if update == "random_site" else 4000
    data = run(
        ising.ferromagnet(ising.chain(n), J), beta, ising.Schedule(100, draws), update=update, chains=64, seed=26
    )
    exact = ising.exact.ring(n, beta, J=J)
    heat = n * beta**2 * (data.energy - exact.energy.item()) ** 2
    assert abs(z_score(data.energy.mean("draw").values[0], exact.energy.item())) < 5
    assert abs(z_score(heat.mean("draw").values[0], exact.specific_heat.item())) < 5


@pytest.mark.parametrize("J", [1.0, -1.0])
@pytest.mark.parametrize("update", UPDATES)
def test_beta_zero(update, J):
    """e has mean 0 and variance (bonds / n^2) J^2, m variance 1 / n."""
    schedule = ising.Schedule(50, 1000, 20) if update in ("heat_bath", "metropolis") else ising.Schedule(50, 150, 10)
    data = run(ising.ferromagnet(ising.square(6), J), 0.0, schedule, update=update, chains=64, seed=27)
    z = [
        z_score(value.mean("draw").values[0], exact)
        for value, exact in (
            (data.energy, 0.0),
            (data.energy**2, 2 / 36),
            (data.energy**3, 0.0),
            (data.magnetization, 0.0),
            (data.magnetization**2, 1 / 36),
            (data.structure_factor, 1.0),
        )
    ]
    assert np.abs(z).max() < 5, z


@pytest.mark.parametrize("beta", [50.0, 1e6])
@pytest.mark.parametrize("J", [1.0, -1.0])
@pytest.mark.parametrize("update", UPDATES)
def test_a_frozen_ground_state_stays(update, J, beta):
    lattice = ising.square(6)
    ground = np.where(lattice.coordinates.sum(axis=1) % 2, J, 1)
    data = run(ising.ferromagnet(lattice, J), beta, ising.Schedule(10, 500), update=update, chains=8, initial=ground)
    np.testing.assert_array_equal(data.energy, -2.0)
    if update in ("heat_bath", "metropolis", "random_site"):
        np.testing.assert_array_equal(data.spins[0], np.broadcast_to(ground, (8, 36)))


@pytest.mark.parametrize("J", [1.0, -1.0])
@pytest.mark.parametrize("update", ["heat_bath", "metropolis", "random_site"])
@pytest.mark.parametrize("make", [lambda: ising.square(6), lambda: ising.triangular(6)])
def test_frozen_energies_never_rise(make, update, J):
    model = ising.ferromagnet(make(), J)
    data = run(model, 1e3, ising.Schedule(0, 300), update=update, chains=64, seed=28)
    assert (np.diff(data.energy, axis=-1) < 1e-12).all()
    flips = (run(model, 1e3, ising.Schedule(0, 300), update=update, chains=64, seed=29).energy != data.energy).any()
    assert flips


@pytest.mark.parametrize("update", UPDATES)
def test_the_wall_of_a_frozen_odd_ring_walks(update):
    """Nine frozen antiferromagnetic spins keep one broken bond, which must be equally often at each of the nine."""
    model = ising.ferromagnet(ising.chain(9), J=-1.0)
    data = run(model, 40.0, ising.Schedule(300, 1), update=update, chains=2048, seed=30)
    np.testing.assert_allclose(data.energy, -7 / 9)
    spins = data.spins.values[0]
    broken = (spins == np.roll(spins, -1, axis=1)).argmax(axis=1)
    assert stats.chisquare(np.bincount(broken, minlength=9)).pvalue > 1e-4
    assert stats.binomtest(int((spins[:, 0] > 0).sum()), 2048).pvalue > 1e-4


def test_word_boundaries_and_chain_numbers():
    """Chains of different words are independent too."""
    data = run(
        ising.ferromagnet(ising.square(4)), 0.2, ising.Schedule(50, 2000, 5), update="heat_bath", chains=160, seed=31
    )
    assert independent(pair_z(data.energy.values[0]))
