"""Adjacency spectra against closed forms, dense diagonalisation and tabulated maps."""

import numpy as np
import pytest

import ising
from ising.spectrum import adjacency_matrix, adjacency_norm, edge_expansion_bounds, second_eigenvalue, second_modes

MAPS = {  # second eigenvalues of closed maps as the project's physics notes list them, to their three decimals
    (5, 4, 330): 3.372,
    (4, 5, 264): 3.873,
    (3, 7, 156): 5.302,
}


@pytest.mark.parametrize("L", [3, 7, 30])
def test_torus(L):
    """The L x L torus has lambda_2 = 2 + 2 cos(2 pi / L), four times."""
    eigenvalue, modes = second_modes(ising.square(L))
    assert eigenvalue == pytest.approx(2 + 2 * np.cos(2 * np.pi / L), abs=1e-12)
    assert modes.shape == (L * L, 4)
    momenta = np.exp(2j * np.pi * ising.square(L).momentum.layers / L)  # (axis, site) plane waves
    waves = np.concatenate([momenta.real, momenta.imag])
    np.testing.assert_allclose(modes @ (modes.T @ waves.T), waves.T, atol=1e-10)


@pytest.mark.parametrize(("p", "q", "n_sites"), MAPS)
def test_closed_maps(p, q, n_sites):
    lattice = ising.closed_hyperbolic(p, q, n_sites)
    eigenvalue, modes = second_modes(lattice)
    levels = np.linalg.eigvalsh(adjacency_matrix(lattice).toarray())
    assert round(eigenvalue, 3) == MAPS[p, q, n_sites]
    assert levels[-2] == pytest.approx(eigenvalue, abs=1e-11)
    assert modes.shape[1] == np.count_nonzero(np.abs(levels - eigenvalue) < 1e-8)
    assert second_eigenvalue(lattice) == pytest.approx(eigenvalue, abs=1e-11)
    assert adjacency_norm(lattice) == pytest.approx(q, abs=1e-11)
    np.testing.assert_allclose(modes.T @ modes, np.eye(modes.shape[1]), atol=1e-12)
    np.testing.assert_allclose(adjacency_matrix(lattice) @ modes, eigenvalue * modes, atol=1e-10)
    np.testing.assert_allclose(modes.sum(axis=0), 0, atol=1e-10)


@pytest.mark.parametrize(("side", "dimension"), [(2, 9), (29, 2)])
def test_every_copy_of_a_degenerate_eigenvalue_is_found(side, dimension):
    """The product of d complete graphs of n sites has lambda_2 = d (n - 1) - n, d (n - 1) times."""
    sites = np.arange(side**dimension)
    steps = [
        (site, site + hop * side**axis)
        for axis in range(dimension)
        for hop in range(1, side)
        for site in sites
        if site // side**axis % side + hop < side
    ]
    eigenvalue, modes = second_modes(ising.from_bonds(len(sites), steps))
    assert eigenvalue == pytest.approx(dimension * (side - 1) - side, abs=1e-11)
    assert modes.shape == (len(sites), dimension * (side - 1))


def test_complete_graph_where_lanczos_breaks_down():
    eigenvalue, modes = second_modes(ising.complete(401))
    assert eigenvalue == pytest.approx(-1, abs=1e-10)
    assert modes.shape == (401, 400)


def test_trees_and_irregular_graphs():
    """A star of n leaves has the eigenvalues sqrt n, 0 (n - 1 times) and -sqrt n."""
    star = ising.from_bonds(401, [(0, leaf) for leaf in range(1, 401)])
    assert adjacency_norm(star) == pytest.approx(20, abs=1e-10)
    eigenvalue, modes = second_modes(star)
    assert eigenvalue == pytest.approx(0, abs=1e-10)
    assert modes.shape == (401, 399)
    with pytest.raises(ValueError, match=r"equal degrees, 'graph' has 1 \.\. 400"):
        edge_expansion_bounds(star)


@pytest.mark.parametrize(
    "lattice", [ising.chain(10), ising.complete(10), ising.square(4), ising.random_regular(14, 3, seed=1)]
)
def test_expansion_bounds_hold_against_all_subsets(lattice):
    subsets = (np.arange(1, 1 << lattice.n_sites)[:, None] >> np.arange(lattice.n_sites)) & 1  # (subset, site)
    size = subsets.sum(axis=1)
    subsets, size = subsets[2 * size <= lattice.n_sites], size[2 * size <= lattice.n_sites]
    cut = (subsets[:, lattice.bonds[:, 0]] != subsets[:, lattice.bonds[:, 1]]).sum(axis=1)
    lower, upper = edge_expansion_bounds(lattice)
    assert lower - 1e-12 <= (cut / size).min() <= upper + 1e-12


def test_refusals():
    pieces = ising.from_bonds(4, [(0, 1), (2, 3)])
    for function in (second_eigenvalue, second_modes, edge_expansion_bounds):
        with pytest.raises(ValueError, match="'graph' is in 2 pieces"):
            function(pieces)
        with pytest.raises(ValueError, match="two or more sites"):
            function(ising.from_bonds(1, []))
    with pytest.raises(ValueError, match="has none"):
        adjacency_norm(ising.from_bonds(3, []))
