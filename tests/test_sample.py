"""The contract of `sample`: shapes, seeds, threads, overlaps, real lattices against Kaufman, and clear errors."""

import numpy as np
import pytest
import xarray as xr
from statistics_of_chains import joint_p, z_score

import ising
from ising import kernels_bits, kernels_spins, streams, tables

SHORT = ising.Schedule(20, 60)
SQUARE = ising.ferromagnet(ising.square(6))


def run(model=SQUARE, beta=0.4, schedule=SHORT, **options):
    return ising.sample(model, beta, schedule, progress=False, **options)


def test_dataset_layout():
    data = run(beta=[0.2, 0.4], chains=6, configurations=20, update="heat_bath")
    assert data.energy.dims == ("beta", "chain", "draw")
    assert dict(data.sizes) == {"beta": 2, "chain": 6, "draw": 60, "configuration": 3, "site": 36}
    np.testing.assert_allclose(data.energy.isel(draw=-1), SQUARE.energy(data.spins) / 36)
    np.testing.assert_allclose(data.magnetization.isel(draw=-1), data.spins.mean("site"))
    np.testing.assert_allclose(data.energy.isel(draw=[19, 39, 59]), SQUARE.energy(data.configurations) / 36)
    assert data.configuration.values.tolist() == [19, 39, 59]
    phase = np.exp(2j * np.pi * SQUARE.lattice.momentum.layers / 6)  # (axis, site)
    amplitude = np.abs(data.spins.values @ phase.T) ** 2  # (beta, chain, axis)
    np.testing.assert_allclose(data.structure_factor.isel(draw=-1), amplitude.mean(axis=-1) / 36, atol=1e-12)
    assert {"model", "lattice", "update", "seed", "warmup", "draws", "thin", "numba_version"} <= set(data.attrs)
    assert data.energy.attrs["formula"] == "H / n_sites"


@pytest.mark.parametrize("update", ["heat_bath", "wolff"])
@pytest.mark.parametrize("distribution", ["bimodal", "gaussian"])
def test_overlaps(update, distribution):
    model = ising.edwards_anderson(ising.square(4), seed=1, distribution=distribution)
    data = run(model, chains=6, update=update)
    s = data.spins.values.astype(float)  # (beta, chain, site)
    q = s[:, 0::2] * s[:, 1::2]
    np.testing.assert_allclose(data.overlap.isel(draw=-1), q.mean(axis=-1))
    a, b = model.lattice.bonds.T
    np.testing.assert_allclose(data.link_overlap.isel(draw=-1), (q[..., a] * q[..., b]).mean(axis=-1))
    amplitude = np.abs(q @ np.exp(2j * np.pi * model.lattice.momentum.layers / 4).T) ** 2
    np.testing.assert_allclose(data.overlap_k.isel(draw=-1), amplitude.mean(axis=-1) / 16, atol=1e-12)
    np.testing.assert_allclose(data.energy.isel(draw=-1), model.energy(s) / 16)


@pytest.mark.parametrize("update", ["heat_bath", "random_site", "swendsen_wang", "wolff"])
def test_same_seed_same_bits_on_any_thread_count_and_chain_count(update):
    one = run(beta=[0.3, 0.5, 0.4], chains=70, update=update, seed=3, threads=1)
    xr.testing.assert_identical(one, run(beta=[0.3, 0.5, 0.4], chains=70, update=update, seed=3, threads=2))
    fewer = run(beta=[0.3, 0.5], chains=10, update=update, seed=3)
    np.testing.assert_array_equal(one.energy[:2, :10], fewer.energy)
    assert not np.array_equal(fewer.energy, run(beta=[0.3, 0.5], chains=10, update=update, seed=4).energy)
    assert len(np.unique(one.energy.isel(beta=0).values, axis=0)) == 70


def test_disorder_realisation_does_not_depend_on_their_number():
    lattice = ising.square(5)
    three = run(ising.edwards_anderson(lattice, seed=2, disorder=3), chains=4)
    assert three.energy.dims == ("disorder", "beta", "chain", "draw")
    two = run(ising.edwards_anderson(lattice, seed=2, disorder=2), chains=4)
    np.testing.assert_array_equal(three.energy[:2], two.energy)
    one = run(ising.edwards_anderson(lattice, seed=2), chains=4)
    np.testing.assert_array_equal(three.energy[0], one.energy)
    assert one.energy.dims == ("beta", "chain", "draw")


def test_files_open_in_plain_xarray(tmp_path):
    data = run(chains=4, configurations=10)
    data.to_netcdf(tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc") as back:
        xr.testing.assert_identical(back.load(), data)


def test_auto_says_what_it_picked():
    assert run(ising.ferromagnet(ising.square(24))).attrs["update"] == "swendsen_wang"
    assert run().attrs["update"] == "heat_bath"
    glass = run(ising.edwards_anderson(ising.square(24), seed=1), chains=2)
    assert glass.attrs["update"] == "heat_bath"
    assert "competing" in glass.attrs["update_reason"]
    assert run(ising.sherrington_kirkpatrick(20, 1)).attrs["kernel"] == "spins"


def test_sample_sizes():
    models = {L: ising.ferromagnet(ising.square(L)) for L in (4, 6)}
    data = ising.sample_sizes(models, [0.3, 0.4], SHORT, chains=4, progress=False)
    assert data.energy.dims == ("L", "beta", "chain", "draw")
    assert data.n_sites.values.tolist() == [16, 36]
    assert data.L.values.tolist() == [4, 6]
    np.testing.assert_allclose(data.momentum, 2 * np.sin(np.pi / np.array([4, 6])))
    assert data.attrs["dimension"] == 2
    parts = ising.sample_sizes(models, {4: [0.3], 6: [0.3, 0.4]}, SHORT, chains=4, progress=False)
    np.testing.assert_array_equal(parts[1].energy, data.energy.sel(L=6))
    assert parts[1].L.item() == 6


def test_initial_states():
    up = run(beta=5.0, schedule=ising.Schedule(0, 1), initial="up", chains=2, update="heat_bath")
    assert up.magnetization.item(0) == 1
    spins = np.where(np.arange(36) % 2, 1, -1)
    for update in ("heat_bath", "random_site"):
        given = run(beta=50.0, schedule=ising.Schedule(0, 1), initial=np.ones(36), chains=2, update=update)
        assert given.energy.max() == -2
    # a frozen antiferromagnet keeps the state it is given
    model = ising.ferromagnet(ising.chain(36), J=-1.0)
    kept = run(model, beta=50.0, schedule=ising.Schedule(0, 5), initial=spins, chains=2, update="heat_bath")
    np.testing.assert_array_equal(kept.spins[0, 0], spins)


@pytest.mark.parametrize("update", ["heat_bath", "swendsen_wang", "wolff"])
@pytest.mark.parametrize("L", [8, 16, 32])
def test_square_lattice_agrees_with_kaufman(L, update):
    beta = [0.2, 0.35, 0.42, 0.46, 0.6]
    schedule = ising.Schedule(100, 400) if update != "heat_bath" else ising.Schedule(3_000, 1_500)
    initial = "up" if update == "heat_bath" else "random"
    model = ising.ferromagnet(ising.square(L))
    data = run(model, beta, schedule, update=update, seed=L, chains=64, initial=initial, observables=["energy"])
    exact = ising.exact.kaufman(L, beta)
    e = data.energy
    z_energy = z_score(e.mean("draw").values, exact.energy.values)
    heat = L**2 * data.beta**2 * ((e - exact.energy) ** 2).mean("draw")
    z_heat = z_score(heat.values, exact.specific_heat.values)
    assert np.abs(z_energy).max() < 4
    assert np.abs(z_heat).max() < 4
    assert joint_p(z_energy, 64) > 1e-4


def test_kernel_streams_are_numpys():
    """The compiled SFC64 of both kernel families continues numpy's own stream."""
    expected = streams.generator(7, streams.Purpose.SAMPLING, 1).bit_generator.random_raw(5)
    state = streams.states(7, streams.Purpose.SAMPLING, [(1,)])[0]
    np.testing.assert_array_equal([kernels_spins.next_uint64(state) for _ in range(5)], expected)


def test_compiled_equals_python():
    model = ising.ferromagnet(ising.square(3), h=0.2)
    data = {}
    for python in (False, True):
        for update, code in (("heat_bath", 0), ("random_site", 1)):
            graph = ising.engine._spin_graph(model)
            spins = np.ones(9, np.int8)
            state = streams.states(1, streams.Purpose.SAMPLING, [(0,)])[0]
            kernel = (kernels_spins.heat_bath_sweep, kernels_spins.random_site_sweep)[code]
            with np.errstate(over="ignore"):
                (kernel.py_func if python else kernel)(spins, state, graph, 0.3)
            data[update, python] = spins, state
        shared = ising.engine._BitShared(model)
        unit = ising.engine.BitUnit(shared, [(0, 0), (1, 0)], np.array([0.2, 0.4]), 64, 1, 0, "random")
        work = np.zeros((8, 2), np.uint64)
        kernel = kernels_bits.heat_bath_sweep
        with np.errstate(over="ignore"):
            (kernel.py_func if python else kernel)(unit.spins, unit.rng, shared.graph, unit.digits, work)
        data["bits", python] = unit.spins, unit.rng
    for name in ("heat_bath", "random_site", "bits"):
        for a, b in zip(data[name, False], data[name, True], strict=True):
            np.testing.assert_array_equal(a, b)


def test_threshold_digits_spell_the_probability():
    beta = np.array([0.0, 0.37, 4.0])
    digits = tables.heat_bath_digits(beta, -0.7, 0.1, np.array([3, 6], np.int32))
    for row, degree in enumerate((3, 6)):
        for count in range(degree + 1):
            subsets = [k for k in range(degree + 1) if k & count == k]
            bits = np.bitwise_xor.reduce(digits[row][:, subsets] & np.uint64(1), axis=1)  # (digit, column)
            p = (bits.astype(float).T * 0.5 ** np.arange(1, tables.N_DIGITS + 1)).sum(axis=1)
            np.testing.assert_allclose(
                p, 1 / (1 + np.exp(-2 * beta * (-0.7 * (2 * count - degree) + 0.1))), atol=2.0**-52
            )


def test_lanes_are_independent():
    """Correlations between the energies of all pairs of lanes; identical random bits must fail the same test."""
    data = run(ising.ferromagnet(ising.square(4)), 0.3, ising.Schedule(50, 3000, thin=4), chains=64, update="heat_bath")
    e = data.energy.values[0]
    r = np.corrcoef(e)[np.triu_indices(64, 1)] * np.sqrt(e.shape[1])
    assert np.abs(r).max() < 5.5
    e[1] = e[0]
    assert np.abs(np.corrcoef(e)[0, 1]) * np.sqrt(e.shape[1]) > 5.5


GLASS = ising.edwards_anderson(ising.square(4), seed=1)
BAD = {
    "beta nan": (lambda: run(beta=float("nan")), "beta must be finite and >= 0, got nan"),
    "beta negative": (lambda: run(beta=-0.3), "beta must be finite and >= 0, got -0.3"),
    "beta empty": (lambda: run(beta=[]), "non-empty"),
    "beta twice": (lambda: run(beta=[0.1, 0.1]), "twice"),
    "chains": (lambda: run(chains=0), "chains must be >= 1, got 0"),
    "update": (lambda: run(update="metropolish"), "update must be 'auto' or one of"),
    "observable": (lambda: run(observables=["energie"]), "observables must be among"),
    "no overlap": (lambda: run(observables=["overlap"]), "observables must be among"),
    "odd pairs": (lambda: run(GLASS, chains=3), "even"),
    "memory": (lambda: run(schedule=ising.Schedule(0, 10**8)), "GiB"),
    "initial name": (lambda: run(initial="down"), "initial must be"),
    "initial zero": (lambda: run(initial=np.zeros(36)), r"\+1 or -1"),
    "initial shape": (lambda: run(initial=np.ones(35)), "broadcast"),
    "model": (lambda: run(model=[SQUARE.lattice]), "IsingModel"),
    "models": (lambda: run(model=[SQUARE, ising.ferromagnet(ising.square(6))]), "share one lattice"),
    "none": (lambda: run(model=[]), "at least one model"),
    "threads": (lambda: run(threads=0), "threads"),
    "configurations": (lambda: run(configurations=-1), "configurations"),
    "seed": (lambda: run(seed=-1), "seed must be an integer >= 0"),
    "draws": (lambda: ising.Schedule(draws=0), "draws must be an integer >= 1, got 0"),
    "warmup": (lambda: ising.Schedule(warmup=-1), "warmup"),
    "thin": (lambda: ising.Schedule(thin=1.5), "thin"),
    "sizes": (lambda: ising.sample_sizes({}, 0.1), "at least one size"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_misspelled_keyword_is_a_type_error():
    with pytest.raises(TypeError):
        run(chain=3)
