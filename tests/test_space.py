"""Space in bits: a slow reference bit for bit, exact energies, other kernels, the observables' definitions."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from statistics_of_chains import joint_p, z_score

import ising
from ising import tables
from ising.space import SpaceUnit, fits_space, pack, space_digits, unpack
from ising.streams import Purpose, wide_states

NAMES = ("energy", "magnetization", "structure_factor")


def unit(model, beta, chain=0, update="heat_bath", initial="random", seed=1):
    return SpaceUnit(model, update, 0, beta, chain, seed, 0, initial)


def draws(one, n, names=NAMES[:2], thin=1):
    results = {name: np.full((1, one.chain + 1, n), np.nan) for name in names}
    one.draw(results, 0, n, thin)
    return {name: values[0, one.chain] for name, values in results.items()}


def means(model, beta, n_chains, warm_up, n, update="heat_bath", initial="random"):
    """Energy and magnetization series, (n_chains, n) each."""
    series = {name: np.empty((1, n_chains, n)) for name in NAMES[:2]}
    for chain in range(n_chains):
        one = unit(model, beta, chain, update, initial)
        one.warm_up(warm_up)
        one.draw(series, 0, n, 1)
    return series["energy"][0], series["magnetization"][0]


def reference_sweep(spins, probability, generators):
    """The same algorithm, one decision at a time: spins (n_slabs, L, L) of +-1 in place, probability(up_count, old)."""
    n_slabs, L, _ = spins.shape
    n_words = L // 128
    y_of, w_of = np.divmod(np.arange(L * n_words), n_words)
    bit = np.arange(64)
    for colour, z in product(range(2), range(n_slabs)):
        for start in range(0, L * n_words, 8):
            y = y_of[start : start + 8, None]  # (8 words, 1)
            x = 2 * (bit * n_words + w_of[start : start + 8, None]) + (z + y + colour) % 2  # (8 words, 64 bits)
            places = [(z, y, (x + 1) % L), (z, y, x - 1), (z, (y + 1) % L, x), (z, y - 1, x)]
            if n_slabs > 1:
                places += [((z + 1) % n_slabs, y, x), (z - 1, y, x)]
            count = sum((spins[place] > 0).astype(int) for place in places)
            threshold = np.floor(probability(count, spins[z, y, x]) * 2.0**52 + 0.5).astype(np.int64)
            threshold = np.minimum(threshold, 2**52 - 1)
            undecided, up = np.ones(x.shape, bool), np.zeros(x.shape, bool)
            for digit in range(51, -1, -1):
                random = np.array([g.random_raw() for g in generators], np.uint64)
                mine = (random[:, None] >> bit.astype(np.uint64) & np.uint64(1)).astype(bool)
                wanted = (threshold >> digit & 1).astype(bool)
                up |= undecided & wanted & ~mine
                undecided &= wanted == mine
                if not undecided.any():
                    break
            spins[z, y, x] = np.where(up, 1, -1)


def reference_probability(update, beta, J, h, degree):
    def probability(count, old):
        field = J * (2 * count - degree) + h
        if update == "heat_bath":
            return 1 / (1 + np.exp(-2 * beta * field))
        flip = 15 / 16 * np.minimum(1, np.exp(-2 * beta * old * field))
        return np.where(old > 0, 1 - flip, flip)

    return probability


def sfc64(state):
    generator = np.random.SFC64()
    content = generator.state
    content["state"]["state"] = state.copy()
    content["has_uint32"] = 0
    generator.state = content
    return generator


@pytest.mark.parametrize(
    ("lattice", "update", "beta", "J", "h", "sweeps"),
    [
        (ising.square(128), "heat_bath", 0.44, 1.0, 0.0, 4),
        (ising.square(128), "metropolis", 0.3, -1.0, 0.2, 4),
        (ising.square(128), "heat_bath", 0.0, 1.0, 0.0, 2),
        (ising.square(384), "heat_bath", 0.7, -0.5, 0.3, 2),
        (ising.square(1024), "metropolis", 0.4, 1.0, 0.0, 1),
        (ising.square(1152), "heat_bath", 0.5, 1.0, -0.1, 1),
        (ising.cubic(128), "metropolis", 0.2, 1.0, 0.1, 1),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_equals_the_slow_reference_bit_for_bit(lattice, update, beta, J, h, sweeps):
    one = unit(ising.ferromagnet(lattice, J, h), beta, 3, update)
    L = lattice.attrs["L"]
    spins = one.configurations()[0][2].reshape(-1, L, L)
    generators = [sfc64(one.rng[:, lane]) for lane in range(8)]
    for _ in range(sweeps):
        reference_sweep(spins, reference_probability(update, beta, J, h, 2 * lattice.dimension), generators)
    one.warm_up(sweeps)
    np.testing.assert_array_equal(one.configurations()[0][2], spins.reshape(1, -1))
    np.testing.assert_array_equal(one.rng[3], [g.state["state"]["state"][3] for g in generators])


def test_wide_streams_are_the_ones_numpy_would_seed():
    state = wide_states(5, Purpose.SAMPLING, [(1, 2), (1, 3)])
    assert state.shape == (2, 4, 8)
    assert np.unique(state[:, :3]).size == 48
    seeds = np.random.SeedSequence(5, spawn_key=(int(Purpose.SAMPLING), 1, 3)).generate_state(24, np.uint64)
    for lane in range(8):
        fresh = sfc64(np.array([seeds[lane], seeds[8 + lane], seeds[16 + lane], 1], np.uint64))
        fresh.random_raw(12)
        np.testing.assert_array_equal(fresh.state["state"]["state"], state[1, :, lane])


@pytest.mark.parametrize("lattice", [ising.square(256), ising.square(1152), ising.cubic(128)], ids=lambda x: x.name)
def test_packing_round_trip(lattice):
    spins = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), lattice.n_sites)
    planes = pack(spins, lattice.attrs["L"], lattice.dimension)
    np.testing.assert_array_equal(unpack(planes), spins)
    assert planes[:, :, 1:-1].size * 64 == lattice.n_sites
    one = unit(ising.ferromagnet(lattice), 0.3, initial=spins[None, None])
    np.testing.assert_array_equal(one.configurations()[0][2][0], spins)


@pytest.mark.parametrize(
    "lattice", [ising.square(128), ising.square(384), ising.square(1152), ising.cubic(128)], ids=lambda x: x.name
)
@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
def test_observables_are_those_of_the_final_configuration(lattice, update):
    model = ising.ferromagnet(lattice, -0.7, 0.3)
    one = unit(model, 0.35, update=update)
    measured = {name: values[-1] for name, values in draws(one, 5, NAMES, thin=2).items()}
    spins = one.configurations()[0][2][0].astype(float)
    n, L, d = lattice.n_sites, lattice.attrs["L"], lattice.dimension
    modes = [np.fft.fft(spins.reshape((L,) * d).sum(tuple(set(range(d)) - {axis})))[1] for axis in range(d)]
    assert measured["energy"] == pytest.approx(model.energy(spins) / n, abs=1e-12)
    assert measured["magnetization"] == pytest.approx(spins.mean(), abs=1e-12)
    assert measured["structure_factor"] == pytest.approx(np.mean(np.abs(modes) ** 2) / n, rel=1e-9)


def test_energies_and_specific_heats_are_kaufmans():
    betas = [0.2, 0.3, 0.38, 0.5, 0.6]
    exact = ising.exact.kaufman(128, betas)
    z = []
    for k, beta in enumerate(betas):
        model = ising.ferromagnet(ising.square(128), 1.0 if k % 2 else -1.0)  # the antiferromagnet has the same energy
        initial = "random" if beta < 0.44 else np.where(np.indices((128, 128)).sum(0) % 2, model.couplings, 1).ravel()
        initial = initial if isinstance(initial, str) else np.broadcast_to(initial, (1, 32, 128**2))
        energy, _ = means(model, beta, 32, 1_500, 7_500, "metropolis" if k == 2 else "heat_bath", initial)
        heat = beta**2 * 128**2 * ((energy - exact.energy.values[k]) ** 2).mean(axis=1)
        z += [z_score(energy.mean(axis=1), exact.energy.values[k])]
        z += [z_score(heat, exact.specific_heat.values[k])]  # about the exact mean, so each chain is unbiased
        assert heat.std(ddof=1) / 32**0.5 < 0.01 * exact.specific_heat.values[k]
    assert np.abs(z).max() < 4, z
    assert 1e-4 < joint_p(z[::2], 32) < 1 - 1e-4
    assert 1e-4 < joint_p(z[1::2], 32) < 1 - 1e-4


@pytest.mark.validate
@pytest.mark.parametrize(("beta", "update"), [(0.0, "heat_bath"), (0.4, "heat_bath"), (0.4, "metropolis")])
def test_a_hundred_billion_updates_do_not_drift(beta, update):
    exact = float(ising.exact.kaufman(1024, beta).energy.item()) if beta else 0.0
    energy, _ = means(ising.ferromagnet(ising.square(1024)), beta, 16, 500, 9_000, update)
    chain_means = energy.mean(axis=1)
    assert chain_means.std(ddof=1) / 4 < 3e-5
    assert abs(z_score(chain_means, exact)) < 4
    assert abs(z_score(energy[:, :900].mean(axis=1) - energy[:, -900:].mean(axis=1), 0.0)) < 4


@pytest.mark.parametrize(("make", "L", "beta", "J", "h"), [
    (ising.square, 16, 0.25, 1.0, 0.3), (ising.square, 16, 0.3, -1.0, 0.5), (ising.cubic, 8, 0.12, 1.0, -0.2),
])  # fmt: skip
def test_with_a_field_equals_random_site_on_a_smaller_torus(make, L, beta, J, h):
    """Correlations reach about one site here, so L = 8 and L = 128 agree within the errors."""
    small = ising.sample(
        ising.ferromagnet(make(L), J, h), beta, ising.Schedule(100, 800), update="random_site", chains=16, seed=3,
        observables=["energy", "magnetization"], progress=False,
    )  # fmt: skip
    n_draws = 400 if make is ising.square else 20
    for update in ("heat_bath", "metropolis"):
        large = means(ising.ferromagnet(make(128), J, h), beta, 8, 50, n_draws, update)
        for name, series in zip(NAMES[:2], large, strict=True):
            a, b = small[name].mean("draw").values.ravel(), series.mean(axis=1)
            error = np.hypot(a.std(ddof=1) / len(a) ** 0.5, b.std(ddof=1) / len(b) ** 0.5)
            assert abs(a.mean() - b.mean()) < 5 * error, (update, name)


@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
def test_infinite_temperature_forgets_the_start(update):
    energy, moment = means(ising.ferromagnet(ising.square(128)), 0.0, 16, 300, 2_000, update, initial="up")
    assert abs(z_score(energy.mean(axis=1), 0.0)) < 5
    assert abs(z_score(moment.mean(axis=1), 0.0)) < 5
    assert 128**2 * (energy**2).mean() == pytest.approx(2.0, abs=0.1)  # two bonds a site; the error is 0.02
    assert 128**2 * (moment**2).mean() == pytest.approx(1.0, abs=0.05)


def test_negative_control_a_certain_flip_never_forgets(monkeypatch):
    monkeypatch.setattr(tables, "LAZINESS", 1.0)
    _, moment = means(ising.ferromagnet(ising.square(128)), 0.0, 1, 300, 10, "metropolis", initial="up")
    assert (np.abs(moment) > 0.999).all()


@pytest.mark.parametrize("update", ["heat_bath", "metropolis"])
def test_ground_states_stay_when_frozen(update):
    up = draws(unit(ising.ferromagnet(ising.square(256)), 1e6, update=update, initial="up"), 200)
    assert (up["magnetization"] == 1).all()
    assert (up["energy"] == -2).all()
    board = (1 - 2 * (np.indices((256, 256)).sum(0) % 2)).astype(np.int8).reshape(1, 1, -1)
    one = unit(ising.ferromagnet(ising.square(256), -1.0, 0.1), 1e3, update=update, initial=board)
    assert (draws(one, 200)["energy"] == -2).all()
    np.testing.assert_array_equal(one.configurations()[0][2], board[0])


def test_digits_spell_the_probabilities():
    for update, h, degree in product(("heat_bath", "metropolis"), (0.0, 0.37), (4, 6)):
        digits = space_digits(update, 0.41, -0.8, h, degree)
        probability = reference_probability(update, 0.41, -0.8, h, degree)
        for count, old in product(range(degree + 1), (0, 1)):
            terms = [(part, k) for part in range(digits.shape[1]) for k in range(8) if count & k == k and part <= old]
            bits = [bool(np.bitwise_xor.reduce([row[t] for t in terms])) for row in digits]
            value = sum(2.0 ** -(place + 1) for place, bit in enumerate(bits) if bit)
            assert value == pytest.approx(float(probability(count, 2 * old - 1)), abs=2.0**-52)


def test_pieces_of_a_run_and_other_chains():
    model = ising.ferromagnet(ising.square(128))
    whole = draws(unit(model, 0.4), 10, thin=2)["energy"]
    one = unit(model, 0.4)
    pieces = {"energy": np.empty((1, 1, 10))}
    one.draw(pieces, 0, 3, 2)
    one.draw(pieces, 3, 10, 2)
    np.testing.assert_array_equal(pieces["energy"][0, 0], whole)
    assert (draws(unit(model, 0.4, chain=1), 10, thin=2)["energy"] != whole).all()


def test_memory_is_a_bit_a_spin_and_the_lattice_is_never_built():
    lattice = ising.square(8192)
    tracemalloc.start()
    one = unit(ising.ferromagnet(lattice), 0.4)
    draws(one, 1, NAMES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < lattice.n_sites / 8 + 2**24
    assert not {"bonds", "coordinates", "neighbors", "degree"} & set(vars(lattice))
    assert "layers" not in vars(lattice.momentum)


def test_what_fits():
    assert fits_space(ising.ferromagnet(ising.hypercubic(128, 3), -1.0, 0.5))
    assert fits_space(ising.ferromagnet(ising.hypercubic(256, 2)))
    square = ising.square(128)
    misfits = [
        ising.ferromagnet(ising.square(100)),
        ising.ferromagnet(ising.triangular(128)),
        ising.ferromagnet(ising.chain(128)),
        ising.IsingModel(square, 1.0, np.arange(square.n_sites)),
        ising.edwards_anderson(square, seed=1),
        ising.ferromagnet(ising.from_bonds(4, [(0, 1)], name="square(128)", dimension=2)),
    ]
    assert not any(fits_space(model) for model in misfits)
    with pytest.raises(ValueError, match="128"):
        unit(misfits[0], 0.4)
    with pytest.raises(ValueError, match="update"):
        unit(ising.ferromagnet(square), 0.4, update="wolff")
