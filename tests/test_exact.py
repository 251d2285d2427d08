"""Exact solutions against independently computed digits, and against each other."""

import json
from pathlib import Path

import numpy as np
import pytest

import ising

REFERENCE = json.loads((Path(__file__).parent / "data" / "exact.json").read_text())["values"]


def _entries(prefix):
    for key, value in REFERENCE.items():
        if key.startswith(prefix):
            yield [float(part.split("=")[1]) for part in key.split(".", 2)[-1].replace(".beta", " beta").split()], value


@pytest.mark.parametrize(("where", "value"), list(_entries("ising2d.kaufman.")))
def test_kaufman(where, value):
    L, beta = int(where[0]), where[1]
    if abs(beta - ising.exact.SQUARE_CRITICAL_BETA) < 1e-9:
        beta = ising.exact.SQUARE_CRITICAL_BETA
    ours = ising.exact.kaufman(L, beta)
    assert ours.energy.item() == pytest.approx(float(value["u"]), abs=1e-11)
    assert ours.specific_heat.item() == pytest.approx(float(value["c"]), rel=1e-9)
    assert ours.log_z.item() == pytest.approx(float(value["lnZ_per_spin"]), abs=1e-12)


@pytest.mark.parametrize("beta", [0.2, 0.3, 0.4, 0.42, 0.46, 0.5, 0.6, 1.0])
def test_onsager(beta):
    value = REFERENCE[f"ising2d.onsager.beta={beta}"]
    assert ising.exact.onsager_energy(beta) == pytest.approx(float(value["u"]), abs=1e-12)
    assert ising.exact.onsager_specific_heat(beta) == pytest.approx(float(value["c"]), rel=1e-10)
    assert ising.exact.onsager_magnetization(beta) == pytest.approx(float(value["m"]), abs=1e-12)


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


@pytest.mark.parametrize(
    "call",
    [
        lambda: ising.exact.kaufman(2, 0.4),
        lambda: ising.exact.kaufman(8, 0.0),
        lambda: ising.exact.onsager_energy(float("nan")),
        lambda: ising.exact.enumerate_model(ising.ferromagnet(ising.chain(29)), 0.1),
        lambda: ising.exact.ring(2, 0.1),
        lambda: ising.exact.curie_weiss(1, 0.1),
        lambda: ising.exact.bethe_critical_beta(2),
        lambda: ising.exact.random_energy_model(1, 0.1),
    ],
)
def test_bad_input(call):
    with pytest.raises(ValueError, match=r"got|takes"):
        call()
