"""P-bits against enumeration and Kaufman's torus, with every clock; delay, noise and read errors as they should be."""

from math import comb

import numpy as np
import pytest
from scipy.integrate import quad
from statistics_of_chains import joint_p, z_score

import ising
from ceas_physics.npu import Couplings, PBit, Realism, couplings_of
from ceas_physics.npu.anneal import control_ends
from ceas_physics.npu.p_bits import PBits
from ceas_physics.npu.reading import make_reader
from ceas_physics.npu.result import _unpack
from ceas_physics.npu.sweeps import Sweeps

BETAS = (0.0, 0.3, 0.8)
CLOCKS = ("poisson", "random", "sweep")


def _models():
    rng = np.random.default_rng(8)
    square, complete = ising.square(4), ising.complete(11)
    patch = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 5), (5, 6), (2, 7)]  # sites 8 and 9 are isolated
    star = [(0, k) for k in range(1, 10)]
    return {
        "ring-antiferromagnet": ising.ferromagnet(ising.chain(9), J=-1.0),
        "bimodal": ising.edwards_anderson(square, seed=3),
        "bimodal-field": ising.IsingModel(square, ising.edwards_anderson(square, seed=3).couplings, 0.4),
        "antiferromagnet-field": ising.IsingModel(ising.triangular(3), -1.0, -0.3),
        "star": ising.IsingModel(ising.from_bonds(10, star), np.where(np.arange(9) % 3, 0.7, -0.7), 0.1),
        "gaussian": ising.edwards_anderson(square, seed=3, distribution="gaussian"),
        "random-fields": ising.IsingModel(square, 0.5, rng.normal(size=16)),
        "isolated-sites": ising.IsingModel(ising.from_bonds(10, patch), rng.normal(size=8), rng.normal(size=10)),
        "sherrington-kirkpatrick": ising.sherrington_kirkpatrick(12, seed=4),
        "curie-weiss": ising.IsingModel(complete, 1 / 11, rng.normal(size=11)),
    }


MODELS = _models()


def unit_of(model, clock="poisson", realism=None, seed=1, rows=400, word=0):
    realism = realism or Realism()
    couplings, reader = couplings_of(model, realism, seed), make_reader(model, realism.readout_noise, None)
    if clock == "sweep":
        unit = Sweeps(model, reader, seed, word, rows, control_ends(PBit(), couplings)[1])
    else:
        unit = PBits(model, couplings, PBit(clock), realism, reader, seed, word, rows)
    unit.restart(0)
    return unit


def equilibrium(unit, beta, draws=400, thin=2, warmup=60):
    """Energies and magnetizations (draw, replica) at a fixed beta."""
    unit.run(np.full((1, 2), beta), np.array([warmup]))
    unit.run(np.full((draws, 2), beta), np.full(draws, thin))
    return unit.record.energy[:draws].copy(), unit.record.magnetization[:draws].copy()


def scores(model, exact, energy, magnetization, beta):
    n = model.lattice.n_sites
    fluctuation = (energy - n * exact.energy.item()) ** 2 * beta**2 / n
    pairs = [
        (energy / n, exact.energy.item()),
        (np.abs(magnetization), exact.magnetization_abs.item()),
        (n * magnetization**2, exact.susceptibility.item()),
        (fluctuation, exact.specific_heat.item()),
    ]
    return [float(z_score(values.mean(axis=0), value)) for values, value in pairs]


@pytest.mark.parametrize("clock", CLOCKS)
def test_every_clock_samples_the_boltzmann_distribution(clock):
    """Given the events, which do not depend on the spins, each event keeps the distribution: replicas that share them
    are uncorrelated in equilibrium, so their spread is the error."""
    z = []
    for name, model in MODELS.items():
        for beta in BETAS:
            exact = ising.exact.enumerate_model(model, beta)
            z += [scores(model, exact, *equilibrium(unit_of(model, clock), beta), beta)]
            assert np.abs(z[-1]).max() < 5, (name, beta, z[-1])
    assert joint_p(np.array(z)[:, 0], 64) > 1e-3  # one number a run: the four of a run are correlated


def test_a_wrong_beta_is_seen():
    model = MODELS["bimodal"]
    exact = ising.exact.enumerate_model(model, 0.3)
    assert np.abs(scores(model, exact, *equilibrium(unit_of(model), 0.31), 0.31)).max() > 5


@pytest.mark.parametrize("clock", CLOCKS)
def test_torus_against_kaufman(clock):
    z = []
    for size, beta in ((8, 0.44), (12, 0.3)):
        model = ising.ferromagnet(ising.square(size))
        energy, _ = equilibrium(unit_of(model, clock), beta, thin=3, warmup=400)
        z.append(float(z_score(energy.mean(axis=0) / size**2, ising.exact.kaufman(size, beta).energy.item())))
    assert np.abs(z).max() < 5
    assert joint_p(z, 64) > 1e-3


def test_clocks_count_their_events():
    model = MODELS["bimodal"]
    fixed, poisson = unit_of(model, "random"), unit_of(model, "poisson")
    for unit in (fixed, poisson):
        unit.run(np.full((300, 2), 0.3), np.full(300, 2))
    assert (np.diff(fixed.events) == 32).all()
    counts = np.diff(poisson.events)
    assert abs(counts.mean() - 32) < 5 * np.sqrt(32 / 299)
    assert abs(counts.var() / 32 - 1) < 5 * np.sqrt(2 / 299)


def test_replicas_that_share_events_are_uncorrelated_in_equilibrium():
    energy, _ = equilibrium(unit_of(MODELS["bimodal"]), 0.4, draws=400, thin=4)
    between = energy.mean(axis=1).var(ddof=1) / (energy.var() / 64)  # variance of the word's mean, 1 if independent
    assert abs(between - 1) < 5 * np.sqrt(2 / 100)  # at least 100 of the 400 draws are independent


def test_delay_biases_and_the_bias_vanishes_with_it():
    """Without delay no bias; with it a bias that falls with the delay, and a parabola through it ends at zero."""
    model, beta = ising.ferromagnet(ising.square(4)), 0.35
    exact = ising.exact.enumerate_model(model, beta).energy.item()
    means = []
    for delay in (0.0, 0.125, 0.25, 0.5, 1.0):
        energy, _ = equilibrium(unit_of(model, "random", Realism(delay=delay), rows=2000), beta, draws=2000)
        means.append(energy.mean(axis=0) / 16)
    bias = np.array(means).mean(axis=1) - exact
    error = np.array(means).std(axis=1, ddof=1) / 8
    assert abs(bias[0]) < 5 * error[0]
    assert (np.abs(bias[1:]) > 5 * error[1:]).all()
    assert (np.diff(np.abs(bias)) > 0).all()
    weights = np.array([8, -6, 1]) / 3
    assert abs(weights @ bias[1:4]) < 5 * np.sqrt(weights**2 @ error[1:4] ** 2)


@pytest.mark.parametrize("beta", [0.4, 1.5])
def test_noise_averages_the_response(beta):
    """One spin in a field: <s> is tanh(beta (h + noise)) averaged over four uniform numbers added up."""
    fields = np.linspace(-1, 1, 12)
    model = ising.IsingModel(ising.from_bonds(12, []), 1.0, fields)
    noise = 0.8
    unit = unit_of(model, realism=Realism(noise=noise), rows=2000)
    unit.run(np.full((2000, 2), beta), np.full(2000, 4))
    width = noise * couplings_of(model).scale

    def density(x):  # of the sum of four uniform numbers, scaled to variance 1
        t = 2 + x / np.sqrt(3)
        return sum((-1) ** k * comb(4, k) * max(t - k, 0) ** 3 for k in range(5)) / 6 / np.sqrt(3)

    ends = (-2 * np.sqrt(3), 2 * np.sqrt(3))
    means = [quad(lambda x, h=h: density(x) * np.tanh(beta * (h + width * x)), *ends)[0] for h in fields]
    exact = -float(np.dot(fields, means))
    assert abs(float(z_score(unit.record.energy.mean(axis=0), exact))) < 5
    without = -float(np.dot(fields, np.tanh(beta * fields)))
    assert abs(float(z_score(unit.record.energy.mean(axis=0), without))) > 5


def test_reads_agree_with_the_model():
    """Energy, magnetization, overlap and entropy of both forms of the read against plain numpy."""
    for name in ("bimodal-field", "star", "bimodal", "isolated-sites", "curie-weiss"):
        model, beta = MODELS[name], 0.7
        unit = unit_of(model)
        unit.run(np.full((1, 2), beta), np.array([3]))
        before = _unpack(unit.clock.words[:-1])
        unit.run(np.full((1, 2), beta), np.array([1]))
        spins = _unpack(unit.clock.words[:-1]).astype(float)
        record = unit.record
        np.testing.assert_allclose(record.energy[0], model.energy(spins), atol=1e-12)
        np.testing.assert_allclose(record.magnetization[0], spins.mean(axis=1), atol=1e-14)
        np.testing.assert_allclose(record.overlap[0], (spins * before).mean(axis=1), atol=1e-14)
        n, bonds = model.lattice.n_sites, model.lattice.bonds
        J = np.zeros((n, n))
        J[bonds[:, 0], bonds[:, 1]] = model.couplings
        local = spins @ (J + J.T) + model.fields
        up = 1 / (1 + np.exp(-2 * beta * local))
        entropy = -(up * np.log(up) + (1 - up) * np.log(1 - up)).mean(axis=1)
        np.testing.assert_allclose(record.entropy[0], entropy, atol=1e-6)
        slope = ((beta * local) ** 2 / np.cosh(beta * local) ** 2).mean(axis=1)
        np.testing.assert_allclose(record.slope[0], slope, atol=2e-6)


def test_best_is_the_lowest_read():
    model = MODELS["bimodal"]
    unit = unit_of(model, rows=50)
    unit.run(np.full((50, 2), 0.5), np.full(50, 1))
    record = unit.record
    np.testing.assert_array_equal(record.best, record.energy.min(axis=0))
    np.testing.assert_array_equal(record.lowest, np.minimum.accumulate(record.energy))
    np.testing.assert_array_equal(record.best_read, record.energy.argmin(axis=0))
    np.testing.assert_array_equal(model.energy(_unpack(record.best_words[:-1])), record.best)


def test_read_errors_flip_their_share():
    model = ising.ferromagnet(ising.square(16))
    for share in (0.01, 0.3):
        unit = unit_of(model, realism=Realism(readout_noise=share))
        unit.run(np.full((20, 2), 0.3), np.full(20, 1))
        wrong = (_unpack(unit.record.seen[:-1]) != _unpack(unit.clock.words[:-1])).mean()
        assert abs(wrong - share) < 5 * np.sqrt(share * (1 - share) / (64 * 256))


def test_dead_spins_never_move():
    model = ising.ferromagnet(ising.square(16))
    unit = unit_of(model, realism=Realism(dead=0.2))
    stuck = couplings_of(model, Realism(dead=0.2), 1).stuck
    assert 20 < (stuck != 0).sum() < 85
    unit.run(np.full((5, 2), 0.3), np.full(5, 20))
    spins = _unpack(unit.clock.words[:-1])
    assert (spins[:, stuck != 0] == stuck[stuck != 0]).all()
    assert (np.abs(spins[:, stuck == 0].mean(axis=0)) < 1).all()


def test_couplings_on_the_device():
    model = ising.edwards_anderson(ising.square(8), seed=1, distribution="gaussian")
    exact = couplings_of(model)
    assert isinstance(exact, Couplings)
    full = couplings_of(ising.sherrington_kirkpatrick(9, 1)).matrix()
    np.testing.assert_array_equal(full, full.T)
    assert exact.matrix().size == 0  # sparse graphs stay sparse
    rounded = couplings_of(model, Realism(bits=4))
    step = np.abs(model.couplings).max() / 7
    np.testing.assert_allclose(rounded.weights / step, np.rint(exact.weights / step), atol=1e-12)
    uneven = couplings_of(model, Realism(mismatch=0.05), seed=2)
    ratio = uneven.weights / exact.weights - 1
    assert abs(ratio.std() / 0.05 - 1) < 5 / np.sqrt(2 * 256)
    assert len(np.unique(uneven.weights)) == 256  # J_ij and J_ji differ
