"""C(r) against enumeration, the ring and plain distances; decay lengths; the eigenmode proxy and what it is not."""

import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import assert_unit_variance, dense_family, exact
from numba import njit
from scipy.sparse.csgraph import shortest_path

import analysis
import ising
from ising.spectrum import adjacency_matrix
from ising.tilings import growth_rate


def random_spins(rng, *shape) -> np.ndarray:
    return rng.choice(np.array([-1, 1], dtype=np.int8), shape)


@njit
def enumerate_from_zero(neighbors, beta, distance):
    """Exact <s_0 s_j> summed over the j at every distance, on all states with s_0 up, in Gray-code order."""
    n_sites, degree = neighbors.shape
    spins, energy = np.ones(n_sites), -0.5 * n_sites * degree
    ground = energy
    sums, total = np.zeros(distance.max() + 1), 0.0
    for step in range(1 << (n_sites - 1)):
        if step:
            site = 1
            while not (step >> (site - 1)) & 1:
                site += 1
            field = 0.0
            for k in range(degree):
                field += spins[neighbors[site, k]]
            energy += 2 * spins[site] * field
            spins[site] = -spins[site]
        weight = np.exp(-beta * (energy - ground))
        total += weight
        for j in range(n_sites):
            sums[distance[j]] += weight * spins[j]
    return sums / total


# Exactness


@pytest.mark.parametrize("lattice", [ising.random_regular(50, 3, seed=1), ising.hyperbolic(3, 7, 3), ising.square(6)])
@pytest.mark.parametrize("part", ["all", "some"])
def test_against_the_matrix_of_distances(lattice, part):
    rng, n_sites = np.random.default_rng(1), lattice.n_sites
    distance = shortest_path(adjacency_matrix(lattice), unweighted=True).astype(int)
    sites = np.arange(n_sites) if part == "all" else np.sort(rng.choice(n_sites, n_sites // 3, replace=False))
    spins = random_spins(rng, 2, 3, n_sites)
    table = ising.correlations(lattice, spins, sites=None if part == "all" else sites)
    assert table.correlation.dims == ("chain", "configuration", "distance")
    distance, spins = distance[np.ix_(sites, sites)], spins[..., sites].astype(float)
    for r in table.distance.values:
        pairs = distance == r
        assert table.pairs[r] == pairs.sum()
        if pairs.any():
            exact = np.einsum("...i,ij,...j", spins, pairs, spins) / pairs.sum()
            np.testing.assert_allclose(table.correlation.sel(distance=r), exact, rtol=1e-12, atol=1e-14)
    assert table.pairs.sum() == len(sites) ** 2


def test_energy_and_magnetization_are_in_it():
    lattice = ising.closed_hyperbolic(5, 4, 330)
    spins = random_spins(np.random.default_rng(2), 5, 330)
    table = ising.correlations(lattice, spins)
    energy = ising.ferromagnet(lattice).energy(spins)
    np.testing.assert_allclose(table.correlation.sel(distance=1) * lattice.n_bonds, -energy)
    np.testing.assert_allclose((table.correlation * table.pairs).sum("distance"), spins.sum(axis=1, dtype=int) ** 2)


@pytest.mark.parametrize(("p", "q", "surface"), [(3, 7, "klein"), (4, 5, "bring")])
def test_complete_enumeration_of_small_maps(p, q, surface):
    lattice, beta = ising.closed_hyperbolic(p, q, surface=surface), 0.2
    distance = shortest_path(adjacency_matrix(lattice), unweighted=True, indices=0).astype(int)
    exact = enumerate_from_zero(lattice.neighbors, beta, distance)
    schedule = ising.Schedule(warmup=100, draws=200, thin=3)
    model = ising.ferromagnet(lattice)
    data = ising.sample(model, beta, schedule, seed=3, configurations=1, progress=False)
    table = ising.correlations(lattice, data.configurations.isel(beta=0))
    exact /= table.pairs.values / lattice.n_sites  # every site sees the same
    chains = table.correlation.mean("configuration").values[:, 1:]
    error = chains.std(axis=0, ddof=1) / np.sqrt(len(chains))
    z = (chains.mean(axis=0) - exact[1:]) / error
    assert np.abs(z).max() < 4
    closer = ising.sample(model, 0.21, schedule, seed=3, configurations=1, progress=False)  # control
    other = ising.correlations(lattice, closer.configurations.isel(beta=0)).correlation.mean(("chain", "configuration"))
    assert np.abs((other[1:] - exact[1:]) / error).max() > 6
    if surface == "klein":
        assert -3.5 * exact[1] == pytest.approx(-1.96370953810202, rel=1e-10)  # energy per spin, physics.md C.5
    else:
        assert -2.5 * exact[1] == pytest.approx(-0.655824301840865, rel=1e-10)


@pytest.fixture(scope="module")
def ring() -> xr.Dataset:
    lattice = ising.chain(64)
    schedule = ising.Schedule(warmup=300, draws=200, thin=20)
    data = ising.sample(ising.ferromagnet(lattice), [0.6, 0.9], schedule, seed=4, configurations=1, progress=False)
    return ising.correlations(lattice, data.configurations)


def test_ring(ring):
    chains = ring.correlation.mean("configuration").transpose("chain", "beta", "distance").values[..., 1:]
    t, r = np.tanh(ring.beta.values)[:, np.newaxis], np.arange(1, 33)
    exact = (t**r + t ** (64 - r)) / (1 + t**64)
    z = (chains.mean(axis=0) - exact) / (chains.std(axis=0, ddof=1) / np.sqrt(len(chains)))
    assert np.abs(z).max() < 5
    straight = analysis.decay_length(ring, window=(1, 8))
    z = (straight.decay_length + 1 / np.log(t[:, 0])) / straight.decay_length_error
    assert np.abs(z).max() < 4
    assert (straight.decay_length_error < 0.05 * straight.decay_length).all()
    assert analysis.decay_length(ring.isel(beta=[0])).attrs["r_high"] < 20  # noise is left out


def test_sampled_sources():
    lattice, rng = ising.square(40), np.random.default_rng(5)
    spins = random_spins(rng, 200, 1600)
    table = ising.correlations(lattice, spins, seed=1)
    assert table.attrs["sources"] == 64 == table.pairs[0]
    assert table.identical(ising.correlations(lattice, spins, seed=1))
    assert not table.identical(ising.correlations(lattice, spins, seed=2))
    z = table.correlation.mean("configuration") * np.sqrt(200 * table.pairs)  # independent spins: C(r) = 0
    assert np.abs(z[1:]).max() < 5


def test_refusals():
    lattice, spins = ising.chain(8), np.ones((3, 8))
    for arguments, message in [
        ({"spins": np.ones((3, 7))}, "a dimension site of 8"),
        ({"spins": np.zeros((3, 8))}, r"\+1 and -1"),
        ({"spins": np.ones((1, 1, 1, 1, 8))}, "1 to 4 axes"),
        ({"spins": spins, "sites": np.zeros(8, bool)}, "at least one site"),
        ({"spins": spins, "sites": [8]}, r"numbers in \[0, 8\)"),
        ({"spins": spins, "sites": np.array([0, 1, 1, 0, 0, 0, 0, 0])}, "8 numbers for 2 sites; a mask must be bool"),
        ({"spins": spins, "sites": [3, 3]}, "every site once"),
        ({"spins": spins, "sources": 9}, "at most the 8 sites"),
        ({"spins": spins, "sources": 0}, "sources"),
    ]:
        with pytest.raises(ValueError, match=message):
            ising.correlations(lattice, **arguments)


# Decay length


def test_decay_length_is_calibrated():
    rng, r, z = np.random.default_rng(6), np.arange(12), []
    for _ in range(100):
        noise = 0.002 * rng.standard_normal((16, 12)).cumsum(axis=1) / np.sqrt(1 + r)  # neighbouring r move together
        table = xr.Dataset({"correlation": (("chain", "distance"), 0.7 * np.exp(-r / 1.5) + noise)}, {"distance": r})
        fit = analysis.decay_length(table, window=(1, 6))
        z.append((fit.decay_length - 1.5) / fit.decay_length_error)
    assert_unit_variance(np.array(z) * np.sqrt(13 / 15))  # Student's t of 15 degrees of freedom
    with pytest.raises(AssertionError):
        assert_unit_variance(2 * np.array(z))


def test_decay_length_refuses(ring):
    with pytest.raises(ValueError, match="chain of 2 or more"):
        analysis.decay_length(ring.isel(chain=0))
    with pytest.raises(ValueError, match="3 distances or more"):
        analysis.decay_length(ring, window=(1, 2))


@pytest.mark.parametrize(("p", "q", "n_sites", "beta_c"), [(5, 4, 3720, 0.3572605), (3, 7, 5676, 0.18677)])
def test_branching_number_reaches_one_at_the_transition(p, q, n_sites, beta_c):
    """chi = sum over spheres of C(r) diverges where growth x e^(-1/xi) = 1, with xi of the order of a bond."""
    lattice = ising.closed_hyperbolic(p, q, n_sites)
    schedule = ising.Schedule(warmup=100, draws=100)
    data = ising.sample(
        ising.ferromagnet(lattice),
        beta_c * np.array([0.75, 0.85, 0.95]),
        schedule,
        update="swendsen_wang",
        chains=16,
        seed=7,
        configurations=2,
        progress=False,
    )
    fit = analysis.decay_length(ising.correlations(lattice, data.configurations), window=(1, 4))
    branching = growth_rate(p, q) * np.exp(-1 / fit.decay_length.values)
    assert (np.diff(branching) > 0.03).all()
    assert branching[0] < 0.8
    assert 0.9 < branching[-1] < 1.02
    assert fit.decay_length.max() < 1.3


# The eigenmode proxy


def test_on_a_torus_it_is_the_second_moment_length():
    lattice = ising.square(12)
    data = ising.sample(ising.ferromagnet(lattice), [0.3, 0.42], ising.Schedule(50, 1), seed=8, progress=False)
    table = ising.eigenmode_correlation_length(lattice, data.spins)
    assert table.attrs["degeneracy"] == 4
    assert np.sqrt(table.attrs["mu_1"]) == pytest.approx(2 * np.sin(np.pi / 12), rel=1e-9)
    np.testing.assert_allclose(table.chi_0, 144 * data.magnetization.isel(draw=-1) ** 2)
    np.testing.assert_allclose(table.chi_1, data.structure_factor.isel(draw=-1), rtol=1e-9)


def test_on_expanders_it_grows_as_the_fourth_root_of_size():
    lengths = []
    for n_sites in (330, 1710):
        lattice = ising.closed_hyperbolic(5, 4, n_sites)
        data = ising.sample(
            ising.ferromagnet(lattice),
            0.3572605,
            ising.Schedule(100, 300),
            update="swendsen_wang",
            chains=16,
            seed=9,
            configurations=3,
            progress=False,
        )
        table = ising.eigenmode_correlation_length(lattice, data.configurations.isel(beta=0))
        ratio = table.chi_0.mean() / table.chi_1.mean()
        lengths.append(float(np.sqrt((ratio - 1) / table.attrs["mu_1"])))
    assert abs(np.log(lengths[1] / lengths[0]) / np.log(1710 / 330) - 0.25) < 0.06
    assert lengths[1] > 5  # half the way across, where C(r) decays within 1.5 bonds


# Mean field


def test_curie_weiss_in_its_scaling_variables():
    x, names = np.array([-2.0, 0.0, 2.0]), ["susceptibility", "magnetization_abs", "binder"]
    limit = analysis.curie_weiss_scaling(x)
    away = []
    for n in (1024, 4096):
        beta = 1 + x / np.sqrt(n)
        rows = [exact(n, b) for b in beta]
        table = xr.Dataset(
            {name: ("beta", [row[name] for row in rows]) for name in names}, {"beta": beta, "n_sites": n}
        )
        table = table.assign({f"{name}_error": table[name] * 0 for name in names})
        scaled = analysis.mean_field_variables(table, 1.0)
        np.testing.assert_allclose(scaled.x, x, atol=1e-12)
        away.append([scaled[name].values - limit[name].values for name in names])
    np.testing.assert_allclose(np.divide(*away), 2.0, rtol=0.15)  # corrections of order N^(-1/2)
    table = analysis.summarize(dense_family())
    at_critical = analysis.curie_weiss_scaling(0.0)
    assert at_critical.susceptibility.item() == pytest.approx(1.1708286566, abs=1e-9)
    assert at_critical.magnetization_abs.item() == pytest.approx(0.9098905883, abs=1e-9)
    with pytest.raises(ValueError, match="beta_c must be finite and > 0"):
        analysis.mean_field_variables(table, 0.0)
    with pytest.raises(ValueError, match="x must be finite and >= -10 and <= 10"):
        analysis.curie_weiss_scaling(11.0)


def test_plots_draw_what_they_are_given(ring):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    scaled = analysis.mean_field_variables(analysis.summarize(dense_family()), 1.0)
    _, ax = plt.subplots()
    curve = analysis.curie_weiss_scaling(np.linspace(-3, 6, 50))
    assert analysis.plots.collapse(scaled, "magnetization_abs", curve, ax) is ax
    np.testing.assert_array_equal(ax.containers[1].lines[0].get_xdata(), scaled.x.isel(L=1))
    assert ax.get_legend().get_texts()[-1].get_text() == "N = 1024"
    ax = analysis.plots.correlation(ring, analysis.decay_length(ring, (1, 8)))
    assert ax.get_yscale() == "log"
    assert len(ax.containers) == 2
    assert analysis.plots.correlation(ring.isel(beta=0, drop=True)).get_legend() is None
    plt.close("all")
