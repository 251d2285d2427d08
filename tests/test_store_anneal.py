"""`anneal` with a store: stopped anywhere, resumed and lengthened, a run has the bits of one that never was."""

import signal

import numpy as np
import pytest
import xarray as xr

import ising
from ceas_physics.cli import main
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


def test_another_run_is_refused_by_name(tmp_path):
    folder = tmp_path / "run"
    run(store=folder).close()
    for name, options in {
        "seed": {"seed": 5},
        "device": {"case": "sweeps in bits"},
        "couplings": {"case": "p-bits in doubles", "realism": None, "replicas": 3},
        "target_energy": {"target_energy": -3.0},
        "schedule": {"schedule": "linear"},
        "total_sweeps": {"total": 90},
    }.items():
        with pytest.raises(ValueError, match=f"holds a run with {name}"):
            run(**{"store": folder} | options)
    with pytest.raises(ValueError, match=r"function .*; give an array"):
        run(schedule=lambda f: 1.0 + f, store=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_run_that_met_its_target_is_over_and_one_ended_by_time_says_where(tmp_path, monkeypatch):
    hit = run(target_energy=-20.0, store=tmp_path / "hit")
    same(hit, run(target_energy=-20.0))
    timed = {"total": None, "time_limit": 0.05}
    stop(monkeypatch, 3, store=tmp_path / "timed", **timed)
    late = run(store=tmp_path / "timed", **timed).load()
    assert late.attrs["stopped_by"] == "time limit"
    assert late.attrs["run_seconds"] >= 0.05
    by_steps = run(total=int(late.attrs["steps"]))
    xr.testing.assert_equal(late.drop_attrs(), by_steps.drop_attrs())
    monkeypatch.setattr(run_module, "_advance", None)
    for name, options in {"hit": {"target_energy": -20.0}, "timed": timed}.items():
        run(store=tmp_path / name, **options).close()  # read, not run again


def test_ctrl_c_keeps_all_and_says_how_to_go_on(tmp_path, monkeypatch):
    original = run_module._advance

    def pressed(*given):
        signal.raise_signal(signal.SIGINT)
        return original(*given)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_advance", pressed)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt, match="ceas resume"):
                run(store=tmp_path / "run")
    same(run(store=tmp_path / "run"), run())


@pytest.mark.parametrize("case", ["p-bits in doubles", "sweeps in rows", "oscillators", "corridor"])
def test_resume_and_rerun_need_the_store_or_the_file_alone(case, tmp_path, monkeypatch, capsys):
    stop(monkeypatch, 3, case=case, store=tmp_path / "run")
    assert main(["resume", str(tmp_path / "run")]) == 0
    same(ising.open_run(tmp_path / "run"), run(case))
    assert main(["rerun", str(tmp_path / "run")]) == 0
    run(case).to_netcdf(tmp_path / "file.nc", engine="h5netcdf")
    assert main(["rerun", str(tmp_path / "file.nc")]) == 0
    assert "equal, bit for bit" in capsys.readouterr().out
    changed = run(case).copy(deep=True)
    changed.energy[0, 0] += 1.0
    changed.to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    assert main(["rerun", str(tmp_path / "other.nc")]) == 2
    assert "1 of energy" in capsys.readouterr().err
