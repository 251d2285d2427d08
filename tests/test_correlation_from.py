"""C(i, j) of one site with all others: what it sums to, the tree, refusals."""

import numpy as np
import pytest
import xarray as xr
from scipy.sparse.csgraph import shortest_path

import ising
from ising.spectrum import adjacency_matrix


def test_from_one_site_it_sums_to_the_mean_by_distance():
    """Averaged over all sources and the sites at a distance, C(i, j) is C(r)."""
    lattice, rng = ising.hyperbolic(5, 4, 3), np.random.default_rng(9)
    spins = xr.DataArray(rng.choice([-1, 1], (2, 5, lattice.n_sites)), dims=("chain", "configuration", "site"))
    distance = shortest_path(adjacency_matrix(lattice), unweighted=True).astype(int)
    table = ising.correlations(lattice, spins).mean("configuration")
    sums = np.zeros((2, distance.max() + 1))
    for site in range(lattice.n_sites):
        one = ising.correlation_from(lattice, spins, site)
        assert one.dims == ("chain", "site")
        assert (one.isel(site=site) == 1).all()
        np.add.at(sums.T, distance[site], one.values.T)
    np.testing.assert_allclose(sums / table.pairs.values, table.correlation, atol=1e-12)


def test_on_a_tree_it_is_a_power_of_tanh():
    """With no complete face the patch is a tree, and <s_i s_j> = tanh(beta)^r at the distance r along bonds."""
    lattice, beta = ising.hyperbolic(20, 3, 5), 0.7
    schedule = ising.Schedule(warmup=100, draws=400, thin=2)
    data = ising.sample(ising.ferromagnet(lattice), beta, schedule, seed=6, configurations=2, progress=False)
    from_centre, from_neighbor = (
        ising.correlation_from(lattice, data.configurations.isel(beta=0), site) for site in (0, 1)
    )
    assert (from_centre.attrs["from_site"], from_neighbor.attrs["from_site"]) == (0, 1)
    distance = shortest_path(adjacency_matrix(lattice), unweighted=True, indices=[0, 1]).astype(int)

    def z(chains, sites, r):
        mean = chains.isel(site=sites).mean("site").values
        return (mean.mean() - np.tanh(beta) ** r) / (mean.std(ddof=1) / np.sqrt(mean.size))

    for chains, r_of in ((from_centre, distance[0]), (from_neighbor, distance[1])):
        assert np.abs([z(chains, r_of == r, r) for r in range(1, r_of.max() + 1)]).max() < 4
    behind = (distance[0] == 5) & (distance[1] == 4)
    assert abs(z(from_neighbor, behind, 4)) < 4
    assert z(from_centre, behind, 4) < -8  # control: seen from another site


@pytest.mark.parametrize("site", [-1, 8, 0.0])
def test_refusals(site):
    with pytest.raises(ValueError, match="site must be"):
        ising.correlation_from(ising.chain(8), np.ones(8), site)
