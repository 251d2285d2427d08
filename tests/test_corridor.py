"""The comparison: corridors in closed form, exact entropies, the table's arithmetic."""

import numpy as np
import pytest
import xarray as xr

import ising
from ceas_physics import attention, corridor


def test_total_corridor_of_the_square_lattice_is_kaufmans():
    model = ising.ferromagnet(ising.square(8))
    low, high = corridor.total_corridor(model, progress=False)
    beta = np.linspace(0.05, 0.2, 400)
    loss = 64 * (np.log(2) - ising.exact.kaufman(8, beta).entropy.values)
    np.testing.assert_allclose([low, high], np.interp([0.9, 1.3], loss, beta), rtol=0.01)


def test_total_corridor_of_a_glass_is_enumerations():
    model = ising.edwards_anderson(ising.square(4), seed=1)
    low, high = corridor.total_corridor(model, progress=False)
    beta = np.linspace(0.1, 0.5, 100)
    loss = 16 * (np.log(2) - ising.exact.enumerate_model(model, beta).entropy.values)
    np.testing.assert_allclose([low, high], np.interp([0.9, 1.3], loss, beta), rtol=0.02)


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


def test_site_corridor_of_a_ring_is_exact():
    """The neighbours of a spin agree with probability (1 + t^2)/2, t = tanh beta; if not, its entropy is ln 2."""
    low, high = corridor.site_corridor(ising.ferromagnet(ising.chain(4096)), 1.5, 64, progress=False)
    beta = np.linspace(0.05, 1.5, 2000)
    p = 1 / (1 + np.exp(-4 * beta))
    h2 = -p * np.log(p) - (1 - p) * np.log1p(-p)
    agree = (1 + np.tanh(beta) ** 2) / 2
    entropy = agree * h2 + (1 - agree) * np.log(2)
    targets = [np.log(2) * (np.log(64) - depth) / np.log(64) for depth in (0.9, 1.3)]
    np.testing.assert_allclose([low, high], np.interp(-np.array(targets), -entropy, beta), rtol=0.01)


def test_head_corridor_bounds_the_entropy():
    scores = np.random.default_rng(1).normal(size=(200, 64))
    low, high = corridor.head_corridor(scores)
    assert attention.entropy(scores, low).mean() == pytest.approx(np.log(64) - 0.9, abs=1e-6)
    assert attention.entropy(scores, high).mean() == pytest.approx(np.log(64) - 1.3, abs=1e-6)
    assert low < high


def test_random_energy_model_entries():
    entries = corridor.rem_systems((16, 256), rows=4096, seed=3)
    for entry, ratio in zip(entries, (0.909, 0.769)):
        x_c = np.sqrt(2 * np.log(int(entry.size)))
        assert abs(entry.beta_c / x_c - ratio) < 0.02 + 4 * entry.beta_c_error / x_c
        assert 0 < entry.beta_c_error < 0.1
        assert entry.band_low < entry.beta_c < entry.band_high


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
    with pytest.raises(ValueError, match="field"):
        corridor.total_corridor(ising.ferromagnet(ising.square(4), h=0.1))
