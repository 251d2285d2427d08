import json

import numpy as np
import pytest
import xarray as xr

from ceas_physics import TransformerConfig, train
from ceas_physics.training import CONDITIONS, DivergedError, Plan, compare, comparison, condition, experiment

TINY = TransformerConfig(n_layers=1, d_model=8, context=16, batch_size=4)
TEXT = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 30
SMALL = Plan(TINY, ("standard", "x2"), seeds=2, tokens=2_000, learning_rates=(1e-2, 2e-2), scan_seeds=1)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    return folder, compare(folder, SMALL, TEXT, processes=1, progress=False)


def test_runs_are_paired_and_are_those_of_train(done):
    folder, table = done
    runs = {path.stem: xr.open_dataset(path).load() for path in (folder / "runs").glob("*.nc")}
    for k in (0, 1):
        same = [runs[f"{name}-{k}"].initial_parameters for name in SMALL.conditions]
        for other in same[1:]:
            np.testing.assert_array_equal(other, same[0])
    assert (runs["standard-0"].initial_parameters != runs["standard-1"].initial_parameters).any()
    assert {name.rpartition("-")[2] for name in runs if name.startswith("scan")} == {"1000"}
    assert table.tokens[-1] == SMALL.steps * 64
    setting = condition("x2", TransformerConfig(**{**json.loads(runs["x2-1"].attrs["config"])}))
    again = train(setting.config, TEXT, None, 1, SMALL.steps, progress=False, knobs=setting.knobs)
    np.testing.assert_array_equal(again.validation_curve, table.validation_loss.sel(condition="x2", seed=1))


def test_scan_goes_on_until_the_best_is_inside_and_is_refined(done):
    _, table = done
    rates, mean = table.scan_rate.values, table.scan_loss.mean("scan_seed").values
    best = int(np.argmin(mean))
    assert table.attrs["learning_rate"] == rates[best]
    assert 0 < best < len(rates) - 1
    steps = np.diff(np.log2(rates))
    assert steps[best - 1] == pytest.approx(0.5)
    assert (steps < 1.01).all()


def test_stops_and_goes_on_whatever_the_number_of_processes(done, tmp_path, monkeypatch):
    _, table = done
    ran, original = [], experiment.run_task

    def one(task, text, folder):
        if len(ran) == 6:
            raise KeyboardInterrupt
        ran.append(task.name)
        original(task, text, folder)

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "run_task", one)
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path, SMALL, TEXT, processes=1, progress=False)
    files = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert files.keys() == set(ran)
    resumed = compare(tmp_path, SMALL, TEXT, processes=2, progress=False)
    assert {name: (tmp_path / "runs" / f"{name}.nc").stat().st_mtime_ns for name in ran} == files
    xr.testing.assert_identical(resumed, table)


def test_more_seeds_are_added_and_other_settings_refused(done, monkeypatch):
    folder, table = done
    monkeypatch.setattr(experiment, "run_task", lambda *_: pytest.fail("everything is there"))
    xr.testing.assert_identical(compare(folder, SMALL, TEXT, processes=1, progress=False), table)
    with pytest.raises(ValueError, match=r"scan-0\.01-standard-1000\.nc is a run with another text_sha256; give a new"):
        compare(folder, SMALL, TEXT + " ", processes=1, progress=False)
    longer = Plan(TINY, SMALL.conditions, 2, 4_000, SMALL.learning_rates, 1)
    with pytest.raises(ValueError, match="with another steps"):
        compare(folder, longer, TEXT, processes=1, progress=False)


def test_a_run_that_diverges_is_a_result_but_not_for_the_baseline(tmp_path, monkeypatch):
    original = experiment.train

    def diverging(*arguments, knobs, **options):
        run = original(*arguments, knobs=knobs, **options)
        if knobs.beta_factor == 2.0:
            raise DivergedError("the loss is not finite at step 20", run.isel(loss_step=[0, 1], step=[0]))
        return run

    monkeypatch.setattr(experiment, "train", diverging)
    plan = Plan(TINY, ("standard", "x2"), seeds=1, tokens=2_000, learning_rates=(1e-2,))
    table = compare(tmp_path / "one", plan, TEXT, processes=1, progress=False)
    assert table.diverged.values.tolist() == [[False], [True]]
    assert np.isnan(table.final_loss.sel(condition="x2")).all()
    assert np.isfinite(table.validation_loss).all()
    assert table.censored.sel(condition="x2", target=0.8).all()
    assert "| x2 | nan |" in comparison.write(table, tmp_path / "one")
    plan = Plan(TINY, ("x2", "standard"), seeds=1, tokens=2_000, learning_rates=(1e-2,))
    with pytest.raises(ValueError, match=r"x2 diverged at the learning rate 0\.01"):
        compare(tmp_path / "two", plan, TEXT, processes=1, progress=False)


def test_pages_are_written(done):
    folder, table = done
    text = comparison.write(table, folder)
    for name in SMALL.conditions:
        assert f"- {name}: {CONDITIONS[name][0]}" in text
    assert {path.name for path in folder.iterdir()} == {"runs", "compare.nc", "compare.png", "table.md"}
    with xr.open_dataset(folder / "compare.nc") as copy:
        xr.testing.assert_equal(copy.load(), table)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_trains(name):
    setting = condition(name, TINY)
    run = train(setting.config, TEXT, setting.thermostat, 0, 60, progress=False, knobs=setting.knobs)
    assert np.isfinite(run.validation_curve).all()
    assert run.validation_curve[-1] < run.validation_curve[0]
    assert all({"long_name", "units", "formula"} <= run[each].attrs.keys() for each in run)


def test_bad_plans():
    with pytest.raises(ValueError, match=r"conditions must be one of standard, .* got 'nobody'"):
        Plan(conditions=("standard", "nobody"))
    with pytest.raises(ValueError, match="two or more different names"):
        Plan(conditions=("standard", "standard"))
    with pytest.raises(ValueError, match="learning_rates must be positive and rising"):
        Plan(learning_rates=(2e-2, 1e-2))
    with pytest.raises(ValueError, match="seeds must be an integer >= 1, got 0"):
        Plan(seeds=0)
    with pytest.raises(ValueError, match=r"fractions must be in \(0, 1\]"):
        Plan(fractions=(1.2,))
