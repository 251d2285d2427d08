"""`anneal` with a store: stopped anywhere, resumed and lengthened, a run has the bits of one that never was."""

import numpy as np
import pytest
import xarray as xr

import ising
from ceas_physics.npu import Bifurcation, Corridor, Oscillator, PBit, Realism, SoftSpin, Thermodynamic, anneal
from ceas_physics.npu import anneal as anneal_function
from ceas_physics.npu import run as run_module
from ising.store import whole

GLASS = ising.edwards_anderson(ising.square(6), seed=1)
FIELDS = ising.IsingModel(ising.square(6), np.linspace(-1.0, 1.0, 72), np.linspace(0.0, 0.5, 36))
DENSE = ising.sherrington_kirkpatrick(70, seed=1)
NOISY = Realism(mismatch=0.05, noise=0.1, delay=2.0, dead=0.1, readout_noise=0.01)
CASES = {
    "p-bits in bits": (GLASS, PBit(), {}),
    "p-bits in doubles": (FIELDS, PBit(), {"realism": NOISY, "replicas": 70}),
    "sweeps in bits": (GLASS, PBit(clock="sweep"), {"realism": Realism(readout_noise=0.01)}),
    "sweeps in fields": (FIELDS, PBit(clock="sweep"), {}),
    "sweeps in rows": (DENSE, PBit(clock="sweep"), {}),
    "soft spins": (GLASS, SoftSpin(), {"realism": NOISY}),
    "oscillators": (FIELDS, Oscillator(), {"schedule": [0.0, 0.1, 0.5]}),
    "bifurcation": (GLASS, Bifurcation(mode="ballistic"), {"realism": Realism(delay=2.0)}),
    "thermodynamic": (GLASS, PBit(), {"schedule": Thermodynamic(points=4, pilot=8)}),
    "corridor": (GLASS, PBit(), {"schedule": Corridor(beta_c=1.0, points=4, pilot=8), "replicas": 65}),
}


class Stopped(Exception):
    """As if the process were killed."""


@pytest.fixture(autouse=True)
def many_checkpoints(monkeypatch):
    """Looks at the clock every other read, and a checkpoint at each."""
    module = __import__("sys").modules[anneal_function.__module__]
    monkeypatch.setattr(module, "CHUNK_WORK", 1.0)
    monkeypatch.setattr(module, "_chunk", lambda n_steps, couplings: 2)
    monkeypatch.setattr(module, "READS", 10)
    for name in ("LEAST", "MOST"):
        monkeypatch.setattr(whole, name, 0.0)


def run(case="p-bits in bits", total=97, **options):
    """Reads every 5 of 50 sweeps, two anneals, the last one cut within an interval."""
    model, device, more = CASES[case]
    settings = {"sweeps": 50, "total_sweeps": total, "progress": False, "replicas": 3, "seed": 4} | more | options
    return anneal(model, device, **settings)


def same(a, b):
    """Identical but for the time it took."""
    a, b = (data.load().assign_attrs(run_seconds=0.0) for data in (a, b))
    xr.testing.assert_identical(a, b)
    a.close()


def stop(monkeypatch, after, error=Stopped, **options):
    """The same call, stopped in the chunk after so many."""
    taken, original = [], run_module._advance

    def advance(*given):
        if len(taken) == after:
            raise error
        taken.append(1)
        return original(*given)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_advance", advance)
        with pytest.raises(error) as caught:
            run(**options)
    return str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_stopped_resumed_and_lengthened_runs_are_those_without_a_store(case, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    for after in (2, 1, 3):
        stop(monkeypatch, after, case=case, store=folder)
    same(run(case, store=folder), run(case))
    same(run(case, 160, store=folder), run(case, 160))
    same(ising.open_run(folder), run(case, 160))
    assert sorted(path.name for path in folder.glob("*.nc")) == ["frame.nc", "run-160.nc"]
