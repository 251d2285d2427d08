"""Staggered magnetization of antiferromagnets; overlaps, equilibration and log-binning of spin glasses."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from statistics_of_chains import joint_p, z_score

import analysis
import ising
from analysis.bootstrap import bootstrap, covariance
from analysis.glass import equilibration, log_binning
from analysis.thermodynamics import confidence_interval
from ising.sublattices import sublattice_signs

NAMES = ["energy", "magnetization", "staggered_magnetization"]


def complete_bipartite(n: int) -> ising.Lattice:
    return ising.from_bonds(2 * n, [(i, n + j) for i in range(n) for j in range(n)])


def gaussian(lattice: ising.Lattice) -> ising.IsingModel:
    couplings = np.random.default_rng(1).normal(size=lattice.n_bonds) / np.sqrt(lattice.degree[0])
    return ising.IsingModel(lattice, couplings)


def chequerboard(lattice: ising.Lattice) -> np.ndarray:
    parity = np.indices((lattice.attrs["L"],) * lattice.dimension).sum(axis=0, dtype=np.int8) % 2
    return (1 - 2 * parity).ravel()


SQUARE = ising.square(6)
CASES = {  # name of the kernel -> model, options
    "bits": (ising.ferromagnet(SQUARE, -1.0, h=0.2), {}),
    "bits, disorder in lanes": (ising.edwards_anderson(SQUARE, 1, disorder=3), {"lanes": "disorder", "chains": 2}),
    "fields, recomputed": (gaussian(SQUARE), {"chains": 5, "beta": [0.1, 0.3], "exchange": True}),
    "fields, cached": (gaussian(complete_bipartite(200)), {"chains": 4, "beta": [0.1, 0.3], "exchange": True}),
    "clusters": (ising.ferromagnet(SQUARE, -1.0, h=0.2), {"update": "swendsen_wang", "chains": 3}),
    "clusters (Wolff)": (gaussian(SQUARE), {"update": "wolff", "chains": 3}),
    "spins": (gaussian(SQUARE), {"update": "random_site", "chains": 3}),
    "space": (ising.ferromagnet(ising.square(128), -1.0), {"chains": 2}),
    "space (cubic)": (ising.ferromagnet(ising.cubic(128), -1.0), {"chains": 1}),
}


@pytest.mark.parametrize("case", CASES)
def test_staggered_magnetization_is_the_sum_over_the_spins_kept(case):
    model, options = CASES[case]
    schedule = ising.Schedule(warmup=2, draws=2)
    options = {"beta": 0.3, "observables": NAMES, "configurations": 1, "progress": False, **options}
    data = ising.sample(model, schedule=schedule, **options)
    lattice = (model if isinstance(model, ising.IsingModel) else model[0]).lattice
    signs = chequerboard(lattice) if case.startswith("space") else sublattice_signs(lattice)
    moved = (data["configurations"] * signs).mean("site", dtype=float).rename(configuration="draw")
    measured = data["staggered_magnetization"]
    assert data.attrs["kernel"] == case.split(" (")[0]
    np.testing.assert_allclose(measured, moved.transpose(*measured.dims), atol=1e-14)
    assert not np.allclose(measured, data["magnetization"])  # negative control


@pytest.mark.parametrize("lattice", [ising.square(4), ising.chain(6), complete_bipartite(3)], ids=lambda x: x.name)
def test_antiferromagnet_is_the_ferromagnet_with_one_sublattice_turned(lattice):
    """<|m_s|>, <m_s^2>, <m_s^4> and <e> of J < 0 are <|m|>, ... of J > 0, by enumeration."""
    beta = np.array([0.15, 0.35])
    exact = ising.exact.enumerate_model(ising.ferromagnet(lattice), beta)
    data = ising.sample(
        ising.ferromagnet(lattice, -1.0), beta, ising.Schedule(200, 2000), "heat_bath", seed=3, progress=False
    )
    m = data["staggered_magnetization"]
    m2 = exact["susceptibility"] / lattice.n_sites
    m4 = 3 * m2**2 * (1 - exact["binder"])
    pairs = [(abs(m), exact["magnetization_abs"]), (m**2, m2), (m**4, m4), (data["energy"], exact["energy"])]
    z = np.stack([z_score(values.mean("draw"), truth) for values, truth in pairs])
    assert np.abs(z).max() < 5
    assert all(joint_p(row, 64) > 1e-3 for row in z)
    unturned = z_score((data["magnetization"] ** 2).mean("draw"), m2)
    assert np.abs(unturned).max() > 20  # negative control: the plain magnetization is another quantity


def test_antiferromagnet_has_kaufmans_energy_and_an_ordered_staggered_phase():
    data = ising.sample(
        ising.ferromagnet(ising.square(8), -1.0), [0.3, 0.6], ising.Schedule(500, 1000), "swendsen_wang",
        chains=32, seed=1, progress=False,
    )  # fmt: skip
    exact = ising.exact.kaufman(8, data["beta"].values).energy
    assert np.abs(z_score(data["energy"].mean("draw"), exact)).max() < 5
    table = analysis.summarize(data)
    onsager = (1 - np.sinh(2 * 0.6) ** -4) ** (1 / 8)
    assert abs(table["staggered_magnetization_abs"][1] - onsager) < 0.01  # exponentially close to the infinite lattice
    assert table["magnetization_abs"][1] < 0.1
    assert table["binder_staggered"][1] > 0.66 > table["binder_staggered"][0]
    chi = 64 * (data["staggered_magnetization"] ** 2).mean(("chain", "draw"))
    np.testing.assert_allclose(table["susceptibility_staggered"], chi)


def test_staggered_magnetization_by_default_and_refused():
    options = {"beta": 0.2, "schedule": ising.Schedule(1, 2), "progress": False}
    assert "staggered_magnetization" in ising.sample(ising.ferromagnet(SQUARE, -1.0), **options)
    assert "staggered_magnetization" not in ising.sample(ising.ferromagnet(SQUARE), **options)
    assert "staggered_magnetization" not in ising.sample(ising.edwards_anderson(SQUARE, 1), **options)
    for lattice in (ising.chain(5), ising.triangular(4), ising.complete(4)):
        assert "staggered_magnetization" not in ising.sample(ising.ferromagnet(lattice, -1.0), **options)
        with pytest.raises(ValueError, match=r"needs a bipartite lattice, but .* odd ring"):
            ising.sample(ising.ferromagnet(lattice, -1.0), observables=NAMES, **options)


def test_sublattice_signs_are_the_chequerboard():
    for lattice in (ising.square(6), ising.cubic(4)):
        np.testing.assert_array_equal(sublattice_signs(lattice), chequerboard(lattice))


def test_sublattices_of_a_disconnected_graph():
    assert sublattice_signs(ising.from_bonds(5, [(0, 1), (2, 3)])).tolist() == [1, -1, 1, -1, 1]


# Spin glasses


def exact_overlaps(model: ising.IsingModel, beta: float) -> dict[str, float]:
    """<q^2>, <q^4>, <q_l>, <F_q> of two replicas by summing over all pairs of configurations."""
    n, lattice = model.lattice.n_sites, model.lattice
    spins = 1.0 - 2.0 * (np.arange(2**n)[:, np.newaxis] >> np.arange(n) & 1)
    weight = np.exp(-beta * (energy := model.energy(spins)) + beta * energy.min())
    weight /= weight.sum()

    def pair_mean(values):
        return float(weight @ values @ weight)

    q = spins @ spins.T / n
    links = spins[:, lattice.bonds[:, 0]] * spins[:, lattice.bonds[:, 1]]
    waves = np.exp(2j * np.pi / lattice.momentum.length * lattice.momentum.layers)
    structure = sum(abs((spins * wave) @ spins.T) ** 2 for wave in waves) / (len(waves) * n)
    link_overlap = links @ links.T / lattice.n_bonds
    return {"q2": pair_mean(q**2), "q4": pair_mean(q**4), "ql": pair_mean(link_overlap), "fq": pair_mean(structure)}


@pytest.fixture(scope="module")
def small_glass() -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    models = ising.edwards_anderson(ising.square(3), 4, distribution="gaussian", disorder=6)
    data = ising.sample(models, 0.8, ising.Schedule(100, 2000), chains=64, seed=5, progress=False)
    exact = [exact_overlaps(model, 0.8) for model in models]
    return data, {name: np.array([each[name] for each in exact]) for name in exact[0]}


def quantities(exact: dict[str, np.ndarray], n: int, length: int) -> dict[str, np.ndarray]:
    xi = np.sqrt(n * exact["q2"] / exact["fq"] - 1) / (2 * np.sin(np.pi / length))
    binder = (3 - exact["q4"] / exact["q2"] ** 2) / 2
    return {
        "chi_sg": n * exact["q2"], "binder_q": binder, "xi_q": xi, "xi_q_over_L": xi / length,
        "link_overlap": exact["ql"],
    }  # fmt: skip


def test_overlap_quantities_of_one_realisation_are_exact(small_glass):
    data, exact = small_glass
    truth = quantities(exact, 9, 3)
    tables = [analysis.summarize(data.isel(disorder=r)) for r in range(6)]
    for name, values in truth.items():
        z = [(t[name].item() - value) / t[f"{name}_error"].item() for t, value in zip(tables, values)]
        assert np.abs(z).max() < 5, name
        assert joint_p(z, 64) > 1e-3, name
    assert tables[0]["n_blocks"] == 64  # pairs of chains, two blocks each
    assert tables[0]["ess_overlap_abs"] == 32 * 2000 / tables[0]["tau_overlap_abs"]


def test_disorder_average_comes_before_the_ratio(small_glass):
    data, exact = small_glass
    averaged = quantities({name: values.mean() for name, values in exact.items()}, 9, 3)
    table = analysis.summarize(data)
    for name, value in averaged.items():
        noise = bootstrap(data, name, replicas=200)[f"{name}_thermal_error"].item()
        assert abs(table[name].item() - value) < 5 * noise, name
        assert noise < table[f"{name}_error"].item()
    noise = bootstrap(data, "binder_q", replicas=200)["binder_q_thermal_error"].item()
    mean_of_ratios = quantities(exact, 9, 3)["binder_q"].mean()
    assert abs(table["binder_q"].item() - mean_of_ratios) > 5 * noise  # negative control
    assert table["binder_q"].attrs["formula"] == "(3 - [<q^4>] / [<q^2>]^2) / 2"


def test_energy_of_a_gaussian_glass_follows_from_its_link_overlap_in_equilibrium_only():
    models = ising.edwards_anderson(ising.square(4), 3, distribution="gaussian", disorder=200)
    options = {"beta": [0.5, 1.2], "chains": 2, "seed": 1, "progress": False}
    settled = equilibration(ising.sample(models, schedule=ising.Schedule(400, 200), **options), 2)
    assert np.abs(settled["difference"] / settled["difference_error"]).max() < 5
    early = equilibration(ising.sample(models, schedule=ising.Schedule(0, 2), **options), 2)
    assert early["difference"][1] > 5 * early["difference_error"][1]  # negative control
    np.testing.assert_allclose(early["difference"], early["energy"] - early["energy_from_links"])


def test_log_binning_sees_the_drift_of_a_run_without_warm_up():
    model = ising.ferromagnet(ising.square(16))
    data = ising.sample(model, [0.3, 0.44], ising.Schedule(0, 512), "heat_bath", chains=64, seed=2, progress=False)
    table = log_binning(data, "magnetization_abs")
    assert table["first"].values.tolist() == [256, 128, 64, 32, 16, 8, 4, 2]
    assert table["magnetization_abs"].sizes == {"bin": 8, "beta": 2}
    drift = table["magnetization_abs_change"] / table["magnetization_abs_change_error"]
    assert np.abs(drift[1:6, 0]).max() < 5  # tau of 10 sweeps
    assert drift[-1, 1] < -5  # near beta_c the magnetization still grows after 4 sweeps
    last = data["magnetization"].isel(draw=slice(256, None))
    np.testing.assert_allclose(table["magnetization_abs"][0], abs(last).mean(("chain", "draw")))


def test_log_binning_of_one_pair_a_realisation(small_glass):
    table = log_binning(small_glass[0].isel(chain=[0, 1], pair=[0]), "chi_sg")
    assert (table["chi_sg_error"] > 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda glass: equilibration(glass.assign_attrs(model_distribution="bimodal"), 2), "use log_binning"),
        (lambda glass: equilibration(glass.isel(disorder=[0]), 2), "at least 2 realisations, got 1"),
        (lambda glass: equilibration(glass, 0), "bonds_per_site must be finite and > 0"),
        (lambda glass: equilibration(glass.drop_vars("link_overlap"), 2), "link_overlap needs link_overlap"),
        (lambda glass: log_binning(glass.isel(draw=slice(11))), "at least 12 draws, got 11"),
        (lambda glass: log_binning(glass.isel(disorder=0, chain=[0, 1], pair=[0])), "got one"),
        (lambda glass: bootstrap(glass, "energy", replicas=10), "replicas must be an integer >= 100, got 10"),
        (lambda glass: bootstrap(glass, "heat"), "quantity must be one of"),
        (lambda glass: covariance(glass, "heat"), "quantity must be one of"),
        (lambda glass: confidence_interval(analysis.summarize(glass), "heat"), "name must be one of energy, "),
        (lambda glass: confidence_interval(analysis.summarize(glass), "energy", 95), "between 0 and 1, got 95"),
    ],
)
def test_refusals(small_glass, call, message):
    with pytest.raises(ValueError, match=message):
        call(small_glass[0].isel(draw=slice(200)))


# Two-level bootstrap and joint covariance


def hierarchical(n_realisations: int, between: float, within: float, rng, n_beta: int = 1) -> xr.Dataset:
    """Energies with a mean of its own for every realisation and white thermal noise, 4 chains of 200 draws."""
    centre = between * rng.normal(size=(n_realisations, 1, 1, 1))
    energy = centre + within * rng.normal(size=(n_realisations, n_beta, 4, 200))
    return xr.Dataset(
        {"energy": (("disorder", "beta", "chain", "draw"), energy)}, {"beta": np.arange(1.0, n_beta + 1), "n_sites": 10}
    )


def test_bootstrap_tells_thermal_noise_from_disorder():
    n, between, within = 100, 0.05, 1.0
    data = hierarchical(n, between, within, np.random.default_rng(1), n_beta=20)
    table = bootstrap(data, "energy")
    thermal = within**2 / 800 / n
    # every beta is a chi-square estimate of relative error 1 / sqrt(2 blocks); the 20 share the realisations
    assert abs((table["energy_thermal_error"] ** 2).mean() / thermal - 1) < 0.1
    assert abs((table["energy_error"] ** 2).mean() / (between**2 / n + thermal) - 1) < 5 * np.sqrt(2 / n)
    jackknife = analysis.summarize(data)["energy_error"]
    assert np.abs(table["energy_error"] / jackknife - 1).max() < 5 / np.sqrt(2 * 1000)
    one = bootstrap(data.isel(disorder=0), "energy")
    assert "energy_thermal_error" not in one
    assert np.abs(one["energy_error"] / analysis.summarize(data.isel(disorder=0))["energy_error"] - 1).max() < 0.12
    quantiles = one["energy_quantiles"] - one["energy"]
    np.testing.assert_allclose(quantiles.sel(quantile=0.84) / one["energy_error"], 0.994, atol=0.2)
    xr.testing.assert_identical(one, bootstrap(data.isel(disorder=0), "energy"))


def test_covariance_between_beta_that_share_their_runs():
    """Joint chi-square of 3 correlated beta over 200 runs: calibrated with the covariance, not with the diagonal."""
    rng, full, diagonal, n_blocks = np.random.default_rng(2), [], [], 64
    for _ in range(200):
        noise = rng.normal(size=(1, 8, 400)) + 0.5 * rng.normal(size=(3, 8, 400))
        data = xr.Dataset({"energy": (("beta", "chain", "draw"), noise)}, {"beta": [1.0, 2.0, 3.0], "n_sites": 10})
        shared = covariance(data.assign_attrs(exchange=1), "energy")
        alone = covariance(data, "energy")
        value = shared["value"].values
        full.append(value @ np.linalg.solve(shared.values, value))
        diagonal.append(value @ np.linalg.solve(alone.values, value))
    assert np.count_nonzero(alone) == 3
    np.testing.assert_array_equal(np.diag(alone), np.diag(shared))
    hotelling = (n_blocks - 3) / (3 * (n_blocks - 1))  # T^2 -> F(3, n_blocks - 3)
    assert stats.kstest(hotelling * np.array(full), stats.f(3, n_blocks - 3).cdf).pvalue > 1e-3
    assert stats.kstest(hotelling * np.array(diagonal), stats.f(3, n_blocks - 3).cdf).pvalue < 1e-6


def test_covariance_of_sizes_is_block_diagonal():
    rng = np.random.default_rng(3)
    sizes = [hierarchical(30, 1.0, 0.1, rng, n_beta=2).assign_coords(L=L, n_sites=L) for L in (4, 8)]
    matrix = covariance(sizes, "energy")
    assert matrix["n_sites"].values.tolist() == [4, 4, 8, 8]
    assert np.all(matrix.values[:2, 2:] == 0)
    correlation = matrix.values[0, 1] / np.sqrt(matrix.values[0, 0] * matrix.values[1, 1])
    assert correlation > 0.9  # both beta have the same realisations
