"""`train` with a store: stopped anywhere, resumed and lengthened, a run has the bits of one that never was."""

from dataclasses import replace

import pytest
import xarray as xr

import ceas_physics
import ising
from ceas_physics import Thermostat, TransformerConfig, knobs, train
from ceas_physics.cli import main
from ceas_physics.thermostat import Freezing, Gating, Guard
from ceas_physics.training import Knobs, loop
from ceas_physics.training import run as run_module
from ising.store import whole

TINY = TransformerConfig(n_layers=1, d_model=8, context=16, batch_size=4)
TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 30
ALL_KNOBS = Knobs(
    learning_rate=knobs.LearningRateBand(every=12, iterations=2),
    batch_size=knobs.BatchSizeBand(every=12, gain=0.3, largest_change=0.3),
    weight_decay=knobs.WeightDecayBand(every=12),
    label_smoothing=knobs.SmoothingSchedule(every=12),
)
EVERYTHING = Thermostat(gating=Gating(fraction_steps=40), freezing=Freezing(window=8), guard=Guard(hold=10))
CASES = {
    "plain": {"config": TINY},
    "dropout": {"config": replace(TINY, dropout=0.2), "thermostat": Thermostat(initial="final_address")},
    "thermostat": {"config": TINY, "thermostat": EVERYTHING},
    "knobs": {"config": TINY, "thermostat": Thermostat(), "knobs": ALL_KNOBS},
}


class Stopped(Exception):
    """As if the process were killed."""


@pytest.fixture(autouse=True)
def many_checkpoints(monkeypatch):
    """A checkpoint every 16 steps, always written."""
    monkeypatch.setattr(run_module, "CHECKPOINT_EVERY", 16)
    for name in ("LEAST", "MOST"):
        monkeypatch.setattr(whole, name, 0.0)


def run(case="plain", steps=60, **options):
    return train(steps=steps, progress=False, **({"seed": 2, "text": TEXT} | CASES[case] | options))


def stop(monkeypatch, after, error=Stopped, **options):
    """The same call, stopped in the step after so many."""
    taken, original = [], loop.Run.step

    def step(training):
        if len(taken) == after:
            raise error
        taken.append(1)
        original(training)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "step", step)
        with pytest.raises(error) as caught:
            run(**options)
    return str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_stopped_resumed_and_lengthened_runs_are_those_without_a_store(case, tmp_path, monkeypatch):
    for after in (5, 20, 3, 18):
        stop(monkeypatch, after, case=case, store=tmp_path / "run")
    stored = run(case, store=tmp_path / "run")
    xr.testing.assert_identical(stored.load(), run(case))
    stored.close()
    longer = run(case, 83, store=tmp_path / "run")
    xr.testing.assert_identical(longer.load(), run(case, 83))
    xr.testing.assert_identical(ising.open_run(tmp_path / "run").load(), longer)
    assert sorted(path.name for path in (tmp_path / "run").glob("*.nc")) == ["frame.nc", "run-83.nc"]


def test_another_run_is_refused_by_name(tmp_path):
    run(store=tmp_path / "run").close()
    for name, options in {
        "seed": {"seed": 3},
        "config.dropout": {"config": replace(TINY, dropout=0.1)},
        "thermostat": {"thermostat": Thermostat()},
        "knobs.beta_factor": {"knobs": Knobs(beta_factor=2.0)},
        "text_sha256": {"text": TEXT + "."},
        "steps": {"steps": 59},
    }.items():
        with pytest.raises(ValueError, match=f"holds a run with .*got {name}"):
            run(**{"store": tmp_path / "run"} | options)
    with pytest.raises(ValueError, match="not both"):
        run(store=tmp_path / "run", checkpoint=tmp_path / "file")


def test_ctrl_c_keeps_the_last_checkpoint_and_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(whole, "LEAST", 60.0)  # none is due before
    said = stop(monkeypatch, 40, KeyboardInterrupt, store=tmp_path / "run")
    assert f"ceas resume {tmp_path / 'run'}" in said
    taken = []
    monkeypatch.setattr(loop.tqdm, "update", lambda bar, tokens: taken.append(tokens))
    xr.testing.assert_identical(run(store=tmp_path / "run").load(), run())
    assert len(taken) == (60 - 32) + 60


def test_a_finished_run_is_read_and_not_run_again(tmp_path, monkeypatch):
    run(store=tmp_path / "run").close()
    monkeypatch.setattr(loop.Run, "step", None)
    assert run(store=tmp_path / "run").sizes["step"] == 2


@pytest.mark.parametrize("case", ["thermostat", "knobs"])
def test_resume_and_rerun_need_the_store_or_the_file_and_its_text(case, tmp_path, monkeypatch, capsys):
    stop(monkeypatch, 40, case=case, store=tmp_path / "run")
    growing = ceas_physics.open_run(tmp_path / "run")
    assert main(["resume", str(tmp_path / "run")]) == 0
    xr.testing.assert_identical(ising.open_run(tmp_path / "run").load(), run(case))
    assert growing.step[-1] < 60
    assert main(["rerun", str(tmp_path / "run")]) == 0
    run(case).to_netcdf(tmp_path / "file.nc", engine="h5netcdf")
    (tmp_path / "text").write_text(TEXT)
    assert main(["rerun", str(tmp_path / "file.nc"), "--text", str(tmp_path / "text")]) == 0
    assert main(["rerun", str(tmp_path / "file.nc")]) == 2
    assert "give the text" in capsys.readouterr().err
