"""Swendsen-Wang and Wolff units against enumeration, Kaufman and plain components; improved estimators; streams."""

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from statistics_of_chains import joint_p, z_score
from test_updates import BETAS, MODELS

import ising
from ising import kernels_clusters, kernels_wolff, streams
from ising.clusters import ClusterGraph, ClusterUnit, activation_integers
from ising.kernels_bonds import PAD

CHAINS = 64
PLAIN = ("energy", "magnetization")
IMPROVED = ("improved_m2", "improved_structure_factor")
PAIRS = ("overlap", "link_overlap", "overlap_k")


def run(
    model,
    betas,
    update,
    warmup=200,
    draws=500,
    chains=CHAINS,
    seed=0,
    names=PLAIN,
    per_unit=2,
    cut=None,
    initial="random",
):
    """Drive units as the sampler does: name -> (beta, chain or pair, draw), and the last unit."""
    graph, unit = ClusterGraph(model), None
    results = {n: np.empty((len(betas), chains // 2 if n in PAIRS else chains, draws)) for n in names}
    for b, beta in enumerate(betas):
        for first in range(0, chains, per_unit):
            count = min(per_unit, chains - first)
            unit = ClusterUnit(model, graph, update, b, beta, first, count, seed, 0, initial)
            unit.warm_up(warmup)
            for start in range(0, draws, cut or draws):
                unit.draw(results, start, min(draws, start + (cut or draws)), 1)
    return results, unit


def moments(results, model, betas, exact):
    """Per chain: the estimates whose exact values `enumerate_model` gives."""
    n = model.lattice.n_sites
    m, e = results["magnetization"], results["energy"]
    heat = (e - exact.energy.values[:, None, None]) ** 2 * n * np.array(betas)[:, None, None] ** 2
    return {"energy": e, "magnetization_abs": np.abs(m), "susceptibility": n * m**2, "specific_heat": heat}


@pytest.fixture(scope="module")
def exact():
    return {name: ising.exact.enumerate_model(model, BETAS) for name, model in MODELS.items()}


@pytest.mark.parametrize("update", ["swendsen_wang", "wolff"])
def test_enumeration(update, exact):
    energies = []
    for k, (name, model) in enumerate(MODELS.items()):
        improved = IMPROVED[:1] if update == "swendsen_wang" else ()
        results, _ = run(model, BETAS, update, seed=k, names=PLAIN + improved)
        values = moments(results, model, BETAS, exact[name])
        z = {key: z_score(value.mean(axis=-1), exact[name][key].values) for key, value in values.items()}
        if improved:
            chi = model.lattice.n_sites * results["improved_m2"].mean(axis=-1)
            z["improved"] = z_score(chi, exact[name].susceptibility.values)
        worst = {key: float(np.abs(value).max()) for key, value in z.items()}
        assert max(worst.values()) < 5, (name, worst)
        energies.append(z["energy"])
    assert 1e-4 < joint_p(energies, CHAINS) < 1 - 1e-4


@pytest.mark.parametrize("update", ["swendsen_wang", "wolff"])
def test_what_must_fail_fails(update, exact):
    """Three percent off in beta; and clusters that ignore the signs of the couplings."""
    off, _ = run(MODELS["square"], [0.31], update)
    assert abs(z_score(off["energy"].mean(axis=-1), exact["square"].energy.values[1])) > 5
    model = MODELS["square-glass"]
    graph = ClusterGraph(model)
    graph.bonds = graph.plain
    graph.adjacency = (graph.adjacency[0], graph.adjacency[1] & ~np.uint32(1), graph.adjacency[2])
    energies = []
    for first in range(0, CHAINS, 2):
        unit = ClusterUnit(model, graph, update, 0, 0.6, first, 2, 0, 0, "random")
        unit.warm_up(100)
        for _ in range(50):
            unit.draw({}, 0, 1, 1)
            energies.append(model.energy(unit.configurations()[0][2]) / 16)
    chains = np.reshape(energies, (-1, 50, 2)).mean(axis=1).ravel()
    assert abs(z_score(chains, exact["square-glass"].energy.values[2])) > 5


@pytest.mark.parametrize("update", ["swendsen_wang", "wolff"])
def test_kaufman(update):
    betas, L = [0.35, 0.44, 0.5], 32
    results, _ = run(ising.ferromagnet(ising.square(L)), betas, update, 100, 300)
    exact = ising.exact.kaufman(L, betas)
    e = results["energy"]
    heat = L**2 * np.array(betas)[:, None] ** 2 * ((e - exact.energy.values[:, None, None]) ** 2).mean(axis=-1)
    z = [z_score(e.mean(axis=-1), exact.energy.values), z_score(heat, exact.specific_heat.values)]
    assert np.abs(z).max() < 4
    assert joint_p(z[0], CHAINS) > 1e-4


OBSERVED = {
    "square": ising.ferromagnet(ising.square(10)),
    "square-words": ising.edwards_anderson(ising.square(64), seed=2),
    "gaussian-cubic": ising.edwards_anderson(ising.cubic(5), seed=2, distribution="gaussian"),
    "triangular-field": ising.IsingModel(ising.triangular(9), -0.5, np.linspace(-1, 1, 81)),
    "honeycomb": ising.ferromagnet(ising.honeycomb(7), h=0.2),
    "klein-glass": MODELS["klein-glass"],
    "no-bonds": ising.ferromagnet(ising.from_bonds(5, []), h=0.3),
}


@pytest.mark.parametrize("update", ["swendsen_wang", "wolff"])
@pytest.mark.parametrize("name", OBSERVED)
def test_measurements_are_those_of_the_spins(name, update):
    model = OBSERVED[name]
    n, momentum = model.lattice.n_sites, model.lattice.momentum
    names = (*PLAIN, "structure_factor", *PAIRS)
    results, unit = run(model, [0.3], update, 5, 3, chains=4, per_unit=4, names=names)
    s = unit.configurations()[0][2].astype(float)  # (chain, site)
    q = s[0::2] * s[1::2]
    a, b = model.lattice.bonds.T
    expected = {"energy": model.energy(s) / n, "magnetization": s.mean(axis=1), "overlap": q.mean(axis=1)}
    expected["link_overlap"] = (q[:, a] * q[:, b]).sum(axis=1) / max(1, len(a))
    wave = np.exp(2j * np.pi * momentum.layers.T / momentum.length) if momentum else np.zeros((n, 1))
    for key, field in (("structure_factor", s), ("overlap_k", q)):
        expected[key] = (np.abs(field @ wave) ** 2).mean(axis=1) / n
    for key, value in expected.items():
        np.testing.assert_allclose(results[key][0, :, -1], value, rtol=1e-12, atol=1e-11, err_msg=key)


def linked(model, active_bonds, active_ghosts=()):
    """parent of every node after `link` has joined the given bonds."""
    graph = ClusterGraph(model)
    unit = ClusterUnit(model, graph, "swendsen_wang", 0, 0.3, 0, 1, 0, 0, "random")
    scratch, lane = unit._scratch(improved=True), np.zeros(64 * len(graph.bonds.mask), bool)
    upper, lower = lane_nodes(graph.bonds)
    wanted = {frozenset(bond + PAD) for bond in model.lattice.bonds[active_bonds]}
    wanted |= {frozenset((0, site + PAD)) for site in active_ghosts}
    valid = np.unpackbits(graph.bonds.mask.view(np.uint8), bitorder="little").astype(bool)
    for k in np.flatnonzero(valid):
        lane[k] = frozenset((upper[k], lower[k])) in wanted
    assert lane.sum() == len(wanted)
    active = np.packbits(lane, bitorder="little").view(np.uint64)
    kernels_clusters.link(scratch.parent, active, graph.bonds, scratch.pairs)
    return graph, scratch


def lane_nodes(bonds):
    offsets = np.arange(64)
    regular = [(start[:, None].astype(int) + offsets).ravel() for start in (bonds.upper_start, bonds.lower_start)]
    return np.concatenate([regular[0], bonds.upper]).astype(int), np.concatenate([regular[1], bonds.lower]).astype(int)


GRAPHS = {
    "square-20": ising.square(20),
    "square-64": ising.square(64),
    "cubic": ising.cubic(7),
    "honeycomb": ising.honeycomb(12),
    "hyperbolic": ising.closed_hyperbolic(3, 7, surface="klein"),
    "regular": ising.random_regular(300, 7, seed=1),
    "complete": ising.complete(40),
}


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", GRAPHS)
def test_link_gives_connected_components(name, probability):
    lattice, rng = GRAPHS[name], np.random.default_rng(3)
    n = lattice.n_sites
    bonds = np.flatnonzero(rng.random(lattice.n_bonds) < probability)
    ghosts = np.flatnonzero(rng.random(n) < 0.02)
    graph, scratch = linked(ising.ferromagnet(lattice, h=0.1), bonds, ghosts)
    a = np.concatenate([lattice.bonds[bonds, 0] + 1, ghosts + 1])  # site i is node i + 1 here, the ghost 0
    b = np.concatenate([lattice.bonds[bonds, 1] + 1, np.zeros(len(ghosts), int)])
    _, label = connected_components(coo_matrix((np.ones(len(a)), (a, b)), (n + 1, n + 1)), directed=False)
    smallest = np.array([np.flatnonzero(label == k)[0] for k in range(label.max() + 1)])[label]
    up = np.zeros(n + 2 * PAD, np.uint8)
    up[PAD:-PAD] = rng.integers(0, 2, n)
    power = np.zeros(2)
    kernels_clusters.cluster_power(scratch.parent, up, graph.momenta, scratch.sums, power)
    roots = np.where(smallest[1:] > 0, smallest[1:] - 1 + PAD, 0)
    np.testing.assert_array_equal(scratch.parent[PAD:-PAD], roots)
    spins = 2.0 * up[PAD:-PAD] - 1
    assert power[0] == (np.bincount(label[1:], spins) ** 2).sum()
    if momentum := lattice.momentum:
        waves = np.exp(2j * np.pi * momentum.layers / momentum.length)
        parts = [np.bincount(label[1:], spins * part) ** 2 for wave in waves for part in (wave.real, wave.imag)]
        assert power[1] == pytest.approx(np.sum(parts) / len(waves))
    assert not scratch.sums.any()
    before = up.copy()
    kernels_clusters.flip(
        up, scratch.parent, scratch.flips, streams.wide_states(1, streams.Purpose.SAMPLING, [(1,)])[0]
    )
    flipped = up[PAD:-PAD] != before[PAD:-PAD]
    for k in np.unique(label[1:]):
        members = flipped[label[1:] == k]
        assert members.all() or not members.any()
    assert not flipped[label[1:] == label[0]].any()
    np.testing.assert_array_equal(scratch.parent, np.arange(n + 2 * PAD))
    assert flipped.any() or probability > 0.1  # then all may belong to the ghost


@pytest.mark.parametrize("name", ["square-glass", "square-random-fields", "klein", "sherrington-kirkpatrick"])
def test_bonds_are_active_with_their_probability(name):
    """Counts of every lane over 4,000 trials; only satisfied lanes may be active; beta = 0 and a frozen lane too."""
    model, trials = MODELS[name], 4000
    graph = ClusterGraph(model)
    rng = streams.wide_states(5, streams.Purpose.SAMPLING, [(0,)])[0]
    n_words = len(graph.bonds.mask)
    closed = np.random.default_rng(1).integers(0, 2**64, n_words, dtype=np.uint64) & graph.bonds.mask
    active = np.empty(n_words, np.uint64)
    open_lanes = np.unpackbits((graph.bonds.mask & ~closed).view(np.uint8), bitorder="little").astype(bool)
    for beta in (0.0, 0.3, 40.0):
        count = np.zeros(64 * n_words)
        for _ in range(trials):
            kernels_clusters.activate(graph.bonds.mask, closed, graph.digits(beta), rng, active)
            count += np.unpackbits(active.view(np.uint8), bitorder="little")
        p = np.broadcast_to(-np.expm1(-2 * beta * graph.magnitude), count.shape)[open_lanes]
        assert not count[~open_lanes].any()
        variance = trials * p * (1 - p)
        deviation, common = count[open_lanes] - trials * p, variance > 5
        assert np.abs(deviation / (5 * np.sqrt(variance) + 4 * (variance > 1e-6) + 1e-3)).max() < 1
        chi_square = (deviation[common] ** 2 / variance[common]).sum()
        assert not common.any() or 1e-4 < stats.chi2.sf(chi_square, common.sum()) < 1 - 1e-4


def test_digits_spell_the_probability():
    model = MODELS["square-gaussian"]
    graph = ClusterGraph(model)
    digits = np.unpackbits(graph.digits(0.7).view(np.uint8), axis=-1, bitorder="little")  # (block, digit, lane)
    p = (digits * 0.5 ** np.arange(1, 53)[:, None]).sum(axis=1).ravel()
    np.testing.assert_allclose(p, -np.expm1(-1.4 * graph.magnitude), atol=2.0**-52)
    assert activation_integers(1e9, np.ones(1))[0] == 2**52 - 1


@pytest.mark.parametrize("name", ["square-glass", "square-gaussian", "patch-glass", "klein-glass"])
def test_frozen_wolff_cluster_is_the_component_of_satisfied_bonds(name):
    model = MODELS[name]
    unit = ClusterUnit(model, ClusterGraph(model), "wolff", 0, 1e4, 0, 1, 3, 0, "random")
    adjacency, digits, pool = unit._wolff_tables()
    a, b = model.lattice.bonds.T
    n, seen = model.lattice.n_sites, set()
    for seed in range(n):
        before = unit.configurations()[0][2][0].astype(int)
        satisfied = np.broadcast_to(model.couplings, len(a)) * before[a] * before[b] > 0
        edges = coo_matrix((np.ones(satisfied.sum()), (a[satisfied], b[satisfied])), (n, n))
        label = connected_components(edges, directed=False)[1]
        size, _ = kernels_wolff.grow_cluster(unit.up[0], unit.rng[0], adjacency, digits, pool, np.uint64(8), seed + PAD)
        after = unit.configurations()[0][2][0]
        np.testing.assert_array_equal(after != before, label == label[seed])
        assert size == (label == label[seed]).sum()
        seen.add(size)
        kernels_clusters.flip(
            unit.up[0], np.arange(n + 2 * PAD, dtype=np.uint32), np.zeros(n + 640, np.uint8), unit.rng[0]
        )
    assert len(seen) > 1


def test_improved_estimators():
    """Same means, smaller variances; without a field, with one, and with both signs of coupling."""
    lattice = ising.square(12)
    field = ising.ferromagnet(lattice, h=0.02)
    glass = ising.edwards_anderson(lattice, seed=4)
    names = (*PLAIN, "structure_factor", *IMPROVED)
    for model, beta in ((ising.ferromagnet(lattice), 0.38), (field, 0.3), (glass, 0.5)):
        results, _ = run(model, [beta], "swendsen_wang", draws=400, names=names)
        plain = {"improved_m2": results["magnetization"] ** 2, "improved_structure_factor": results["structure_factor"]}
        for name, value in plain.items():
            difference = (results[name] - value).mean(axis=-1)[0]
            assert abs(z_score(difference, 0.0)) < 5
            assert results[name].var() < 0.8 * value.var()


@pytest.mark.parametrize("update", ["swendsen_wang", "wolff"])
@pytest.mark.parametrize("name", ["square-glass", "square-random-fields", "klein"])
def test_same_numbers_however_a_run_is_cut(name, update):
    model = MODELS[name]
    names = (*PLAIN, *IMPROVED) if update == "swendsen_wang" else PLAIN
    whole, _ = run(model, [0.2, 0.5], update, 20, 30, chains=6, names=names)
    cut, _ = run(model, [0.2, 0.5], update, 20, 30, chains=6, names=names, cut=7)
    alone, _ = run(model, [0.2, 0.5], update, 20, 30, chains=3, names=names, per_unit=1)
    other, _ = run(model, [0.2, 0.5], update, 20, 30, chains=6, seed=1)
    for key in names:
        np.testing.assert_array_equal(whole[key], cut[key])
        np.testing.assert_array_equal(whole[key][:, :3], alone[key])
    assert not np.array_equal(whole["energy"], other["energy"])
    assert len(np.unique(whole["energy"][1], axis=0)) == 6


def test_asking_for_improved_estimators_changes_nothing_else():
    model = MODELS["klein-glass"]
    plain, _ = run(model, [0.4], "swendsen_wang", 10, 20, chains=2)
    more, _ = run(model, [0.4], "swendsen_wang", 10, 20, chains=2, names=(*PLAIN, *IMPROVED))
    np.testing.assert_array_equal(plain["energy"], more["energy"])


def test_wolff_uses_the_number_of_clusters_found_in_warm_up():
    model = ising.ferromagnet(ising.square(16))
    _, hot = run(model, [0.1], "wolff", 50, 1, chains=2)
    _, cold = run(model, [1.0], "wolff", 50, 1, chains=2)
    assert (cold.n_clusters == 1).all()
    assert (hot.n_clusters > 60).all()
