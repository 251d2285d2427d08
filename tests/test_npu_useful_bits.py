import numpy as np
import pytest

import ising
from ceas_physics.npu.useful_bits import useful_bits

SCHEDULE = ising.Schedule(200, 300, thin=2)


def exact_bits(model, beta):
    """N^2 / sum_ij <s_i s_j>^2 by enumeration."""
    n = model.lattice.n_sites
    spins = 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1
    energy = model.energy(spins)
    weights = np.exp(-beta * (energy - energy.min()))
    correlation = np.einsum("v,vi,vj->ij", weights / weights.sum(), spins, spins)
    return n**2 / np.sum(correlation**2)


def test_against_enumeration():
    models = {
        "ring": ising.ferromagnet(ising.chain(9)),
        "square": ising.ferromagnet(ising.square(3)),
        "glass": ising.edwards_anderson(ising.square(3), seed=1),
        "tree": ising.ferromagnet(ising.hyperbolic(3, 7, 1)),
    }
    found = useful_bits(models, 0.3, SCHEDULE, seed=1)
    exact = np.array([exact_bits(model, 0.3) for model in models.values()])
    z = (found.useful_bits.values - exact) / found.useful_bits_error.values
    assert np.abs(z).max() < 5
    assert np.sum(z**2) < 20
    np.testing.assert_allclose(found.couplings_per_bit * found.useful_bits, found.n_bonds, rtol=1e-12)


def test_limits():
    """Free spins are all useful; a long ring has N (1 - t^2) / (1 + t^2) bits, t = tanh beta, and xi = -1 / ln t."""
    ring = ising.ferromagnet(ising.chain(400))
    found = useful_bits({"free": ring, "warm": ring}, {"free": 0.0, "warm": 0.8}, SCHEDULE, seed=2)
    t = np.tanh(0.8)
    exact = np.array([400, 400 * (1 - t**2) / (1 + t**2)])
    assert (np.abs(found.useful_bits.values - exact) / found.useful_bits_error.values).max() < 5
    length, error = float(found.correlation_length[1]), float(found.correlation_length_error[1])
    assert abs(length + 1 / np.log(t)) < 5 * error
    assert error < 0.1 * length
    assert np.isnan(found.correlation_length[0])


def test_ordered_phase_holds_one_bit():
    model = ising.ferromagnet(ising.square(12))
    found = useful_bits({"cold": model}, 1.0, SCHEDULE, pairs=4, update="swendsen_wang")
    assert float(found.useful_bits[0]) == pytest.approx(1, abs=0.01)
    assert float(found.couplings_per_bit[0]) == pytest.approx(288, rel=0.01)


def test_correlation_length_of_the_square_lattice():
    """1/xi = ln coth(beta) - 2 beta along the axes, exact for the infinite lattice."""
    beta = 0.38
    found = useful_bits({32: ising.ferromagnet(ising.square(32))}, beta, ising.Schedule(300, 200, thin=4), seed=3)
    exact = 1 / (np.log(1 / np.tanh(beta)) - 2 * beta)
    assert abs(float(found.correlation_length[0]) - exact) < 5 * float(found.correlation_length_error[0])


def test_bad_input_is_named():
    model = ising.ferromagnet(ising.chain(8))
    with pytest.raises(ValueError, match="one system or more"):
        useful_bits({}, 0.1)
    with pytest.raises(ValueError, match="no entry for 'b'"):
        useful_bits({"a": model, "b": model}, {"a": 0.1})
    with pytest.raises(ValueError, match="pairs must be an integer >= 2"):
        useful_bits({"a": model}, 0.1, pairs=1)
