"""Exact solutions against independently computed digits, and against each other."""

import json
import re
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

import ising

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())["values"]


def _entries(prefix):
    """The numbers in every key that starts with the prefix, such as [8, 0.5] for L=8.beta=0.5, and its value."""
    for key, value in REFERENCE.items():
        if key.startswith(prefix):
            yield [float(number) for number in re.findall(r"=(-?\d+(?:\.\d+)?(?:e-?\d+)?)", key)], value


def _agrees(ours, value, rel):
    assert ours.log_z.item() == pytest.approx(float(value["lnZ_per_spin"]), rel=1e-13)
    assert ours.energy.item() == pytest.approx(float(value["u"]), rel=1e-13, abs=0)
    assert ours.specific_heat.item() == pytest.approx(float(value["c"]), rel=rel, abs=0)


@pytest.mark.parametrize(("where", "value"), list(_entries("ising2d.kaufman.")))
def test_kaufman(where, value):
    L, beta = int(where[0]), where[1]
    if abs(beta - ising.exact.SQUARE_CRITICAL_BETA) < 1e-9:
        beta = ising.exact.SQUARE_CRITICAL_BETA
    _agrees(ising.exact.kaufman(L, beta), value, rel=1e-10 if L == 3 else 5e-13)


def _from_density_of_states(levels, beta):
    """Energy and specific heat of the whole torus from integers, in 80 digits."""
    with localcontext() as context:
        context.prec = 80
        beta = Decimal(beta)
        weights = {int(energy): int(count) * (-beta * int(energy)).exp() for energy, count in levels.items()}
        z = sum(weights.values())
        mean = sum(energy * weight for energy, weight in weights.items()) / z
        variance = sum((energy - mean) ** 2 * weight for energy, weight in weights.items()) / z
        return float(z.ln()), float(mean), float(beta**2 * variance)


@pytest.mark.parametrize("L", [4, 6, 8])
def test_kaufman_from_integers_at_every_temperature(L):
    betas = np.concatenate([np.geomspace(1e-9, 0.2, 9), np.linspace(0.21, 0.8, 20), np.geomspace(0.9, 20, 12)])
    exact = np.array([_from_density_of_states(REFERENCE[f"ising2d.dos.L={L}"], b) for b in betas]).T / L**2
    ours = ising.exact.kaufman(L, betas)
    np.testing.assert_allclose(ours.log_z, exact[0], rtol=1e-14)
    np.testing.assert_allclose(ours.energy, exact[1], rtol=1e-14)
    np.testing.assert_allclose(ours.specific_heat, exact[2], rtol=1e-12)


@pytest.mark.parametrize(("L", "beta"), [(256, 3.0), (256, 1e-6), (16, 400.0), (8, 1e4), (2048, 0.44), (3, 1e-300)])
def test_kaufman_is_finite_everywhere(L, beta):
    ours = ising.exact.kaufman(L, beta)
    assert np.isfinite(ours.to_array()).all()
    assert ours.specific_heat.item() >= 0


def test_infinite_temperature():
    for ours in (ising.exact.kaufman(8, 0), ising.exact.ring(5, 0, -1.0, 0.3), ising.exact.curie_weiss(9, 0)):
        assert ours.energy.item() == pytest.approx(0, abs=1e-15)
        assert ours.specific_heat.item() == 0
        assert ours.log_z.item() == pytest.approx(np.log(2), rel=1e-15)
    assert [f(0) for f in (ising.exact.onsager_energy, ising.exact.onsager_specific_heat)] == [0, 0]
    assert ising.exact.onsager_magnetization(0.0) == 0


@pytest.mark.parametrize(("where", "value"), [e for e in _entries("ising2d.onsager.") if e[0] != [0.4406867935]])
def test_onsager(where, value):
    (beta,) = where
    assert ising.exact.onsager_energy(beta) == pytest.approx(float(value["u"]), rel=1e-14, abs=0)
    assert ising.exact.onsager_specific_heat(beta) == pytest.approx(float(value["c"]), rel=1e-13, abs=0)
    assert ising.exact.onsager_magnetization(beta) == pytest.approx(float(value["m"]), rel=1e-14, abs=0)


def test_onsager_in_the_ground_state():
    for beta in (400.0, 1e300):
        assert ising.exact.onsager_energy(beta) == -2
        assert ising.exact.onsager_specific_heat(beta) == 0
        assert ising.exact.onsager_magnetization(beta) == 1


def test_onsager_at_the_critical_point():
    assert ising.exact.onsager_energy(ising.exact.SQUARE_CRITICAL_BETA) == pytest.approx(-np.sqrt(2), abs=1e-9)


@pytest.mark.parametrize("n", [8, 64, 1024, 4096])
@pytest.mark.parametrize("beta", ["0.8", "1.0", "1.2"])
def test_curie_weiss(n, beta):
    value = REFERENCE[f"curie_weiss.N={n}.beta={beta}"]
    ours = ising.exact.curie_weiss(n, float(beta))
    assert ours.magnetization_abs.item() == pytest.approx(float(value["absm"]), rel=1e-10)
    assert ours.binder.item() == pytest.approx(float(value["U4"]), rel=1e-9)
    assert ours.energy.item() == pytest.approx(float(value["e"]), rel=1e-10)


@pytest.mark.parametrize("n", [8, 16, 64, 1000])
@pytest.mark.parametrize("beta", ["0.3", "0.5", "1.0", "2.0"])
def test_ring(n, beta):
    assert ising.exact.ring(n, float(beta)).energy.item() == pytest.approx(
        float(REFERENCE[f"ring.N={n}.beta={beta}"]["e"]), abs=1e-13
    )


@pytest.mark.parametrize(("where", "value"), list(_entries("transfer.")))
def test_ring_with_any_sign_and_field(where, value):
    n, J, h, beta = where
    _agrees(ising.exact.ring(int(n), beta, J, h), value, rel=1e-12)


@pytest.mark.parametrize(("n", "beta", "J", "h"), [(5, 400, 1, 0), (7, 400, -1, 0), (9, 1e4, -1, 0.5), (3, 1e4, 1, 2)])
def test_ring_in_the_ground_state(n, beta, J, h):
    ours = ising.exact.ring(n, beta, J, h)
    frustrated = -1 + 2 / n - h / n
    assert ours.energy.item() == pytest.approx(frustrated if J < 0 else -1 - h, rel=1e-15)
    assert 0 <= ours.specific_heat.item() < 1e-100
    ground_states = {(1, 0): 2, (-1, 0): 2 * n, (-1, 0.5): n, (1, 2): 1}[J, h]
    assert ours.log_z.item() == pytest.approx(np.log(ground_states) / n - beta * ours.energy.item(), rel=1e-14)


@pytest.mark.parametrize(
    ("n", "J", "h"), [(5, -1.0, 0.0), (6, -1.0, 1.9), (5, -0.7, 1.4), (7, 0.4, 0.01), (3, 0.0, 1.0)]
)
def test_ring_equals_enumeration(n, J, h):
    betas = [1e-4, 0.01, 0.17, 0.18, 0.5, 1.0, 2.0, 5.0, 10.0]
    model = ising.ferromagnet(ising.chain(n), J, h)
    ours, exact = ising.exact.ring(n, betas, J, h), ising.exact.enumerate_model(model, betas)
    for name in ("log_z", "energy", "specific_heat"):
        np.testing.assert_allclose(ours[name], exact[name], rtol=1e-11, atol=1e-15 * (name == "energy"), err_msg=name)


def test_enumeration_of_frustrated_models():
    triangular = ising.exact.enumerate_model(ising.ferromagnet(ising.triangular(4), J=-1), [0.0, 50.0, 400.0])
    assert np.isfinite(triangular.drop_vars("binder").to_array()).all()
    assert triangular.energy.values[1:] == pytest.approx(-1.0)  # one unsatisfied bond in every triangle
    states = np.exp(16 * (triangular.log_z.values[1:] + 400 / np.array([8, 1]) * triangular.energy.values[1:]))
    assert states[0] == pytest.approx(round(states[0]), abs=1e-6)
    assert states[1] == pytest.approx(round(states[0]), abs=1e-5)
    glass = ising.edwards_anderson(ising.square(4), seed=3, distribution="gaussian")
    spins = 2 * (np.arange(2**16)[:, None] >> np.arange(16) & 1) - 1
    assert ising.exact.enumerate_model(glass, 1e3).energy.item() == pytest.approx(glass.energy(spins).min() / 16)


def test_enumeration_at_low_temperature_keeps_its_digits():
    odd = ising.exact.enumerate_model(ising.ferromagnet(ising.square(3)), [1.0, 3.0, 10.0])
    np.testing.assert_allclose(odd.specific_heat, ising.exact.kaufman(3, [1.0, 3.0, 10.0]).specific_heat, rtol=1e-11)
    cold = ising.exact.enumerate_model(ising.ferromagnet(ising.square(4)), [5.0, 100.0])
    flipped = np.exp(-8 * np.array([5.0, 100.0]))  # one spin of 16: |m| = 1 - 2/16
    np.testing.assert_allclose(cold.susceptibility_connected, 16 * 16 * flipped / 64, rtol=1e-6)
    staggered = ising.exact.enumerate_model(ising.ferromagnet(ising.square(4), J=-1), [5.0, 100.0])
    one = 16 * np.exp(-8 * 5.0)  # of 16 spins one flipped: m = 1/8
    assert staggered.binder.values[0] == pytest.approx(1 - 1 / (3 * one), rel=1e-3)
    assert staggered.binder.values[1] == -np.inf


@pytest.mark.parametrize("n", [2, 9, 10])
def test_curie_weiss_equals_enumeration_at_low_temperature(n):
    betas = [1e-6, 0.3, 1.0, 10.0, 40.0]
    ours = ising.exact.curie_weiss(n, betas)
    exact = ising.exact.enumerate_model(ising.ferromagnet(ising.complete(n), J=1 / n), betas)
    for name in ("log_z", "specific_heat", "susceptibility_connected", "binder"):
        np.testing.assert_allclose(ours[name], exact[name], rtol=1e-9, atol=1e-15, err_msg=name)


def test_enumeration_agrees_with_the_solutions():
    square = ising.ferromagnet(ising.square(4))
    difference = ising.exact.enumerate_model(square, [0.1, 0.5]) - ising.exact.kaufman(4, [0.1, 0.5])
    assert float(abs(difference).to_array().max()) < 1e-11
    ring = ising.ferromagnet(ising.chain(8), J=-0.7, h=0.3)
    difference = ising.exact.enumerate_model(ring, [0.0, 0.5, 1.0]) - ising.exact.ring(8, [0.0, 0.5, 1.0], -0.7, 0.3)
    assert float(abs(difference).to_array().max()) < 1e-9
    weiss = ising.ferromagnet(ising.complete(10), J=0.1)
    difference = ising.exact.enumerate_model(weiss, [0.5, 1.5]) - ising.exact.curie_weiss(10, [0.5, 1.5])
    assert float(abs(difference).to_array().max()) < 1e-12


def test_enumeration_equals_the_definition():
    model = ising.IsingModel(ising.chain(7), np.linspace(-1, 1, 7), np.linspace(-0.5, 0.3, 7))
    states = 2 * (np.arange(2**7)[:, None] >> np.arange(7) & 1) - 1
    energy, m = model.energy(states), states.mean(axis=1)
    w = np.exp(-0.8 * energy)
    w /= w.sum()
    ours = ising.exact.enumerate_model(model, 0.8)
    assert ours.energy.item() == pytest.approx(w @ energy / 7, abs=1e-13)
    assert ours.binder.item() == pytest.approx(1 - w @ m**4 / (3 * (w @ m**2) ** 2), abs=1e-12)
    assert ours.specific_heat.item() == pytest.approx(0.64 * (w @ energy**2 - (w @ energy) ** 2) / 7, abs=1e-12)


def test_bethe_and_random_energy_model():
    for degree in range(3, 9):
        assert ising.exact.bethe_critical_beta(degree) == pytest.approx(
            float(REFERENCE[f"bethe.q={degree}.beta_c"]), rel=1e-12
        )
    x_c = np.sqrt(2 * np.log(1024))
    rem = ising.exact.random_energy_model(1024, [0.5 * x_c / 2.0, 2 * x_c / 2.0], sigma=2.0)
    np.testing.assert_allclose(rem.entropy, [0.75 * np.log(1024), 0.0], atol=1e-12)
    np.testing.assert_allclose(rem.participation, [0.0, 0.5], atol=1e-12)


BETA_FUNCTIONS = [
    lambda beta: ising.exact.kaufman(4, beta),
    lambda beta: ising.exact.enumerate_model(ising.ferromagnet(ising.chain(4)), beta),
    lambda beta: ising.exact.ring(4, beta),
    lambda beta: ising.exact.curie_weiss(4, beta),
    lambda beta: ising.exact.random_energy_model(4, beta),
    ising.exact.onsager_energy,
    ising.exact.onsager_specific_heat,
    ising.exact.onsager_magnetization,
]


@pytest.mark.parametrize("function", BETA_FUNCTIONS)
@pytest.mark.parametrize("beta", [[], np.zeros((2, 2)), "hot", None, -0.3, float("nan"), [0.1, float("inf")], 1j])
def test_bad_beta(function, beta):
    with pytest.raises(ValueError, match=r"beta must be .*, got"):
        function(beta)


@pytest.mark.parametrize("function", BETA_FUNCTIONS)
def test_scalar_and_list(function):
    one, many = function(0.3), function([0.3, 0.5])
    if isinstance(one, float):
        assert many[0] == one
    else:
        assert one.sizes["beta"] == 1
        assert one.identical(many.isel(beta=[0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: ising.exact.kaufman(n, 0.4), "L must be an integer >= 3"),
        (lambda n: ising.exact.ring(n, 0.4), "n must be an integer >= 3"),
        (lambda n: ising.exact.curie_weiss(n, 0.4), "n must be an integer >= 2"),
        (lambda n: ising.exact.bethe_critical_beta(n), "degree must be an integer >= 3"),
        (lambda n: ising.exact.random_energy_model(n, 0.4), "n must be an integer >= 2"),
    ],
)
def test_integers(call, message):
    for bad in (1, True, 4.5, 4.0, "4", None, np.float64(4)):
        with pytest.raises(ValueError, match=f"{message}, got"):
            call(bad)
    call(np.int32(4))


@pytest.mark.parametrize(
    "call",
    [
        lambda: ising.exact.enumerate_model(ising.ferromagnet(ising.chain(29)), 0.1),
        lambda: ising.exact.ring(5, 0.1, J=float("nan")),
        lambda: ising.exact.ring(5, 0.1, h="up"),
        lambda: ising.exact.random_energy_model(4, 0.1, sigma=0.0),
        lambda: ising.exact.random_energy_model(4, 0.1, sigma=float("inf")),
    ],
)
def test_bad_input(call):
    with pytest.raises(ValueError, match=r", got"):
        call()
