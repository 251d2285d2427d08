"""The comparison: corridors in closed form, exact entropies, the table's arithmetic."""

import numpy as np
import pytest
import xarray as xr

import ising
from ceas_physics import attention, corridor


def near(ends, exact, sigmas=5.0):
    """Both ends within their errors of the exact ones, and the errors below 1 %."""
    z = (np.array([ends.beta_low, ends.beta_high]) - exact) / [ends.beta_low_error, ends.beta_high_error]
    assert (np.abs(z) < sigmas).all(), z
    assert 0 < ends.beta_low_error < 0.01 * ends.beta_low
    assert 0 < ends.beta_high_error < 0.01 * ends.beta_high


def test_total_corridor_of_the_square_lattice_is_kaufmans():
    ends = corridor.total_corridor(ising.ferromagnet(ising.square(8)), progress=False)
    beta = np.linspace(0.05, 0.2, 400)
    loss = 64 * (np.log(2) - ising.exact.kaufman(8, beta).entropy.values)
    near(ends, np.interp([0.9, 1.3], loss, beta))


@pytest.mark.parametrize(
    "model",
    [
        ising.ferromagnet(ising.square(4)),  # a cubic through the energies is 2 % off here
        ising.edwards_anderson(ising.square(4), seed=1),
        ising.ferromagnet(ising.complete(12), J=1 / 12),
        ising.ferromagnet(ising.chain(6)),
    ],
    ids=lambda model: f"{model.name} on {model.lattice.name}",
)
def test_total_corridor_is_enumerations(model):
    width = np.sqrt((np.broadcast_to(model.couplings, model.lattice.n_bonds) ** 2).sum())
    beta = np.linspace(1e-3, 2.0, 400) / width
    loss = model.lattice.n_sites * (np.log(2) - ising.exact.enumerate_model(model, beta).entropy.values)
    near(corridor.total_corridor(model, progress=False), np.interp([0.9, 1.3], loss, beta))


def test_total_corridor_beyond_reach_is_nan():
    """Two spins with one bond keep ln 2 of their 2 ln 2."""
    ends = corridor.total_corridor(ising.ferromagnet(ising.from_bonds(2, [[0, 1]])), progress=False)
    assert np.isnan([ends.beta_low, ends.beta_high]).all()


def test_site_entropy_is_the_binary_entropy_of_each_spin_given_its_neighbours():
    model = ising.IsingModel(ising.chain(6), np.linspace(0.2, 1, 6), 0.3)
    spins = np.random.default_rng(0).choice([-1, 1], (1, 5, 6))
    expected = []
    for s in spins[0]:
        for i in range(6):
            up, down = s.copy(), s.copy()
            up[i], down[i] = 1, -1
            p = 1 / (1 + np.exp(0.7 * (model.energy(up) - model.energy(down))))
            expected.append(-p * np.log(p) - (1 - p) * np.log(1 - p))
    assert corridor.site_entropy(model, [0.7], spins)[0] == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize("beta_max", [1.0, 2.0])
def test_site_corridor_of_a_ring_is_exact(beta_max):
    """The neighbours of a spin agree with probability (1 + t^2)/2, t = tanh beta; if not, its entropy is ln 2."""
    ends = corridor.site_corridor(ising.ferromagnet(ising.chain(4096)), beta_max, 64, progress=False)
    beta = np.linspace(0.05, 1.5, 2000)
    p = 1 / (1 + np.exp(-4 * beta))
    h2 = -p * np.log(p) - (1 - p) * np.log1p(-p)
    agree = (1 + np.tanh(beta) ** 2) / 2
    entropy = agree * h2 + (1 - agree) * np.log(2)
    targets = [np.log(2) * (np.log(64) - depth) / np.log(64) for depth in (0.9, 1.3)]
    near(ends, np.interp(-np.array(targets), -entropy, beta))


def test_corridors_refuse():
    bare = ising.from_bonds(4, np.empty((0, 2), dtype=int))
    for model in (ising.ferromagnet(ising.square(4), J=0.0), ising.ferromagnet(bare)):
        for measure in (corridor.total_corridor, lambda m: corridor.site_corridor(m, 1.0)):
            with pytest.raises(ValueError, match="needs couplings"):
                measure(model)
    square = ising.ferromagnet(ising.square(4))
    with pytest.raises(ValueError, match="visible_keys must be at least 8, got 7"):
        corridor.site_corridor(square, 1.0, visible_keys=7)
    with pytest.raises(ValueError, match="beta_max"):
        corridor.site_corridor(square, -1.0)
    with pytest.raises(ValueError, match="field"):
        corridor.total_corridor(ising.ferromagnet(ising.square(4), h=0.1))


def test_head_corridor_bounds_the_entropy():
    scores = np.random.default_rng(1).normal(size=(200, 64))
    ends = corridor.head_corridor(scores)
    assert attention.entropy(scores, ends.beta_low).mean() == pytest.approx(np.log(64) - 0.9, abs=1e-6)
    assert attention.entropy(scores, ends.beta_high).mean() == pytest.approx(np.log(64) - 1.3, abs=1e-6)
    assert ends.beta_low < ends.beta_high
    assert np.isnan(ends.beta_low_error)


def test_head_corridor_errors_are_the_jackknifes():
    scores = np.random.default_rng(2).normal(size=(12, 40, 64)) * np.linspace(0.8, 1.2, 12)[:, None, None]
    ends = corridor.head_corridor(scores)
    left_out = [corridor.head_corridor(np.delete(scores, k, axis=0).reshape(-1, 64)) for k in range(12)]
    for end in ("beta_low", "beta_high"):
        error = np.sqrt(11 * np.var([getattr(one, end) for one in left_out]))
        assert getattr(ends, f"{end}_error") == pytest.approx(error, rel=0.1)


def test_random_energy_model_entries():
    entries = corridor.rem_systems((16, 256), rows=4096, seed=3)
    for entry, ratio in zip(entries, (0.909, 0.769)):
        x_c = np.sqrt(2 * np.log(int(entry.size)))
        assert abs(entry.beta_c / x_c - ratio) < 0.02 + 4 * entry.beta_c_error / x_c
        assert 0 < entry.beta_c_error < 0.1
        assert entry.band_low < entry.beta_c < entry.band_high
        assert 0 < entry.beta_low_error < 0.02 * entry.beta_low


def test_compare():
    systems = [
        corridor.System("a", "8", "head", 2.0, 0.1, "peak", 1.0, 3.0),
        corridor.System("b", "8", "head", 2.0, 0.1, "peak", 0.5, 1.99),
    ]
    table = corridor.compare(systems, u_min=0.05, nu=0.5)
    np.testing.assert_allclose(table.u_low, [0.5, 0.75])
    np.testing.assert_allclose(table.u_high, [0.5, 0.005])
    np.testing.assert_allclose(table.zeta_high, [0.5**-0.5, 0.05**-0.5])
    assert table.near_critical.values.tolist() == [True, False]
    for name in ("system", "size", "beta_c", "beta_c_error", "method", "beta_low", "beta_high", "u_low", "zeta_high"):
        assert table[name].attrs["long_name"]
    for variable in table.data_vars.values():
        assert {"long_name", "units", "formula"} <= variable.attrs.keys()
    assert "numpy" in table.attrs["versions"]
    with pytest.raises(ValueError, match="at least one system"):
        corridor.compare([])


def test_compare_survives_a_file(tmp_path):
    table = corridor.compare(corridor.rem_systems((16,), rows=1024))
    table.to_netcdf(tmp_path / "corridor.nc")
    with xr.open_dataset(tmp_path / "corridor.nc") as back:
        np.testing.assert_allclose(back.beta_c, table.beta_c)


def test_spin_systems_of_small_squares():
    models = {L: ising.ferromagnet(ising.square(L)) for L in (6, 8, 12)}
    betas = {L: 0.4407 + np.linspace(-1.2, 0.8, 11) / L for L in models}
    data = ising.sample_sizes(
        models, betas, ising.Schedule(100, 2000), update="swendsen_wang", chains=16, progress=False, seed=2
    )
    entries = corridor.spin_systems("square", models, data, progress=False)
    assert [entry.size for entry in entries] == ["6", "6", "8", "8", "12", "12", "infinite"]
    fine = np.linspace(0.36, 0.46, 1001)
    for entry in entries[:6:2]:
        exact = fine[ising.exact.kaufman(int(entry.size), fine).specific_heat.values.argmax()]
        assert abs(entry.beta_c - exact) < 4 * entry.beta_c_error + 0.002
    limit = entries[-1]
    assert abs(limit.beta_c - ising.exact.SQUARE_CRITICAL_BETA) < 4 * limit.beta_c_error
    assert all(entry.beta_low_error > 0 and entry.beta_high_error > 0 for entry in entries)
