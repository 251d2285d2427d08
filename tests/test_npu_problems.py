import numpy as np
import pytest

import ising
from ceas_physics.npu.problems import cut_weight, from_qubo, graph_colouring, max_cut, number_partitioning

nx = pytest.importorskip("networkx")


def every_configuration(n):
    return 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1


def best(model):
    spins = every_configuration(model.lattice.n_sites)
    return spins[model.energy(spins).argmin()]


def weighted_graph(seed):
    graph = nx.gnp_random_graph(9, 0.6, seed=seed)
    rng = np.random.default_rng(seed)
    for a, b in graph.edges:
        graph[a][b]["weight"] = float(rng.normal())
    return nx.relabel_nodes(graph, {k: f"node {k}" for k in graph})


def test_cut_of_every_configuration():
    """(W - E) / 2 is the weight between the sides for all configurations; the other sign of J would miss it."""
    graph = weighted_graph(1)
    model, decode = max_cut(graph)
    wrong = ising.IsingModel(model.lattice, -model.couplings, attrs=model.attrs)
    misses = 0
    for spins in every_configuration(9):
        cut = decode(spins)
        direct = nx.cut_size(graph, cut.left, cut.right, weight="weight")
        assert cut.weight == pytest.approx(direct, abs=1e-12)
        misses += abs(cut_weight(wrong, float(wrong.energy(spins))) - direct) > 1e-9
    assert misses > 500


def test_max_cut_of_known_graphs():
    for graph, expected in ((nx.cycle_graph(7), 6), (nx.complete_graph(6), 9), (nx.petersen_graph(), 12)):
        model, decode = max_cut(graph)
        assert decode(best(model)).weight == expected
    bipartite = nx.complete_bipartite_graph(3, 4)
    model, decode = max_cut(bipartite)
    cut = decode(best(model))
    assert cut.weight == 12
    assert {len(cut.left), len(cut.right)} == {3, 4}


def test_number_partitioning():
    numbers = [3, 1, 1, 2, 2, 1, 5, 9]
    model, decode = number_partitioning(numbers)
    for spins in every_configuration(8)[::7]:
        squared = model.energy(spins) + model.attrs["offset"]
        assert squared == pytest.approx(decode(spins).difference ** 2, abs=1e-9)
    assert decode(best(model)).difference == 0
    huge = [10**30, 10**30 + 1]
    assert number_partitioning(huge)[1]([1, -1]).difference == 1


def test_graph_colouring():
    """Zero energy exactly for proper colourings; the odd wheel needs four colours."""
    graph = nx.cycle_graph(["a", "b", "c", "d", "e"])
    model, decode = graph_colouring(graph, 3)
    spins = every_configuration(15)
    energies = model.energy(spins) + model.attrs["offset"]
    assert energies.min() == 0
    proper = [decode(s).proper for s in spins[energies == 0]]
    assert all(proper)
    assert len(proper) == 30  # the chromatic polynomial of the 5-ring at 3
    assert not any(decode(s).proper for s in spins[energies > 0][::50])
    wheel, _ = graph_colouring(nx.wheel_graph(6), 3)
    assert wheel.energy(every_configuration(18)).min() + wheel.attrs["offset"] > 0
    undecided = decode(np.ones(15))
    assert undecided.colours == dict.fromkeys("abcde")
    assert decode([1, -1, -1] * 5).conflicts == 5


def test_qubo_energies():
    rng = np.random.default_rng(2)
    pairs = [(0, 1), (1, 2), (0, 3)]
    a, b = rng.normal(size=4), rng.normal(size=3)
    model = from_qubo(a, pairs, b, 0.7)
    spins = every_configuration(4)
    x = (1 + spins) / 2
    direct = x @ a + sum(w * x[:, i] * x[:, j] for w, (i, j) in zip(b, pairs)) + 0.7
    np.testing.assert_allclose(model.energy(spins) + model.attrs["offset"], direct, atol=1e-12)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="undirected"):
        max_cut(nx.DiGraph([(0, 1)]))
    with pytest.raises(ValueError, match="finite"):
        max_cut(nx.Graph([(0, 1, {"weight": float("nan")})]))
    with pytest.raises(ValueError, match="itself"):
        max_cut(nx.Graph([(0, 0)]))
    for weight in ("heavy", None, 1j):
        with pytest.raises(ValueError, match="weights must be a list of real numbers"):
            max_cut(nx.Graph([(0, 1, {"weight": weight})]))
    with pytest.raises(ValueError, match="must be a networkx"):
        max_cut(np.eye(3))
    for numbers, words in (
        ([1.0, np.inf], "numbers must be finite"),
        ([], "two or more"),
        ([10**400, 3], "list of real numbers"),
        ([10**200, 3], "common factor"),
        (np.ones((2, 2)), "list of real numbers"),
        (["a", "b"], "list of real numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            number_partitioning(numbers)
    for arguments, words in (
        (([1, 2], [(0, 1)], [1, 2]), "a quadratic term each"),
        (([1, 2], [0, 1], [1]), "a quadratic term each"),
        (([1, np.nan], [(0, 1)], [1]), "linear must be finite"),
        (([1, 2], [(0, 1), (1, 0)], [1, 2]), "more than once"),
    ):
        with pytest.raises(ValueError, match=words):
            from_qubo(*arguments)
    with pytest.raises(ValueError, match="decode takes 3 spins"):
        max_cut(nx.path_graph(3))[1](["a", "b", "c"])
    with pytest.raises(ValueError, match="colours must be an integer >= 1"):
        graph_colouring(nx.path_graph(3), 0)
    with pytest.raises(ValueError, match="decode takes 3 spins"):
        max_cut(nx.path_graph(3))[1]([1, 1])
    with pytest.raises(ValueError, match="total_weight"):
        cut_weight(ising.ferromagnet(ising.chain(4)), 0.0)
