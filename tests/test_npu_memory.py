import numpy as np
import pytest

import ising
from ceas_physics.npu import memory
from ceas_physics.npu.memory_kernels import descend, pattern_sums


def draw_patterns(n_patterns, n_sites, seed):
    return np.random.default_rng(seed).choice([-1, 1], (n_patterns, n_sites))


def test_couplings():
    xi = draw_patterns(4, 12, 1)
    lattice = ising.complete(12)
    model = memory.memory_model(lattice, xi)
    np.testing.assert_allclose(model.couplings * 11, ising.hopfield(xi).couplings * 12, atol=1e-12)
    sparse = memory.memory_model(ising.square(4), draw_patterns(3, 16, 2))
    i, j = sparse.lattice.bonds[5]
    assert sparse.couplings[5] == pytest.approx(
        np.sum(draw_patterns(3, 16, 2)[:, i] * draw_patterns(3, 16, 2)[:, j]) / 4
    )


def test_relaxation_ends_in_a_local_minimum_and_only_goes_down():
    rng = np.random.default_rng(3)
    lattice = ising.random_regular(200, 5, seed=1)
    model = ising.IsingModel(lattice, rng.normal(size=lattice.n_bonds), rng.normal(size=200))
    start = rng.choice([-1, 1], (10, 200))
    final = memory.relax(model, start, seed=4)
    assert (model.energy(final) < model.energy(start)).all()
    for site in range(200):
        flipped = final.copy()
        flipped[:, site] *= -1
        assert (model.energy(flipped) >= model.energy(final) - 1e-9).all()
    np.testing.assert_array_equal(memory.relax(model, final), final)


def test_compiled_equals_plain():
    xi = np.ascontiguousarray(draw_patterns(5, 30, 5).T.astype(np.int8))
    lattice = ising.random_regular(30, 4, seed=2)
    compiled, plain = np.empty(60), np.empty(60)
    pattern_sums(xi, lattice.bonds, compiled)
    pattern_sums.py_func(xi, lattice.bonds, plain)
    np.testing.assert_array_equal(compiled, plain)
    couplings = plain[lattice.neighbor_bonds]
    states = []
    for function in (descend, descend.py_func):
        spins = np.random.default_rng(6).choice(np.array([-1, 1], dtype=np.int8), 30)
        function(lattice.neighbors, couplings, np.full(30, 0.5), 1e-9, np.arange(30), spins)
        states.append(spins)
    np.testing.assert_array_equal(*states)


def test_one_pattern_is_a_ferromagnet_after_a_gauge_transformation():
    data = memory.retrieval(ising.complete(400), [1], draws=4, overlap=0.3, seed=7)
    assert (data.overlap == 1).all()
    assert data.bits_per_coupling.values == pytest.approx(400 / (400 * 399 / 2))
    for lattice in (ising.square(8), ising.hyperbolic(3, 7, 3), ising.random_regular(60, 3, seed=1)):
        assert (memory.retrieval(lattice, [1], draws=2, seed=8).overlap == 1).all()


def test_mean_field_equations():
    """The three equations of Amit, Gutfreund and Sompolinsky hold at the overlap given."""
    from scipy.special import erfinv

    for load in (0.02, 0.08, 0.137):
        m = memory.mean_field_overlap(load)
        x = erfinv(m)
        r = (m / x) ** 2 / (2 * load)
        C = np.sqrt(2 / (np.pi * load * r)) * np.exp(-(m**2) / (2 * load * r))
        assert r == pytest.approx((1 - C) ** -2, rel=1e-6)
    assert memory.mean_field_capacity() == pytest.approx(0.13790556, abs=1e-7)
    assert memory.mean_field_overlap(0.1379) == pytest.approx(0.967, abs=0.002)


def test_retrieval_below_capacity_and_collapse_above():
    """N = 2000: the overlap of mean-field theory at load 0.11; nothing is left at 0.2, where theory has no solution."""
    data = memory.retrieval(ising.complete(2_000), [220, 400], draws=3, starts=4, seed=9)
    below, above = data.isel(memory_load=0), data.isel(memory_load=1)
    error = float(below.overlap.std("draw", ddof=1)) / np.sqrt(3)
    expected = memory.mean_field_overlap(float(below.memory_load))
    assert float(below.overlap.mean()) == pytest.approx(expected, abs=5 * error)
    assert (below.retrieved == 1).all()
    assert (above.retrieved == 0).all()
    assert float(above.overlap.mean()) < 0.5
    stored = 2 * 220 / 1999 * 0.95
    assert (below.bits_per_coupling > stored * 0.98).all()


def test_sparse_graphs_hold_few_patterns_with_small_basins():
    """Degree 4: three patterns are stable and four are not, on a hyperbolic map as on the square lattice; from overlap
    0.5 one is found again and two are not. A random graph of degree 20 gives back all of 4, and none of 12."""
    for lattice in (ising.closed_hyperbolic(5, 4, n_sites=1710), ising.square(40)):
        near = memory.retrieval(lattice, [3, 4], draws=4, starts=3, seed=3)
        assert (near.retrieved[0] == 1).all()
        assert (near.retrieved[1] < 0.5).all()
        far = memory.retrieval(lattice, [1, 2], draws=4, starts=2, overlap=0.5, seed=3)
        assert float(far.retrieved[0].mean()) > 0.5
        assert (far.retrieved[1] == 0).all()
    diluted = memory.retrieval(ising.random_regular(2_000, 20, seed=1), [4, 12], draws=3, overlap=0.5, seed=3)
    assert (diluted.retrieved[0] == 1).all()
    assert (diluted.retrieved[1] == 0).all()


@pytest.mark.validate
def test_capacity_tends_to_that_of_theory():
    """Half-retrieval shifts as N^(-1/2) towards 0.138 to 0.144 (replica symmetry and its breaking)."""
    plan = {
        500: ((0.15, 0.17, 0.19, 0.21), 64),
        1_000: ((0.14, 0.155, 0.17, 0.19), 48),
        2_000: ((0.14, 0.15, 0.16, 0.17), 24),
        4_000: ((0.14, 0.15, 0.16, 0.17), 10),
    }
    found = []
    for n, (loads, draws) in plan.items():
        data = memory.retrieval(ising.complete(n), [round(load * n) for load in loads], draws=draws, seed=1)
        found.append(memory.capacity(data))
    values, errors = np.array([[c.value, c.error] for c in found]).T
    design = np.stack([np.ones(4), np.array(list(plan), float) ** -0.5], axis=1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    limit, slope = covariance @ design.T @ (values / errors)
    assert slope > 0
    assert 0.138 - 4 * covariance[0, 0] ** 0.5 < limit < 0.144 + 4 * covariance[0, 0] ** 0.5
    assert (np.diff(values) < 0).all()


def test_capacity_of_made_up_shares():
    data = memory.retrieval(ising.complete(50), [2, 5, 8], draws=4, seed=1)
    data["retrieved"][:] = np.array([[1, 1, 1, 1], [0.75, 0.75, 0.75, 0.75], [0.25, 0.25, 0.25, 0.25]])
    found = memory.capacity(data)
    assert found.value == pytest.approx(6.5 / 49)
    assert found.error == pytest.approx(0, abs=1e-12)
    data["retrieved"][1] = [1, 0.5, 1, 0.5]
    assert memory.capacity(data).error > 0
    with pytest.raises(ValueError, match="fall through 1/2"):
        memory.capacity(data.isel(memory_load=[0, 1]))
    with pytest.raises(ValueError, match="at least 2 draws"):
        memory.capacity(data.isel(draw=[0]))


def test_realisation_k_is_the_same_however_many_are_drawn():
    lattice = ising.random_regular(300, 20, seed=1)
    few, many = (memory.retrieval(lattice, [3, 6], draws=k, overlap=0.8, seed=3) for k in (2, 4))
    assert few.overlap.equals(many.overlap.isel(draw=slice(2)))
    swapped = memory.retrieval(lattice, [6, 3], draws=2, overlap=0.8, seed=3)
    assert few.overlap.equals(swapped.overlap.isel(memory_load=[1, 0]))


def test_bad_input_is_named():
    lattice = ising.square(4)
    for call, words in (
        (lambda: memory.memory_model(lattice, np.ones((2, 5))), r"shape \(n_patterns, 16\)"),
        (lambda: memory.memory_model(ising.from_bonds(3, []), np.ones((1, 3))), "no bonds"),
        (lambda: memory.relax(ising.ferromagnet(lattice), np.zeros(16)), r"spins must be .* of \+1 and -1"),
        (lambda: memory.retrieval(lattice, [0]), "n_patterns must be an integer >= 1"),
        (lambda: memory.retrieval(lattice, [1], overlap=0.0), "overlap must be finite and > 0 and <= 1"),
        (lambda: memory.mean_field_overlap(0.2), "no pattern is retrieved"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
