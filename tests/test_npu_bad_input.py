"""`anneal` refuses what it cannot do, and names it."""

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_array

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
    anneal,
)

GLASS = ising.edwards_anderson(ising.square(8), seed=1)


BAD = {
    "device must be one of": {"device": "qubit"},
    "schedule must be one of": {"schedule": "quick"},
    "a schedule must be finite": {"schedule": [0.1, np.nan]},
    "a schedule must not be negative": {"schedule": [0.1, -1.0]},
    "a schedule array must have one axis": {"schedule": np.ones((2, 2))},
    "at least one entry": {"schedule": []},
    "got nan": {"schedule": lambda f: np.nan},
    "got -1": {"schedule": lambda f: -1.0},
    "device 'p_bit'": {"schedule": "corridor", "device": "bifurcation"},
    "0 < start < end": {"schedule": Thermodynamic(2.0, 1.0)},
    "replicas must be an integer >= 1": {"replicas": 0},
    "sweeps must be an integer >= 1": {"sweeps": 0},
    "total_sweeps must be": {"total_sweeps": -1},
    "seed must be": {"seed": -1},
    "threads must be": {"threads": 0},
    "time_limit must be": {"time_limit": -1.0},
    "time_limit must be finite": {"time_limit": float("inf")},
    "got '1 h'": {"time_limit": "1 h"},
    "target_energy must be": {"target_energy": float("nan")},
    "realism must be": {"realism": 0.1},
    "energy_model must be": {"energy_model": 1.0},
    "time_limit must be finite and > 0, got 0": {"time_limit": 0},
    r"got \[1\]": {"time_limit": [1]},
    "target_energy must be a number, got True": {"target_energy": True},
    "got None": {"schedule": None},
    "1000000000 replicas .* GiB": {"replicas": 10**9},
    "64 replicas .* GiB": {"realism": Realism(delay=1e9)},
    "ran away": {"device": SoftSpin(dt=3.0), "schedule": "linear"},
    "read errors only": {"device": PBit("sweep"), "realism": Realism(delay=1.0)},
}


def test_any_real_number_will_do():
    one = anneal(
        GLASS, SoftSpin(np.int64(1), amplitude_control=0, dt=np.float32(0.125)), "linear", sweeps=20, progress=False
    )
    same = anneal(GLASS, SoftSpin(1.0, amplitude_control=0.0, dt=0.125), "linear", sweeps=20, progress=False)
    np.testing.assert_array_equal(one.energy, same.energy)


@pytest.mark.parametrize("message", BAD)
def test_impossible_arguments(message):
    with pytest.raises(ValueError, match=message):
        anneal(GLASS, progress=False, **BAD[message])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[0, np.nan], [np.nan, 0]]), "finite"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (np.zeros((3, 3)), "nothing to anneal"),
        (np.zeros((0, 0)), "non-empty"),
        (ising.IsingModel(ising.from_bonds(3, [])), "nothing to anneal"),
        (np.array([[0.0, 1e-200], [1e-200, 0.0]]), "rescale"),
        (np.array([[0.0, 1e200], [1e200, 0.0]]), "rescale"),
        ("G22", "IsingModel"),
        (None, "IsingModel"),
        (np.array([[0, 1j], [1j, 0]]), "real, symmetric"),
        (nx.cycle_graph(4), "npu.max_cut"),
        (ising.square(4), "ising.ferromagnet"),
        (csr_array([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (csr_array([[1.0, 1.0], [1.0, 0.0]]), "zero diagonal"),
        (csr_array([[0.0, np.nan], [np.nan, 0.0]]), "finite"),
        (csr_array(np.ones((2, 3))), "square"),
    ],
)
def test_impossible_models(model, message):
    with pytest.raises(ValueError, match=message):
        anneal(model)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PBit("fast"), lambda: SoftSpin(coupling=0.0), lambda: SoftSpin(pump=(0.0,)),
        lambda: Oscillator(dt=-1.0), lambda: SoftSpin(control="beta", pump=(0.0, 0.5)),
        lambda: Oscillator(injection=(0.0, np.nan)),
        lambda: Bifurcation("quantum"), lambda: Bifurcation(dt="small"), lambda: Realism(bits=1),
        lambda: Realism(noise=-1.0), lambda: Realism(dead=1.0), lambda: Realism(readout_noise=0.7),
        lambda: EnergyModel(spin_event=-1.0), lambda: Linear(-1.0), lambda: Geometric(0.0, 1.0),
        lambda: Realism(noise="a"), lambda: Realism(dead=None), lambda: EnergyModel(time_unit=None),
        lambda: Corridor(beta_c="a"), lambda: Corridor(hold="a"), lambda: Corridor(thermostat=3),
        lambda: Corridor(beta_c=0.0), lambda: Corridor(hold=2.0), lambda: Thermodynamic(points=1),
    ],
)  # fmt: skip
def test_impossible_settings(make):
    with pytest.raises(ValueError, match=r"must|needs"):
        make()
