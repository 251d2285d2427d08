"""`anneal` as people call it: same seed same bits, prefixes, stops, schedules, imperfections, energy, errors."""

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from scipy.sparse import coo_array

import ceas_physics
import ising
from ceas_physics.npu import (
    Bifurcation,
    Corridor,
    EnergyModel,
    Geometric,
    Linear,
    Oscillator,
    PBit,
    Realism,
    SoftSpin,
    Thermodynamic,
)
from ceas_physics.npu.couplings import as_model
from ceas_physics.npu.history import History
from ceas_physics.npu.pilot import Pilot

GLASS = ising.edwards_anderson(ising.square(8), seed=1)
GAUSSIAN = ising.edwards_anderson(ising.square(8), seed=1, distribution="gaussian")
DENSE = ising.sherrington_kirkpatrick(90, 1)
HOT_SOFT = SoftSpin(amplitude_control=0.0, pump=(0.0, 2.0), control="beta")
DEVICES = [
    PBit(), PBit("random"), PBit("sweep"), SoftSpin(), SoftSpin(amplitude_control=0.0, temperature=0.02), HOT_SOFT,
    Oscillator(), Oscillator(control="beta"), Bifurcation(), Bifurcation("ballistic"),
]  # fmt: skip


def anneal(model, *args, **kw):
    return ceas_physics.anneal(model, *args, **{"progress": False, "sweeps": 120} | kw)


def equal(a, b):
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name], b[name], err_msg=str(name))


@pytest.mark.parametrize("device", DEVICES, ids=repr)
def test_same_seed_same_bits(device):
    """Whatever the threads; and the first replicas do not depend on how many there are."""
    for model in (GLASS, DENSE):
        one, two = (anneal(model, device, replicas=130, seed=3, threads=t) for t in (1, 3))
        equal(one, two)
        few = anneal(model, device, replicas=5, seed=3)
        equal(few, one.isel(replica=slice(5)))
        other = anneal(model, device, replicas=130, seed=4)
        assert (one.energy != other.energy).any()
        assert (one.energy[:, :64].values != one.energy[:, 64:128].values).any()


@pytest.mark.parametrize("device", DEVICES, ids=repr)
def test_energies_are_those_of_the_spins(device):
    for model in (GLASS, GAUSSIAN, DENSE, ising.IsingModel(ising.square(5), -0.7, np.linspace(-1, 1, 25))):
        result = anneal(model, device)
        assert dict(result.energy.sizes) == {"time": 100, "replica": 64}
        np.testing.assert_allclose(result.best_energy, result.best_so_far[-1], atol=1e-9)
        assert (np.diff(result.best_so_far, axis=0) <= 0).all()
        assert (result.energy >= result.best_so_far - 1e-12).all()
        np.testing.assert_allclose(model.energy(result.best_spins.values), result.best_energy, atol=1e-12)
        assert result.entropy.notnull().all() == result.beta.notnull().all()
        assert (np.diff(result.spin_events, axis=0) > 0).all()


@pytest.mark.parametrize("device", ["p_bit", "soft_spin", "oscillator", "bifurcation"])
def test_every_device_finds_ground_states(device):
    small = ising.edwards_anderson(ising.square(4), seed=6, distribution="gaussian")
    states = 2 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1) - 1
    result = anneal(small, device, sweeps=1000)
    np.testing.assert_allclose(result.best_energy.min(), small.energy(states).min(), atol=1e-12)


@pytest.mark.parametrize("device", ["p_bit", "bifurcation"])
def test_a_timed_run_is_a_prefix(device):
    timed = anneal(GLASS, device, time_limit=0.3, seed=5)
    assert timed.attrs["stopped_by"] == "time limit"
    assert timed.attrs["anneals"] > 1
    assert timed.sizes["time"] <= 200
    again = anneal(GLASS, device, seed=5, total_sweeps=timed.attrs["steps"])
    assert again.attrs["stopped_by"] == "finished"
    equal(timed, again)
    assert 0.3 <= timed.attrs["run_seconds"] < 5


def test_repeated_anneals_are_independent():
    once, twice = anneal(GLASS, seed=5), anneal(GLASS, seed=5, total_sweeps=240)
    assert (twice.best_energy <= once.best_energy).all()
    assert twice.attrs["anneals"] == 2
    energy = dict(zip(twice.time.values, twice.energy.values))
    first, second = energy[120.0], energy[240.0]
    assert (first != second).any()
    np.testing.assert_array_equal(first, once.energy[-1])


def test_target_stops_all_replicas():
    ground = float(anneal(GLASS, sweeps=1000).best_energy.min())
    result = anneal(GLASS, sweeps=20_000, replicas=130, target_energy=ground, threads=1)
    assert result.attrs["stopped_by"] == "target"
    assert result.attrs["steps"] < 20_000
    assert float(result.best_energy.min()) == ground == float(result.energy[-1].min())
    equal(result, anneal(GLASS, sweeps=20_000, replicas=130, target_energy=ground, threads=2))
    never = anneal(GLASS, target_energy=ground - 1)
    assert never.attrs["stopped_by"] == "finished"


def test_only_replicas_that_were_asked_for_end_a_run():
    """The word holds 64 replicas whatever is asked for; one that finds the target unseen must not stop the others."""
    model = ising.ferromagnet(ising.square(4))
    for replicas in (1, 3, 65):
        result = anneal(model, sweeps=400, replicas=replicas, target_energy=-32.0, seed=replicas)
        assert result.attrs["stopped_by"] == "target"
        assert float(result.best_energy.min()) == -32.0


@pytest.mark.parametrize("device", ["p_bit", PBit(clock="sweep"), "bifurcation"], ids=repr)
def test_an_energy_that_was_found_is_a_target_that_is_met(device):
    """Couplings that are no whole numbers: sums in another order differ in their last digits."""
    for seed in range(3):
        model = ising.edwards_anderson(ising.square(8), seed=seed, distribution="gaussian")
        first = anneal(model, device, "linear", seed=seed)
        ground = float(model.energy(first.best_spins.values).min())
        again = anneal(model, device, "linear", seed=seed, target_energy=first.best_energy.min())
        assert again.attrs["stopped_by"] == "target"
        assert float(again.best_energy.min()) == pytest.approx(ground, rel=1e-12)
        np.testing.assert_allclose(first.best_energy, model.energy(first.best_spins.values), rtol=1e-12)


def test_ctrl_c_keeps_what_was_found():
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    before = signal.getsignal(signal.SIGINT)
    timer.start()
    started = time.perf_counter()
    result = anneal(GLASS, time_limit=30)
    assert time.perf_counter() - started < 10
    assert result.attrs["stopped_by"] == "interrupt"
    assert result.attrs["interrupted"] == 1
    np.testing.assert_array_equal(GLASS.energy(result.best_spins.values), result.best_energy)
    assert signal.getsignal(signal.SIGINT) is before


def test_schedules_are_what_they_say():
    linear = anneal(GLASS, "p_bit", Linear(0.0, 2.0)).beta.values[:, 0]
    np.testing.assert_allclose(np.diff(linear, 2), 0, atol=0.02)  # 120 sweeps in 100 intervals of 1 or 2
    np.testing.assert_allclose(linear[[0, -1]], [0, 2], atol=0.02)
    ratio = anneal(GLASS, "p_bit", Geometric(0.1, 3.0), sweeps=100).beta.values[:, 0]
    np.testing.assert_allclose(ratio[1:] / ratio[:-1], 30 ** (1 / 100), rtol=1e-3)
    array = anneal(GLASS, "p_bit", [0.0, 1.0, 1.0], sweeps=100).beta.values[:, 0]
    np.testing.assert_allclose(array[:50], (np.arange(50) + 0.5) / 50, atol=1e-12)
    np.testing.assert_allclose(array[50:], 1.0)
    function = anneal(GLASS, "p_bit", lambda f: 2 * f**2, sweeps=100).beta.values[:, 0]
    np.testing.assert_allclose(function, 2 * ((np.arange(100) + 0.5) / 100) ** 2, atol=1e-4)
    ramp = anneal(GLASS, "bifurcation", sweeps=100)
    np.testing.assert_allclose(ramp.control[:, 0], (np.arange(100) + 0.5) / 100, atol=1e-12)
    assert "Linear" in ramp.attrs["schedule"]
    assert ramp.beta.isnull().all()


def test_default_ends_scale_with_the_couplings():
    big = ising.IsingModel(GLASS.lattice, 10 * np.asarray(GLASS.couplings))
    one, ten = anneal(GLASS), anneal(big)
    np.testing.assert_allclose(one.beta, 10 * ten.beta)
    np.testing.assert_allclose(10 * one.best_energy, ten.best_energy)


def test_constant_speed_spends_its_time_where_it_is_slow():
    """The path inverts t(beta) = int tau sigma_E dbeta."""
    beta = np.geomspace(0.1, 2.0, 40)
    sigma, tau = 1 / beta, beta**3
    pilot = Pilot(beta, sigma, tau, np.zeros(40))
    f = np.linspace(0, 1, 11)
    exact = np.cbrt(0.1**3 + f * (2.0**3 - 0.1**3))  # int b^2 db
    np.testing.assert_allclose(pilot.constant_speed()(f), exact, rtol=0.02)
    result = anneal(GLASS, "p_bit", Thermodynamic(0.2, 2.5))
    assert (np.diff(result.beta[:, 0]) >= 0).all()
    np.testing.assert_allclose(result.beta[[0, -1], 0], [0.2, 2.5], rtol=0.2)


def test_pilot_finds_the_critical_point_of_the_square_lattice():
    """The peak of the specific heat of L = 16 is at 0.43 (exact: Kaufman); the default of the corridor."""
    from ceas_physics.npu.anneal import _pilot
    from ceas_physics.npu.couplings import couplings_of

    model = ising.ferromagnet(ising.square(16))
    fine = np.linspace(0.35, 0.55, 400)
    exact = fine[ising.exact.kaufman(16, fine).specific_heat.values.argmax()]
    peaks = [
        _pilot(model, couplings_of(model), PBit(), Realism(), seed, Corridor(pilot=200), (0.2, 1.0)).specific_heat_peak
        for seed in range(4)
    ]
    error = np.std(peaks, ddof=1) / np.sqrt(4)
    assert abs(np.mean(peaks) - exact) < 5 * error + 0.02  # a parabola over three of 24 points, 7 % apart


def test_the_corridor_holds_and_then_descends():
    model = ising.ferromagnet(ising.square(24))
    corridor = Corridor(start=0.1, end=2.0, beta_c=0.4407, hold=0.5)
    result = anneal(model, "p_bit", corridor, sweeps=1000, seed=2)
    beta, entropy, target = (
        result.beta[:, 0].values,
        result.entropy.mean("replica").values,
        result.entropy_target.values,
    )
    held = slice(20, 50)
    u_min = corridor.thermostat.u_min
    assert (beta[:50] <= 0.4407 * (1 - u_min) + 1e-12).all()  # the margin holds it on the side it came from
    assert beta[50:].max() > 0.4407  # and lets it cross afterwards
    width = corridor.width * np.log(2)
    inside = np.abs(entropy - target)[60:] <= width
    assert inside.mean() > 0.9
    np.testing.assert_allclose(target[held], target[20])
    np.testing.assert_allclose(target[-1], 0.01 * np.log(2), atol=1e-12)
    for device in (HOT_SOFT, Oscillator(control="beta")):
        assert anneal(model, device, Corridor(beta_c=0.44, entropy_c=0.3), sweeps=100).beta.notnull().all()


def test_below_what_free_spins_keep_the_corridor_ends_at_the_last_beta():
    """Free spins of a +-J glass keep ln 2 each: a last target that can be met is a quench never finished."""
    model = ising.edwards_anderson(ising.square(16), seed=2)
    runs = [anneal(model, PBit(clock="sweep"), Corridor(final=f), sweeps=1000, replicas=256) for f in (0.01, 0.085)]
    low, met = ((run.entropy[-1] - run.entropy_target[-1]).values.mean() / np.log(2) for run in runs)
    assert low > 0.05
    assert abs(met) < 0.01
    at_bound = [float((run.beta[:, 0] > 0.999 * float(run.beta.max())).mean()) for run in runs]
    assert at_bound[0] > at_bound[1]
    words = [run.best_energy.values.reshape(4, 64).mean(axis=1) for run in runs]
    assert words[0].mean() < words[1].mean()


def test_imperfections_cost_energy():
    """Each at a strong setting does worse than the ideal device; and the energy is still the ideal model's."""
    model = ising.edwards_anderson(ising.square(12), seed=1, distribution="gaussian")
    ideal = anneal(model, sweeps=300).best_energy
    for realism in (
        Realism(bits=2),
        Realism(mismatch=0.5),
        Realism(noise=1.0),
        Realism(dead=0.3),
        Realism(readout_noise=0.1),
    ):
        for device in ("p_bit", "bifurcation"):
            reference = ideal if device == "p_bit" else anneal(model, device, sweeps=300).best_energy
            worse = anneal(model, device, sweeps=300, realism=realism)
            difference = worse.best_energy.mean() - reference.mean()
            error = np.hypot(worse.best_energy.std(), reference.std()) / 8
            assert difference > 5 * error, (realism, device)
            np.testing.assert_allclose(model.energy(worse.best_spins.values), worse.best_energy, atol=1e-12)
    perfect = anneal(model, sweeps=300, realism=Realism(bits=40))
    assert abs(perfect.best_energy.mean() - ideal.mean()) < 5 * np.hypot(perfect.best_energy.std(), ideal.std()) / 8


def test_energy_used():
    constants = EnergyModel(spin_event=1e-12, coupling_read=1e-13, static_power=1e-3, time_unit=1e-8)
    result = anneal(GLASS, PBit("random"), energy_model=constants)
    events = 64 * result.time
    np.testing.assert_allclose(result.spin_events[:, 0], events)
    np.testing.assert_allclose(result.energy_used[:, 0], events * 1.4e-12 + result.time * 1e-11)
    for part in ("1e-12", "1e-13", "0.001", "1e-08"):
        assert part in str(constants)
    assert result.attrs["energy_model"] == str(constants)


def test_times_are_at_most_200():
    for reads in (1, 99, 199, 200, 201, 1000, 12345):
        history = History()
        for step in range(1, reads + 1):
            history.add(step, {})
        steps, rows = history.finish()
        assert len(steps) == len(rows) <= 200
        assert steps[-1] == reads
        assert len(steps) >= min(reads, 100)
        assert (np.diff(steps) > 0).all()


def test_a_matrix_is_a_model():
    J = np.zeros((6, 6))
    J[range(6), np.arange(6) - 1] = J[np.arange(6) - 1, range(6)] = 1.0
    assert float(anneal(J).best_energy.min()) == -6.0


def test_a_sparse_matrix_is_a_model_and_stays_sparse():
    bonds, n = GLASS.lattice.bonds, GLASS.lattice.n_sites
    half = coo_array((GLASS.couplings, bonds.T), (n, n))
    model = as_model((half + half.T).tocsr())
    spins = np.random.default_rng(0).choice([-1, 1], (8, n))
    np.testing.assert_allclose(model.energy(spins), GLASS.energy(spins))
    large = 200_000
    ring = coo_array((np.ones(large), (np.arange(large), (np.arange(large) + 1) % large)), (large, large))
    assert as_model(ring + ring.T).lattice.n_bonds == large


def test_files_keep_it(tmp_path):
    result = anneal(GLASS, "p_bit", "corridor")
    result.to_netcdf(tmp_path / "anneal.nc", engine="h5netcdf")
    import xarray as xr

    with xr.open_dataset(tmp_path / "anneal.nc", engine="h5netcdf") as back:
        equal(result, back)
        assert back.attrs["device"] == "PBit(clock='poisson')"


def test_the_package_imports_without_the_annealer():
    code = "import sys, ceas_physics; assert 'ceas_physics.npu' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_face():
    """Every name is there, and modules with heavy imports load on first use only."""
    code = (
        "import sys, ceas_physics; npu = ceas_physics.npu; "
        "assert not {'matplotlib', 'dimod', 'sklearn', 'networkx', 'torch'} & set(sys.modules); "
        "[getattr(npu, name) for name in npu.__all__]; npu.memory.retrieval; npu.dictionary.attention_step"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'qubit'"):
        ceas_physics.npu.qubit  # noqa: B018


def test_the_command(tmp_path, capsys):
    from ceas_physics.cli import main

    square = tmp_path / "square.txt"
    square.write_text("4 4\n1 2 1\n2 3 1\n3 4 1\n4 1 1\n")
    assert main(["anneal", str(square), "--sweeps", "50", "--quiet", "--out", str(tmp_path / "out.nc")]) == 0
    text = capsys.readouterr().out
    assert "lowest energy -4 (cut 4) in 64 of 64 replicas" in text
    assert "assumed: 2e-15 J a spin event" in text
    assert (tmp_path / "out.nc").exists()
    assert main(["anneal", str(square), "--size", "16", "--out", str(tmp_path / "no.nc")]) == 2
    assert "leave out --lattice" in capsys.readouterr().err
    assert main(["anneal", "--device", "qubit", "--quiet", "--out", str(tmp_path / "no.nc")]) == 2
    assert "device must be one of" in capsys.readouterr().err


def test_a_schedule_given_as_an_array_is_followed_by_the_whole_anneal():
    beta = np.array([0.1, 0.2, 1.5])
    run = anneal(GLASS, "p_bit", beta, sweeps=40, progress=False)
    np.testing.assert_allclose(run.control[:, 0], np.interp((run.time - 0.5) / 40, [0, 0.5, 1], beta), rtol=1e-9)
