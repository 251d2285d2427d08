import numpy as np
import pytest
import xarray as xr

import ceas_physics
from ceas_physics.cli import main
from ceas_physics.training import DivergedError, experiment, loop
from ceas_physics.training import run as run_module

TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 30


@pytest.fixture
def common(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    return ["train", "--quiet", "--text", "text.txt"]


def test_checkpoint_goes_on_after_an_interruption(common, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_module, "CHECKPOINT_EVERY", 4)
    original, taken = loop.Run.step, []

    def step(run):
        if len(taken) == 6:
            raise KeyboardInterrupt
        taken.append(run.steps)
        original(run)

    command = [*common, "--steps", "9", "--checkpoint", "run.npz"]
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "step", step)
        with pytest.raises(SystemExit) as stop:
            main(command)
    assert stop.value.code == 130
    assert "the same command goes on from run.npz" in capsys.readouterr().err
    assert main(command) == 0
    assert main([*common, "--steps", "9", "--out", "unbroken.nc"]) == 0
    with xr.open_dataset("training.nc") as one, xr.open_dataset("unbroken.nc") as other:
        xr.testing.assert_identical(one.load(), other.load())


def test_what_a_diverged_run_has_recorded_is_written(common, monkeypatch, capsys):
    record = xr.Dataset({"loss": ("step", np.ones(3))})

    def diverges(**_):
        raise DivergedError("the loss is not finite at step 3; lower learning_rate", record)

    monkeypatch.setattr(ceas_physics, "train", diverges)
    assert main([*common, "--out", "t.nc"]) == 2
    assert capsys.readouterr().err == "ceas: the loss is not finite at step 3; lower learning_rate\n"
    with xr.open_dataset("t.nc") as written:
        assert written.sizes["step"] == 3


def test_compare_stops_goes_on_and_writes_its_pages(common, tmp_path, monkeypatch, capsys):
    command = [*common, "--compare", "--conditions", "standard", "x2", "--seeds", "1", "--tokens", "2000",
               "--learning-rate", "0.01", "--processes", "1"]  # fmt: skip
    original = experiment.run_task

    def one(task, *rest):
        if task.name.startswith("x2"):
            raise KeyboardInterrupt
        original(task, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "run_task", one)
        with pytest.raises(SystemExit) as stop:
            main(command)
    assert stop.value.code == 130
    assert "finished runs are in ceas-compare" in capsys.readouterr().err
    assert main(command) == 0
    table = capsys.readouterr().out
    assert "| x2 |" in table
    assert "1 paired seed, so no intervals" in table
    assert "nan" not in table
    names = {str(path.relative_to(tmp_path / "ceas-compare")) for path in (tmp_path / "ceas-compare").rglob("*.*")}
    assert names == {"compare.nc", "compare.png", "table.md", "runs/standard-0.nc", "runs/x2-0.nc"}


BAD = {
    "condition": (["--compare", "--conditions", "standard", "nobody"], "conditions must be one of standard, x0.5"),
    "one condition": (["--compare", "--conditions", "standard"], "two or more different names"),
    "seeds": (["--compare", "--seeds", "-1"], "seeds must be an integer >= 1, got -1"),
    "processes": (["--compare", "--processes", "0"], "processes must be an integer >= 1, got 0"),
    "place": (["--compare", "--out", "/dev/null/x"], "cannot write /dev/null/x"),
    "checkpoint": (["--checkpoint", "text.txt"], "text.txt is not a checkpoint"),
    "quick alone": (["--quick"], "--quick needs --compare"),
    "seeds alone": (["--seeds", "0"], "--seeds needs --compare"),
    "rate alone": (["--learning-rate", "0.1"], "--learning-rate needs --compare"),
    "steps": (["--compare", "--quick", "--steps", "9"], "--steps does not go with --compare"),
    "start": (["--compare", "--thermostat", "none"], "--thermostat does not go with --compare"),
    "text": (["--text", "bible"], "run `make texts`"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case, common, capsys):
    arguments, message = BAD[case]
    assert main([*common, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
