import numpy as np
import pytest

import ising
from ceas_physics.npu.ground_states import cylinder, planar_ground_state, torus_ground_state
from ceas_physics.npu.matching import _start, minimum_weight_matching
from ceas_physics.npu.matching_kernels import match

nx = pytest.importorskip("networkx")


def lowest_by_enumeration(model):
    """Lowest energy of all configurations, half of them (s_0 = -1) without fields."""
    n = model.lattice.n_sites
    numbers = np.arange(2**n if model.has_field else 2 ** (n - 1))
    return model.energy(2 * (numbers[:, None] >> np.arange(n) & 1) - 1).min()


def draw(rng, kind, n_bonds):
    if kind == "bimodal":
        return rng.choice([-1.0, 1.0], n_bonds)
    return rng.standard_normal(n_bonds) if kind == "gaussian" else rng.integers(-3, 4, n_bonds).astype(float)


def symmetric(rng, kind, n):
    if kind == "plane":
        points = rng.integers(0, 12, (n, 2))
        return np.abs(points[:, None] - points).sum(axis=-1)
    w = np.triu(rng.integers(0, 4 if kind == "ties" else 1000, (n, n)), 1)
    return w + w.T


@pytest.mark.parametrize("kind", ["ties", "spread", "plane"])
def test_matching_against_networkx(kind):
    rng = np.random.default_rng(1)
    for _ in range(60):
        n = 2 * int(rng.integers(1, 16))
        w = symmetric(rng, kind, n)
        partner = minimum_weight_matching(w)
        assert (partner[partner] == np.arange(n)).all()
        assert (partner != np.arange(n)).all()
        graph = nx.Graph()
        graph.add_weighted_edges_from((i, j, int(w[i, j])) for i in range(n) for j in range(i))
        assert w[np.arange(n), partner].sum() / 2 == sum(w[a, b] for a, b in nx.min_weight_matching(graph))


def test_compiled_matching_equals_plain():
    w = symmetric(np.random.default_rng(2), "ties", 12)
    forest = _start(12)
    match.py_func(2 * w, forest)
    np.testing.assert_array_equal(forest.mate, minimum_weight_matching(w))


@pytest.mark.parametrize("kind", ["bimodal", "gaussian", "integers"])
def test_planar_against_enumeration(kind):
    rng = np.random.default_rng(3)
    barbell = ising.from_bonds(9, [(0, 1), (1, 2), (2, 0), (2, 3), (4, 5), (5, 6), (6, 4), (6, 7), (7, 4)])
    tilings = [ising.hyperbolic(7, 3, 2), ising.hyperbolic(3, 7, 1)]
    for lattice in (cylinder(4, 4), cylinder(3, 5), cylinder(5, 1), *tilings, barbell):
        for _ in range(6):
            model = ising.IsingModel(lattice, draw(rng, kind, lattice.n_bonds))
            found = planar_ground_state(model)
            assert found.energy == model.energy(found.spins)
            assert found.energy == pytest.approx(lowest_by_enumeration(model), abs=1e-9)


@pytest.mark.parametrize("kind", ["bimodal", "gaussian", "field"])
def test_torus_against_enumeration(kind):
    rng = np.random.default_rng(4)
    for L in (3, 4):
        for _ in range(4):
            couplings = draw(rng, "gaussian" if kind == "field" else kind, 2 * L * L)
            model = ising.IsingModel(ising.square(L), couplings, rng.standard_normal(L * L) if kind == "field" else 0.0)
            found = torus_ground_state(model)
            assert found.energy == model.energy(found.spins)
            assert found.energy == pytest.approx(lowest_by_enumeration(model), abs=1e-9)


@pytest.mark.parametrize("kind", ["bimodal", "gaussian"])
def test_two_methods_agree_on_a_torus_cut_open(kind):
    """Without the bonds from the last row to the first a torus is a cylinder; with them its energy differs."""
    rng = np.random.default_rng(5)
    L, differ = 8, 0
    for _ in range(5):
        couplings = draw(rng, kind, 2 * L * L).reshape(L, L, 2)
        whole = torus_ground_state(ising.IsingModel(ising.square(L), couplings.ravel())).energy
        couplings[-1, :, 0] = 0.0
        model = ising.IsingModel(ising.square(L), couplings.ravel())
        assert planar_ground_state(model).energy == pytest.approx(torus_ground_state(model).energy, abs=1e-9)
        differ += whole < planar_ground_state(model).energy - 1e-9
    assert differ > 0


def test_fully_frustrated_and_unfrustrated():
    """Fully frustrated: one unsatisfied bond for two faces; a ferromagnet after a gauge transformation: none."""
    lattice = cylinder(16, 16)
    horizontal = np.arange(lattice.n_bonds) < 256
    odd = np.where(horizontal & (lattice.bonds[:, 0] // 16 % 2 == 1), -1.0, 1.0)
    faces = 16 * 15
    assert planar_ground_state(ising.IsingModel(lattice, odd)).energy == -lattice.n_bonds + faces
    gauge = np.random.default_rng(6).choice([-1.0, 1.0], lattice.n_sites)
    mattis = ising.IsingModel(lattice, gauge[lattice.bonds].prod(axis=1))
    found = planar_ground_state(mattis)
    assert found.energy == -lattice.n_bonds
    assert abs(found.spins @ gauge) == lattice.n_sites


def test_no_single_flip_and_no_annealing_goes_lower():
    model = ising.edwards_anderson(cylinder(24, 24), seed=1)
    found = planar_ground_state(model)
    betas = np.linspace(0.2, 3.0, 12)
    data = ising.sample(model, betas, ising.Schedule(200, 200), chains=64, exchange=True, seed=1, progress=False)
    lowest = float(data.energy.min()) * model.lattice.n_sites
    assert found.energy <= lowest
    assert lowest <= 0.97 * found.energy


def test_ground_state_energy_of_the_bimodal_glass():
    """e(L) = e + a / L^2 on tori, from L = 6 and 8, against e = -1.4019(1) of the infinite lattice."""
    sizes, counts = (6, 8), (400, 120)
    means, errors = np.empty(2), np.empty(2)
    for k, (L, count) in enumerate(zip(sizes, counts)):
        models = ising.edwards_anderson(ising.square(L), seed=2, disorder=count)
        energies = np.array([torus_ground_state(model).energy / L**2 for model in models])
        means[k], errors[k] = energies.mean(), energies.std(ddof=1) / np.sqrt(count)
    share = np.array([-36, 64]) / (64 - 36)
    assert share @ means == pytest.approx(-1.4019, abs=4 * np.hypot(*(share * errors)))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="not planar"):
        planar_ground_state(ising.ferromagnet(ising.square(4)))
    with pytest.raises(ValueError, match="fields"):
        planar_ground_state(ising.ferromagnet(cylinder(4, 4), h=0.1))
    with pytest.raises(ValueError, match=r"ising.square\(L\), got chain"):
        torus_ground_state(ising.ferromagnet(ising.chain(8)))
    with pytest.raises(ValueError, match="at most 14, got 15"):
        torus_ground_state(ising.ferromagnet(ising.square(15)))
    with pytest.raises(ValueError, match="circumference"):
        cylinder(2, 4)
    for weights, words in (
        (np.zeros((3, 3), int), "n even"),
        (np.zeros((2, 2)), "integers"),
        ([[0, 1], [2, 0]], "symmetric"),
        ([[0, -1], [-1, 0]], "integers in"),
    ):
        with pytest.raises(ValueError, match=words):
            minimum_weight_matching(weights)
