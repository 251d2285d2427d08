"""The run store: a run that is stopped anywhere, resumed and lengthened has the bits of one that never was."""

import json
import os
import pickle
from importlib import import_module

import numpy as np
import pytest
import xarray as xr

import ising
from ising import checks, driver
from ising.plan import make_plan
from ising.provenance import settings_of
from ising.store import disk, journal, merge, sampling
from ising.store import store as store_files

resume = import_module("ising.store.resume")  # in the package that name is its function
SQUARE = ising.ferromagnet(ising.square(6))
GLASSES = ising.edwards_anderson(ising.square(6), seed=1, disorder=3)
CASES = {
    "bits": (SQUARE, [0.3, 0.4], {"chains": 70, "update": "heat_bath", "configurations": 7}),
    "exchange": (GLASSES, [0.3, 0.4], {"chains": 4, "exchange": True}),
    "disorder in lanes": (GLASSES, [0.3, 0.4], {"exchange": True, "lanes": "disorder", "configurations": 9}),
    "swendsen_wang": (SQUARE, [0.3], {"update": "swendsen_wang", "chains": 5}),
    "wolff": (SQUARE, [0.3], {"update": "wolff", "chains": 5}),
    "spins": (GLASSES, 0.3, {"update": "random_site", "chains": 4}),
    "fields": (ising.sherrington_kirkpatrick(20, 1), [0.3, 0.5], {"exchange": True, "chains": 66}),
    "rows": (ising.sherrington_kirkpatrick(200, 1), [0.3, 0.5], {"exchange": True, "chains": 12}),
    "space": (ising.ferromagnet(ising.square(128)), [0.3], {"update": "heat_bath", "chains": 3}),
    "arrays": (ising.from_matrix([[0, 2, 0], [2, 0, -1], [0, -1, 0]], [0.1, 0, 0]), 0.3, {"initial": [1, 1, -1]}),
}
SHORT = ising.Schedule(10, 20)


def run(model=SQUARE, beta=0.4, schedule=SHORT, **options):
    return ising.sample(model, beta, schedule, progress=False, **options)


@pytest.fixture
def many_commits(monkeypatch):
    """A commit whenever a unit looks up."""
    for name in ("LEAST", "MOST"):
        monkeypatch.setattr(sampling, name, 0.0)


@pytest.mark.parametrize("case", CASES)
def test_stored_and_lengthened_runs_are_those_without_a_store(case, tmp_path, many_commits):
    model, beta, options = CASES[case]
    stored = run(model, beta, store=tmp_path / "run", **options)
    xr.testing.assert_identical(stored.load(), run(model, beta, **options))
    longer = run(model, beta, ising.Schedule(10, 33), store=tmp_path / "run", **options)
    xr.testing.assert_identical(longer.load(), run(model, beta, ising.Schedule(10, 33), **options))
    assert sorted(path.suffix for path in (tmp_path / "run").glob("*.nc")) == [".nc", ".nc"]  # frame and result


def test_sizes(tmp_path):
    """Joined they are read side by side; a dict of betas gives a list. Both lengthen, both are found by `open_run`."""
    models = {"a": ising.from_matrix([[0, 2], [2, 0]]), "b": ising.ferromagnet(ising.square(4))}
    for name, beta in (("joined", [0.2, 0.3]), ("apart", {"a": 0.2, "b": [0.1, 0.3]})):
        for draws in (30, 50):
            options = {"chains": 4, "observables": ["energy"], "progress": False}
            call = (models, beta, ising.Schedule(5, draws))
            plain = ising.sample_sizes(*call, **options)
            stored = ising.sample_sizes(*call, store=tmp_path / name, **options)
            found = ising.open_run(tmp_path / name)
            for one in (stored, found):
                xr.testing.assert_identical(one, plain) if name == "joined" else [
                    xr.testing.assert_identical(a, b) for a, b in zip(one, plain, strict=True)
                ]
        assert ising.rerun(tmp_path / name, progress=False).equal
    joined = ising.open_run(tmp_path / "joined")
    np.testing.assert_array_equal(joined.energy[1, :, 1:3, ::-7].values, joined.energy.values[1, :, 1:3, ::-7])
    assert ising.model_from(joined.sel(L="a")).couplings == 2


@pytest.mark.parametrize("case", CASES)
def test_draws_cut_between_two_sweeps(case, tmp_path, monkeypatch):
    """Every sweep is a slice of its own, and a unit goes on from a checkpoint within a draw: the same bits."""
    model, beta, options = CASES[case]
    schedule = ising.Schedule(3, 4, thin=3)
    expected = run(model, beta, schedule, **options)
    monkeypatch.setattr(driver, "SLICE", -1.0)
    xr.testing.assert_identical(run(model, beta, schedule, **options), expected)
    plan = make_plan(model, beta, schedule, **options)
    with sampling.open_store(plan, tmp_path / "run") as store:
        for unit in range(len(plan.blocks)):
            for _ in range(3 + 4 * 3):
                store.commit([sampling.carry(*settings_of(plan), 4, unit, store.checkpoint(unit), 0)])
        merge(store)
    xr.testing.assert_identical(ising.open_run(tmp_path / "run").load(), expected)


@pytest.mark.parametrize("case", ["bits", "disorder in lanes", "fields", "arrays"])
def test_results_of_any_size_run_again(case, monkeypatch):
    """Nothing of the second run is kept, so that no result is too large; a changed number is found and counted."""
    model, beta, options = CASES[case]
    data = run(model, beta, **options)
    monkeypatch.setattr(checks, "MAX_RESULT_BYTES", 0)
    monkeypatch.setattr(resume, "PIECE", 0)
    again = ising.rerun(data, progress=False)
    assert again.equal
    assert set(again.compared) == set(data.data_vars)
    data["energy"][..., 7] += 1
    data["spins"][..., 0] *= -1
    wrong = ising.rerun(data, progress=False)
    lanes = data["energy"].size // data.sizes["draw"]
    assert wrong.different == {"energy": lanes, "spins": data["spins"].size // data.sizes["site"]}
    assert ising.rerun(data.isel(beta=slice(0, 0)), progress=False).different["energy"] == lanes * data.sizes["draw"]


@pytest.mark.parametrize("case", ["exchange", "wolff", "arrays"])
def test_units_may_be_carried_by_any_process(case, tmp_path):
    """From JSON, arrays and checkpoints alone, a step at a time, in any order."""
    model, beta, options = CASES[case]
    plan = make_plan(model, beta, SHORT, **options)
    settings, arrays = settings_of(plan)
    settings = json.loads(json.dumps(settings))
    with sampling.open_store(plan, tmp_path / "run") as store:
        while unfinished := [unit for unit in range(len(plan.blocks)) if store.length(unit) < SHORT.draws]:
            segments = [sampling.carry(settings, arrays, 20, u, store.checkpoint(u), 0) for u in reversed(unfinished)]
            store.commit(pickle.loads(pickle.dumps(segments)))
        with pytest.raises(ValueError, match="go on where their units stand"):
            store.commit(segments)
        merge(store)
    xr.testing.assert_identical(ising.open_run(tmp_path / "run").load(), run(model, beta, **options))


class Killed(BaseException):
    """Stands for the end of the process."""


DEATHS = {
    "flush": ("exchange", disk.os, "fsync"),
    "rename": ("wolff", disk.os, "replace"),
    "journal": ("bits", journal.os, "pwrite"),
    "removal": ("disorder in lanes", store_files, "remove"),
}


@pytest.mark.parametrize("step", DEATHS)
def test_killed_at_every_step_of_writing(step, tmp_path, monkeypatch, many_commits):
    """The n-th process ends at its n-th flush, rename, line or removal; the next goes on over what it left."""
    (case, module, name), calls, deaths = DEATHS[step], 0, 0
    model, beta, options = CASES[case]
    plain = getattr(module, name)
    monkeypatch.setattr(sampling.Sampling, "run", _without_last_words)

    def dies(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if calls > deaths:
            raise Killed
        return plain(*arguments, **keywords)

    call = (model, beta, ising.Schedule(3, 12))
    expected = run(*call, **options)
    while True:
        calls = 0
        monkeypatch.setattr(module, name, dies)
        try:
            result = run(*call, store=tmp_path / "run", **options)
            break
        except Killed:
            deaths += 1
        finally:
            monkeypatch.setattr(module, name, plain)
        if (tmp_path / "run" / "manifest.json").exists():
            grown = ising.open_run(tmp_path / "run")
            np.testing.assert_array_equal(grown.energy, expected.energy[..., : grown.sizes["draw"]])
    assert deaths > 2
    xr.testing.assert_identical(result.load(), expected)


def _without_last_words(self, progress, threads):
    """`Sampling.run` of a process that is killed: no unit hands in what it has."""
    works = [
        self._work(unit) for unit in range(len(self.plan.blocks)) if self.store.length(unit) < self.plan.schedule.draws
    ]
    try:
        for work in works:
            for _ in work:
                pass
        self._commit()
    except Killed:
        self._hand_in = lambda *_: None
        for work in works:
            work.close()
        raise


def test_another_run_is_refused_by_name(tmp_path):
    run(store=tmp_path / "run", chains=2)
    for options, said in (
        ({"chains": 4}, "chains=2, got chains=4"),
        ({"chains": 2, "seed": 5}, "seed=0, got seed=5"),
        ({"chains": 2, "beta": 0.5}, r"beta=\[0.4\], got beta=\[0.5\]"),
        ({"chains": 2, "schedule": ising.Schedule(10, 19)}, "draws=20, got draws=19; a store grows"),
        ({"chains": 2, "model": ising.ferromagnet(ising.square(6), J=2.0)}, "couplings=1.0, got couplings=2.0"),
        ({"chains": 2, "initial": np.ones(36)}, "initial='random', got initial='array'"),
    ):
        with pytest.raises(ValueError, match=said):
            run(store=tmp_path / "run", **options)
    for store, said in (
        (5, "store must be the path of a folder, got 5"),
        (__file__, "store must be a folder, got the"),
    ):
        with pytest.raises(ValueError, match=said):
            run(store=store)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds other files \(notes.txt\)"):
        run(store=tmp_path / "mine")
    assert os.listdir(tmp_path / "mine") == ["notes.txt"]
