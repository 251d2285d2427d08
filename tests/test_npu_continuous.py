"""Devices with continuous states: their functions that fall or stay, the order of their integrators, and the noise."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from statistics_of_chains import z_score

import ising
from ceas_physics.npu import Bifurcation, Couplings, Oscillator, Realism, SoftSpin, couplings_of
from ceas_physics.npu.continuous import Continuous, SoftSpinSettings
from ceas_physics.npu.kernels_bifurcation import show as shown
from ceas_physics.npu.kernels_bifurcation import step as bifurcation_step
from ceas_physics.npu.kernels_fields import Machine, add_noise, couple
from ceas_physics.npu.kernels_oscillator import show
from ceas_physics.npu.kernels_oscillator import step as oscillator_step
from ceas_physics.npu.kernels_soft_spin import step as soft_step
from ceas_physics.npu.reading import make_reader

GLASS = ising.edwards_anderson(ising.square(6), seed=2, distribution="gaussian")
IN_FIELD = ising.IsingModel(GLASS.lattice, GLASS.couplings, np.linspace(-1, 1, 36))


def unit_of(model, device, seed=1, rows=1, realism=None):
    realism = realism or Realism()
    couplings = couplings_of(model, realism, seed)
    unit = Continuous(couplings, device, realism, make_reader(model, 0.0, None), seed, 0, rows)
    unit.restart(0)
    return unit


def matrix_of(model):
    J = np.zeros((model.lattice.n_sites,) * 2)
    J[tuple(model.lattice.bonds.T)] = model.couplings
    return J + J.T


def lyapunov_soft(x, J, eps, pump):
    return (x**4 / 4 - (pump - 1) * x**2 / 2).sum(axis=0) - eps / 2 * (x * (J @ x)).sum(axis=0)


def lyapunov_phase(phi, J, h, strength, injection):
    bonds = np.cos(phi) * (J @ np.cos(phi)) + np.sin(phi) * (J @ np.sin(phi))
    return (-strength * (bonds / 2 + h[:, None] * np.cos(phi)) - injection / 2 * np.cos(2 * phi)).sum(axis=0)


def test_sums_over_neighbours_sparse_and_dense():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(36, 64))
    for model in (GLASS, ising.sherrington_kirkpatrick(36, 1)):
        machine, out = unit_of(model, Bifurcation()).machine, np.empty((36, 64))
        couple(machine, x, out)
        np.testing.assert_allclose(out, matrix_of(model) @ x, atol=1e-12)
        couple(machine._replace(matrix=np.zeros((0, 0))), x, out)
        np.testing.assert_allclose(out, matrix_of(model) @ x, atol=1e-12)


def test_sine_and_cosine():
    phase = np.linspace(-500, 500, 64 * 4000).reshape(4000, 64)
    s, c = np.empty_like(phase), np.empty_like(phase)
    show(phase, s, c)
    np.testing.assert_allclose(s, np.sin(phase), atol=2e-13)
    np.testing.assert_allclose(c, np.cos(phase), atol=2e-13)


def soft_path(device, pump, n_steps, model=GLASS, record=None):
    unit = unit_of(model, device)
    x, mean = unit.state.x, np.empty(64)
    for _ in range(n_steps):
        soft_step(x, unit.state.y, unit.machine, x, unit.state.force, mean, pump, unit.settings)
        if record is not None:
            record.append(lyapunov_soft(x, matrix_of(model), unit.settings.coupling, pump))
    return x


def phase_path(device, injection, n_steps, model=IN_FIELD, record=None):
    unit = unit_of(model, device)
    phase, history = unit.state.x, unit.state.history
    for _ in range(n_steps):
        show(phase, history[0, 0], history[0, 1])
        oscillator_step(
            phase, history[0, 0], history[0, 1], history[0], unit.machine, unit.state.force, injection, unit.settings
        )
        if record is not None:
            record.append(lyapunov_phase(phase, matrix_of(model), model.fields, unit.settings.coupling, injection))
    return phase


def bifurcation_path(device, n_steps, record=None, model=IN_FIELD):
    """At a = 0, walls out of reach."""
    unit, J = unit_of(model, device), matrix_of(model)
    x, y, set_ = unit.state.x, unit.state.y, unit.settings
    source = np.empty_like(x)
    for _ in range(n_steps):
        shown(x, source, set_.discrete)
        bifurcation_step(x, y, unit.machine, source, unit.state.force, 0.0, set_.a0, set_.c0, set_.dt, False)
        if record is not None:
            pull = x * (J @ (np.sign(x) if set_.discrete else x / 2) + model.fields[:, None])
            record.append((set_.a0 * (y**2 + x**2) / 2 - set_.c0 * pull).sum(axis=0))
    return x


def test_soft_spins_descend_without_amplitude_control():
    record = []
    soft_path(SoftSpin(dt=0.05, amplitude_control=0.0), 1.5, 400, record=record)
    assert (np.diff(record, axis=0) <= 1e-12).all()


def test_amplitude_control_has_no_such_function():
    """Measured: the function that falls without it rises in a large share of the steps with it."""
    record = []
    soft_path(SoftSpin(dt=0.05, amplitude_control=0.5), 1.5, 400, record=record)
    assert (np.diff(record, axis=0) > 1e-9).mean() > 0.05


def test_oscillators_descend_in_fields_too():
    record = []
    phase_path(Oscillator(dt=0.05), 0.7, 400, record=record)
    assert (np.diff(record, axis=0) <= 1e-12).all()


def energy_error(mode, dt, time=100.0):
    """Standard deviation of the energy in time, mean over the replicas."""
    record = []
    bifurcation_path(Bifurcation(mode, coupling=0.2, dt=dt), round(time / dt), record)
    return np.std(record, axis=0).mean()


def test_ballistic_bifurcation_conserves_its_energy_to_first_order():
    """Halving dt halves the error, the more exactly the smaller dt; four times the time leaves it as it is."""
    errors = np.array([energy_error("ballistic", dt) for dt in (0.2, 0.1, 0.05)])
    order = np.log2(errors[:-1] / errors[1:])
    assert abs(order[1] - 1) < 0.6 * abs(order[0] - 1)
    assert abs(order[1] - 1) < 0.1
    assert abs(energy_error("ballistic", 0.1, time=400.0) / errors[1] - 1) < 0.1  # a drift would make it 4


def test_discrete_bifurcation_does_not():
    """Measured: the same sum with sign(x) moves by as much at a quarter of the step, since the force jumps."""
    errors = [energy_error("discrete", dt) for dt in (0.2, 0.05)]
    assert errors[0] / errors[1] < 1.5


def test_walls_stop_positions():
    unit = unit_of(GLASS, Bifurcation("ballistic", coupling=2.0))
    unit.run(np.array([[1.0, 1.0]]), np.array([200]))
    x, y = unit.state.x, unit.state.y
    assert np.abs(x).max() <= 1.0
    assert (y[np.abs(x) == 1.0] == 0.0).all()
    assert (np.abs(x) == 1.0).any()


@pytest.mark.parametrize("path", ["soft", "controlled", "phase", "bifurcation"])
def test_deterministic_devices_converge_at_first_order(path):
    run = {
        "soft": lambda dt: soft_path(SoftSpin(dt=dt, amplitude_control=0.0), 1.5, round(2 / dt), IN_FIELD),
        "controlled": lambda dt: soft_path(SoftSpin(dt=dt, amplitude_control=0.3), 1.5, round(2 / dt), IN_FIELD),
        "phase": lambda dt: phase_path(Oscillator(dt=dt), 0.7, round(2 / dt)),
        "bifurcation": lambda dt: bifurcation_path(Bifurcation("ballistic", coupling=0.2, dt=dt), round(2 / dt)),
    }[path]
    values = [run(dt).copy() for dt in (0.02, 0.01, 0.005)]
    first, second = (np.abs(a - b).mean() for a, b in pairwise(values))
    assert abs(np.log2(first / second) - 1) < 0.05


def test_noise_has_the_moments_of_a_normal_number():
    x, rng = np.zeros((4096, 64)), np.random.default_rng(5).integers(0, 2**64, (4, 8), dtype=np.uint64)
    add_noise(x, np.ones(4096), rng, 2.0)
    values = x.ravel() / 2
    n = values.size
    assert abs(values.mean()) < 5 / np.sqrt(n)
    assert abs(values.var() - 1) < 5 * np.sqrt(1.7 / n)
    assert abs((values**3).mean()) < 5 * np.sqrt(12 / n)
    assert abs((values**4).mean() - 2.7) < 5 * np.sqrt(60 / n)  # four uniform numbers: kurtosis -0.3


def mean_square(dt, pump=0.5, temperature=0.2, n=512, time=400):
    """<x^2> of free spins by replica, (64,)."""
    free = Couplings(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0), np.zeros(n), np.zeros(n, np.int8))
    machine = Machine(free.offsets, free.neighbors, free.weights, np.zeros((0, 0)), free.fields, np.ones(n))
    settings = SoftSpinSettings(0.0, dt, 0.0, 1.0, 32.0, False, 0.0)
    x, force, mean = np.zeros((n, 64)), np.zeros((n, 64)), np.zeros(64)
    rng = np.random.default_rng(5).integers(0, 2**64, (4, 8), dtype=np.uint64)
    total, count = np.zeros(64), 0
    for t in range(round(time / dt)):
        soft_step(x, np.zeros((0, 64)), machine, x, force, mean, pump, settings)
        add_noise(x, machine.live, rng, np.sqrt(2 * temperature * dt))
        if t * dt > 20:
            total, count = total + (x**2).mean(axis=0), count + 1
    return total / count


def test_noisy_soft_spins_have_weak_order_one():
    """<x^2> = exact + a dt + b dt^2 + ...: the bias is there, and eliminating a leaves what falls like dt^2."""
    pump, temperature = 0.5, 0.2

    def weight(x):
        return np.exp(-(x**4 / 4 - (pump - 1) * x**2 / 2) / temperature)

    exact = quad(lambda x: x**2 * weight(x), -4, 4)[0] / quad(weight, -4, 4)[0]
    bias = np.array([mean_square(dt) - exact for dt in (0.4, 0.2, 0.1)])  # (dt, 64)
    assert (z_score(bias, 0.0) > 5).all()
    rest = 2 * bias[1:] - bias[:-1]  # (2, 64)
    error = rest.std(axis=1, ddof=1) / 8
    quarter = rest.mean(axis=1) @ [-0.25, 1]
    assert abs(quarter) < 5 * np.hypot(0.25 * error[0], error[1]) + 0.1 * abs(rest[0].mean())  # next order: dt^3


def test_noisy_bifurcation_has_weak_order_one():
    """A free ballistic element at a = 0 from rest under noise: <x y>(t) = sin(t)^2 / 2, and a bias that halves."""
    time, n, bias = 1.5, 2048, []
    free = Couplings(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0), np.zeros(n), np.zeros(n, np.int8))
    machine = Machine(free.offsets, free.neighbors, free.weights, np.zeros((0, 0)), free.fields, np.ones(n))
    rng = np.random.default_rng(6).integers(0, 2**64, (4, 8), dtype=np.uint64)
    for dt in (0.15, 0.075):
        x, y, force = np.zeros((3, n, 64))
        for _ in range(round(time / dt)):
            bifurcation_step(x, y, machine, x, force, 0.0, 1.0, 0.0, dt, False)
            add_noise(y, machine.live, rng, np.sqrt(dt))
        bias.append((x * y).mean(axis=0) - np.sin(time) ** 2 / 2)
    assert (np.abs(z_score(np.array(bias), 0.0)) > 5).all()
    assert abs(z_score(2 * bias[1] - bias[0], 0.0)) < 5


def test_oscillators_with_control_beta_sample_their_function():
    """Pairs of phases at T = K/beta: <s_1 s_2> of exp(-L/T) by quadrature, extrapolated to dt = 0."""
    beta, injection, n = 0.8, 1.0, 400
    model = ising.IsingModel(ising.from_bonds(n, np.arange(n).reshape(-1, 2)), 1.0)
    phi = (np.arange(200) + 0.5) * np.pi / 100
    a, b = np.meshgrid(phi, phi)
    weight = np.exp(beta * (np.cos(a - b) + injection / 2 * (np.cos(2 * a) + np.cos(2 * b))))
    exact = -(n / 2) * (weight * np.sign(np.cos(a) * np.cos(b))).sum() / weight.sum()
    means = []
    for dt in (0.1, 0.05):
        unit = unit_of(model, Oscillator(coupling=1.0, injection=(0.0, injection), dt=dt, control="beta"), rows=100)
        unit.run(np.full((1, 2), beta), np.array([round(20 / dt)]))
        unit.run(np.full((100, 2), beta), np.full(100, round(1 / dt)))
        means.append(unit.record.energy.mean(axis=0))
    assert abs(z_score(2 * means[1] - means[0], exact)) < 5
    assert abs(z_score(means[0], 0.9 * exact)) > 5


def test_delay_shows_the_past():
    """With a delay of k steps the first k + 1 steps see the first state."""
    model = ising.ferromagnet(ising.chain(4))
    late, now = (unit_of(model, Bifurcation("ballistic", dt=1.0), realism=Realism(delay=d)) for d in (3.0, 0.0))
    first = now.state.x.copy()
    np.testing.assert_array_equal(first, late.state.x)
    x, y, force = first.copy(), now.state.y.copy(), np.empty_like(first)
    c0 = late.settings.c0
    for _ in range(4):
        couple(late.machine, first, force)
        y += c0 * force - x
        x += y
    late.run(np.zeros((1, 2)), np.array([4]))
    inside = (np.abs(x) < 1).all(axis=0)
    assert inside.any()
    np.testing.assert_allclose(late.state.x[:, inside], x[:, inside], atol=1e-12)
