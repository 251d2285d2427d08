"""The contract of `sample`: shapes, seeds, threads, overlaps, real lattices against Kaufman, and clear errors."""

import numpy as np
import pytest
import xarray as xr
from statistics_of_chains import joint_p, z_score

import ising
from ising import bit_tables, bits, kernels_spins, streams, tables
from ising.spins import spin_graph

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
    assert run(ising.sherrington_kirkpatrick(20, 1)).attrs["kernel"] == "fields, recomputed"
    assert run(update="random_site").attrs["kernel"] == "spins"


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


def test_sizes_on_both_sides_of_a_threshold_share_their_chains():
    """Auto takes heat bath (64 chains) below 400 sites and Swendsen-Wang (8) above."""
    models = {L: ising.ferromagnet(ising.square(L)) for L in (16, 24)}
    data = ising.sample_sizes(models, [0.3, 0.4], ising.Schedule(2, 3), progress=False)
    assert data.sizes["chain"] == 8


def test_auto_takes_a_local_update_for_exchange():
    data = run(ising.ferromagnet(ising.square(24)), beta=[0.3, 0.4], exchange=True, chains=2)
    assert data.attrs["update"] == "heat_bath"
    assert "exchange" in data.attrs["update_reason"]


@pytest.mark.parametrize("model", [SQUARE, ising.sherrington_kirkpatrick(12, 1)])
def test_given_spins_do_not_depend_on_the_number_of_chains(model):
    up = np.ones(model.lattice.n_sites)
    few = run(model, beta=[0.2, 0.3], chains=2, update="heat_bath", initial=up)
    many = run(model, beta=[0.2, 0.3], chains=64, update="heat_bath", initial=up)
    np.testing.assert_array_equal(few.energy, many.energy[:, :2])


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
    model, kernel, data = ising.ferromagnet(ising.square(3), h=0.2), kernels_spins.random_site_sweep, []
    for run_kernel in (kernel, kernel.py_func):
        spins = np.ones(9, np.int8)
        state = streams.states(1, streams.Purpose.SAMPLING, [(0,)])[0]
        with np.errstate(over="ignore"):
            run_kernel(spins, state, spin_graph(model), 0.3)
        data.append((spins, state))
    for a, b in zip(*data, strict=True):
        np.testing.assert_array_equal(a, b)


def _plain_sweep(spins, state, groups, degree, probability, flips):
    """The bit kernel defined in plain numpy: 512 uniform numbers against 512 probabilities, digit by digit."""
    a, b, c, counter = state
    for sites, degree_here in zip(groups, degree, strict=True):
        own, *near = (np.where(k < 0, ~spins[k ^ (k >> 31)], spins[k ^ (k >> 31)]) for k in sites[: degree_here + 1])
        lanes = np.arange(64, dtype=np.uint64)
        up = (own[:, None] >> lanes & np.uint64(1)).astype(bool)  # (8, 64)
        bits = [(x[:, None] >> lanes & np.uint64(1)).astype(bool) for x in near]
        count = sum((x ^ up if flips else x).astype(int) for x in bits)
        threshold = np.minimum((probability(count, degree_here, up) * 2.0**52 + 0.5).astype(np.int64), 2**52 - 1)
        chosen, undecided = np.zeros((8, 64), bool), np.ones((8, 64), bool)
        digit = 51
        while undecided.any():
            word = a + b + counter
            a, b, c = (
                b ^ (b >> np.uint64(11)),
                c + (c << np.uint64(3)),
                (c << np.uint64(24) | c >> np.uint64(40)) + word,
            )
            counter = counter + np.uint64(1)
            drawn, wanted = (word[:, None] >> lanes & np.uint64(1)).astype(bool), (threshold >> digit & 1).astype(bool)
            chosen |= undecided & (drawn != wanted) & wanted
            undecided &= drawn == wanted
            digit -= 1
        new = (up ^ chosen) if flips else chosen
        spins[sites[0]] = (new.astype(np.uint64) << lanes).sum(axis=1, dtype=np.uint64)
    return np.array([a, b, c, counter])


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("make", [
    lambda: ising.ferromagnet(ising.square(4), J=0.7, h=0.2),
    lambda: ising.edwards_anderson(ising.cubic(3), seed=1),
    lambda: ising.ferromagnet(ising.complete(10), J=0.3),
    lambda: ising.ferromagnet(ising.complete(16), J=0.2, h=0.1),
    lambda: ising.ferromagnet(ising.random_regular(40, 12, seed=1), J=0.2),
])  # fmt: skip
def test_bit_kernel_is_its_definition(make, flips):
    model, beta = make(), 0.4
    built = bit_tables.BitTables([model], "metropolis" if flips else "heat_bath", False)
    unit = bits.BitUnit(built, np.array([beta]), [0], [0], 64, 1, 0, "random")
    J, h = built.coupling, float(model.fields)

    def probability(count, degree, up):
        if flips:
            return 15 / 16 * np.exp(-np.maximum(beta * (2 * J * (degree - 2 * count) + 2 * h * np.where(up, 1, -1)), 0))
        return 1 / (1 + np.exp(-2 * beta * (J * (2 * count - degree) + h)))

    spins, state = unit.spins[0, 0].copy(), unit.rng[0, 0].copy()
    for _ in range(3):
        state = _plain_sweep(spins, state, built.graph.groups, built.graph.degree, probability, flips)
    unit.warm_up(3)
    np.testing.assert_array_equal(unit.spins[0, 0], spins)
    np.testing.assert_array_equal(unit.rng[0, 0], state)


@pytest.mark.parametrize("field", [0.0, 0.1])
def test_threshold_digits_spell_the_probability(field):
    beta, J = np.array([0.0, 0.37, 4.0]), -0.7
    degrees = np.array([3, 6], np.int32)
    up = tables.heat_bath_digits(beta, J, field, degrees)
    flip = tables.metropolis_digits(beta, J, field, degrees)
    assert flip.shape[3] == (2 if field else 1)
    weights = 0.5 ** np.arange(1, tables.N_DIGITS + 1)
    for row, degree in enumerate(degrees):
        for count in range(degree + 1):
            subsets = [k for k in range(degree + 1) if k & count == k]

            def spelled(digits, blocks, row=row, subsets=subsets):
                bit = np.bitwise_xor.reduce(digits[:, row][:, :, blocks][..., subsets] & np.uint64(1), axis=(2, 3))
                return bit.astype(float) @ weights

            local = J * (2 * count - degree) + field
            np.testing.assert_allclose(spelled(up, [0]), 1 / (1 + np.exp(-2 * beta * local)), atol=2.0**-52)
            for blocks, spin in (([0], -1), ([0, 1], 1)) if field else (([0], 1),):
                cost = 2 * J * (degree - 2 * count) + 2 * field * spin
                expected = 15 / 16 * np.exp(-np.maximum(beta * cost, 0))
                np.testing.assert_allclose(spelled(flip, blocks), expected, atol=2.0**-52)


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
    "beta nan": (lambda: run(beta=float("nan")), "beta must be finite, got nan"),
    "beta negative": (lambda: run(beta=-0.3), "beta must be finite and >= 0, got -0.3"),
    "beta empty": (lambda: run(beta=[]), "non-empty"),
    "beta twice": (lambda: run(beta=[0.1, 0.1]), "twice"),
    "chains": (lambda: run(chains=0), "chains must be an integer >= 1, got 0"),
    "update": (lambda: run(update="metropolish"), "update must be one of 'auto'"),
    "observable": (lambda: run(observables=["energie"]), "observables must be among"),
    "no overlap": (lambda: run(observables=["overlap"]), "observables must be among"),
    "odd pairs": (lambda: run(GLASS, chains=3), "even"),
    "memory": (lambda: run(schedule=ising.Schedule(0, 10**8)), "GiB"),
    "initial name": (lambda: run(initial="down"), "initial must be"),
    "initial zero": (lambda: run(initial=np.zeros(36)), r"\+1 and -1"),
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
