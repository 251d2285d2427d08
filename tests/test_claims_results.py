"""Verdicts from stored results and from small computations: right and wrong numbers, too few seeds, nothing stored."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ceas_physics import claims
from ceas_physics.claims import experiments, machines, rules, savings, theory_heads, theory_systems
from ceas_physics.claims.entry import REGISTRY, Look, claim, in_words, interval
from ceas_physics.claims.stored import CONDITIONS, SEEDS, TRAINING, Experiment
from ising.tilings import edge_length


def comparison(saved, seeds=SEEDS, scatter=0.01):
    """A made-up comparison in which every condition but the baseline saves that share of the tokens."""
    rng = np.random.default_rng(1)
    shape = (2, len(CONDITIONS), seeds)
    saving = saved + scatter * rng.standard_normal(shape)
    saving[:, 0] = 0.0
    dims = ("target", "condition", "seed")
    columns = {"token_saving": saving, "flops_saving": saving, "tokens_to_target": 1e6 * (1.0 - saving)}
    data = xr.Dataset({name: (dims, values) for name, values in columns.items()})
    data["censored"] = dims, np.zeros(shape, dtype=bool)
    data["scan_loss"] = ("scan_rate", "scan_seed"), np.ones((3, 2))
    return data.assign_coords(target=[savings.EARLY, savings.LATE], condition=list(CONDITIONS))


def stored(folder, data):
    (folder / "compare").mkdir()
    data.to_netcdf(folder / "compare" / "compare.nc")
    return folder


def verdicts(folder, *ids):
    data = claims.run(ids, results=folder, progress=False)
    return dict(zip(data.claim.values.tolist(), data.verdict.values.tolist()))


def test_a_right_saving_is_reproduced_and_a_wrong_one_is_not(tmp_path):
    found = verdicts(stored(tmp_path, comparison(0.45)), "B4/9k", "B4/GPT-3", "B5/9k MaxEnt", "A3/learning")
    assert found == {
        "A3/learning": "reproduced",
        "B4/9k": "reproduced",
        "B4/GPT-3": "not testable here",
        "B5/9k MaxEnt": "not reproduced",
    }


def test_a_saving_of_nothing_is_not_reproduced(tmp_path):
    folder = stored(tmp_path, comparison(0.0))
    assert verdicts(folder, "B4")["B4"] == "not reproduced"
    assert set(verdicts(folder, "B6").values()) == {"not reproduced"}


def test_speedup_is_the_ratio_of_tokens(tmp_path):
    data = claims.run(["B6/beta"], results=stored(tmp_path, comparison(0.4)), progress=False)
    assert data.number.item() == pytest.approx(1 / 0.6, abs=0.02)
    assert data.verdict.item() == "reproduced"
    assert "compare.nc" in data.evidence.item()


def test_few_seeds_or_scatter_decide_nothing(tmp_path):
    (tmp_path / "few").mkdir()
    (tmp_path / "wide").mkdir()
    few = claims.run(["B4/9k"], results=stored(tmp_path / "few", comparison(0.45, seeds=3)), progress=False)
    assert few.verdict.item() == rules.NOT_TESTABLE
    assert "3 seeds" in few.why.item()
    assert verdicts(stored(tmp_path / "wide", comparison(0.45, scatter=0.6)), "B4/9k")["B4/9k"] == rules.NOT_TESTABLE


def test_without_a_stored_result_the_command_is_named(tmp_path):
    data = claims.run(["B4/9k"], results=tmp_path, progress=False)
    assert data.verdict.item() == rules.NOT_TESTABLE
    assert data.command.item().startswith("ceas train --compare --conditions standard")
    assert "was not found" in data.why.item()


def test_full_makes_a_result_once(tmp_path):
    calls = []

    def make(place, seed, progress):
        calls.append(seed)
        place.mkdir(parents=True)
        xr.Dataset({"x": 1.0}).to_netcdf(place / "made.nc")

    experiment = Experiment("made", "made.nc", "ceas made", make)
    assert Look({}, tmp_path).stored(experiment, "made.nc") is None
    for _ in range(2):  # a new run each time
        found = Look({}, tmp_path, full=True, seed=3).stored(experiment, "made.nc")
        assert found is not None
        assert found.x.item() == 1.0
    assert calls == [3]


def test_commands_of_long_claims_are_those_of_the_command_line():
    from ceas_physics import cli

    for experiment in {entry.command for entry in REGISTRY.values() if entry.command}:
        options = cli.make_parser().parse_args(experiment.split()[1:])
        assert callable(options.command)
    assert REGISTRY["B4"].command == TRAINING.command
    assert "--out ceas-results/compare && ceas claims B4" in claims.run(["B4/GPT-3"], progress=False).command.item()


def test_one_test_for_each_claim():
    with pytest.raises(ValueError, match="C1 has a test already"):
        claim("C1")(lambda look: [])
    assert REGISTRY["C1"].code == "ceas_physics.claims.arithmetic:example"


def test_in_words_and_interval():
    assert in_words(0.35, 0.52) == "0.35 to 0.52"
    assert in_words(-np.inf, 1.0) == "at most 1"
    mean, half = interval([1.0, 2.0, 3.0])
    assert (mean, half) == pytest.approx((2.0, 4.302653 / np.sqrt(3)), rel=1e-6)
    assert np.isnan(interval([1.0])[1])


def test_attention_is_one_step_and_not_the_state_of_rest():
    found = verdicts("ceas-results", "D4")
    assert found == {"D4": "not reproduced", "D4/one step": "reproduced", "D4/at rest": "not reproduced"}


def test_capacity_of_small_networks_is_a_line_to_the_known_value():
    data = machines.measure_capacity({200: ((0.1, 0.2, 0.3), 8), 400: ((0.1, 0.2, 0.3), 4)}, seed=1)
    assert (data.capacity > 0.138).all()
    assert (data.capacity_error > 0).all()


def test_largest_gain_of_entropy_lies_below_the_critical_point():
    """C = -dH/dln(beta), so -dH/dbeta = C/beta peaks at a smaller beta: the place found is 1 only for C itself."""
    number = claims.run(["A3/information"], progress=False).number.item()
    assert 0.5 < number < 0.9


def test_the_curvature_law_is_reproduced_where_it_holds(monkeypatch, tmp_path):
    """A made-up world in which beta_c obeys the law with the edge length, and one in which it does not."""
    known = theory_systems.known_transitions()
    made = [np.exp(0.3 * edge_length(int(p), 4)) / 4 for p in known.p.values]
    rng = np.random.default_rng(2)
    law = known.assign(
        beta_c=("tiling", made * (1 + 1e-6 * rng.standard_normal(len(made)))),
        beta_c_error=("tiling", 1e-6 * np.array(made)),
    )
    monkeypatch.setattr(theory_systems, "known_transitions", lambda: law)
    assert set(verdicts(tmp_path, "A5").values()) == {"reproduced"}
    wrong = law.assign(beta_c=law.beta_c * (1 + 0.01 * np.arange(len(made))))
    monkeypatch.setattr(theory_systems, "known_transitions", lambda: wrong)
    assert verdicts(tmp_path, "A5/residual") == {"A5/residual": "not reproduced"}


def test_derivative_of_the_entropy(monkeypatch):
    """Right as it is; a wrong variance is found."""
    monkeypatch.setattr(theory_heads.runs, "thermostat", lambda look: [])
    look = Look(claims.claimed_numbers()["A2"])
    monkeypatch.setattr(theory_heads, "interval", lambda values: (1.0, 0.0))
    assert theory_heads.newton_update(look)[0].verdict == rules.REPRODUCED
    right = theory_heads.attention.score_variance
    monkeypatch.setattr(theory_heads.attention, "score_variance", lambda *a, **k: 1.001 * right(*a, **k))
    assert theory_heads.newton_update(look)[0].verdict == rules.NOT_REPRODUCED


def test_learning_is_compared_in_pairs(monkeypatch, tmp_path):
    """Made-up accuracies one point apart, with a scatter between seeds that the pairs share."""

    def made(gap):
        base = 0.9 + 0.05 * np.random.default_rng(1).standard_normal(10)
        pairs = np.array([base + gap + 1e-4 * np.arange(10), base])
        return xr.Dataset({"accuracy": (("method", "seed"), pairs)}, {"method": ["contrastive", "gradient"]})

    for gap, verdict in ((-0.01, rules.REPRODUCED), (-0.05, rules.NOT_REPRODUCED)):
        monkeypatch.setattr(machines.learning, "compare_on_digits", lambda *a, gap=gap: made(gap))
        data = claims.run(["D5"], results=tmp_path, progress=False)
        assert data.number.item() == pytest.approx(gap + 4.5e-4)
        assert data.verdict.item() == verdict


def lookups(tmp_path, low, high, lengths=(128, 512)):
    """A stored lookup: accuracies at beta = 0.25 and 6.67 that rise with ln(steps), a peak at 6.67."""
    betas, steps = np.array([0.25, 2.0, 20.0 / 3.0, 20.0]), np.array([0, 128, 512])
    rise = np.array([0.0, 0.5, 1.0])[:, None, None]
    top = np.array([low, 0.6, high, 0.6])[None, :, None]
    noise = 1e-3 * np.random.default_rng(3).standard_normal((3, 4, 16))
    data = xr.Dataset({"accuracy": (("steps", "beta", "seed"), rise * top + noise)}, {"steps": steps, "beta": betas})
    data["bayes_accuracy"] = "seed", np.full(16, 0.99)
    data.attrs["training"] = json.dumps({"lengths": lengths})
    (tmp_path / "search").mkdir(parents=True)
    data.to_netcdf(tmp_path / "search" / "lookup.nc")
    return tmp_path


def test_lookup_accuracies_as_claimed_and_otherwise(tmp_path):
    right = claims.run(["B1"], results=lookups(tmp_path / "right", 0.0156, 0.9999), progress=False)
    assert set(right.verdict.values) == {"reproduced"}
    assert right.number.sel(claim="B1/beta 6.67").item() == pytest.approx(0.9648, abs=1e-6)
    steps = 128 * 4 ** ((0.9648 - 0.49995) / 0.49995)  # on the line in ln(steps)
    assert int(right.why.sel(claim="B1/beta 6.67").item().split()[1]) == pytest.approx(steps, abs=2)
    wrong = verdicts(lookups(tmp_path / "wrong", 0.6, 0.9999), "B1")
    assert wrong["B1/beta 0.25"] == "not reproduced"
    never = claims.run(["B1/beta 6.67"], results=lookups(tmp_path / "never", 0.0156, 0.8), progress=False)
    assert never.number.item() == pytest.approx(0.8, abs=1e-3)
    assert never.verdict.item() == "not reproduced"


def test_a_short_stored_search_is_not_used(monkeypatch, tmp_path):
    """The lookups are measured anew."""

    def measure(*given, **settings):
        raise RuntimeError("measured here")

    monkeypatch.setattr(experiments, "measure", measure)
    folder = lookups(tmp_path, 0.0156, 0.8, lengths=(64,))
    with pytest.raises(RuntimeError, match="measured here"):
        verdicts(folder, "B1")


def test_findings_do_not_depend_on_other_claims():
    alone = claims.run(["C1"], progress=False)
    beside = claims.run(["C1", "C4"], progress=False).isel(claim=[0])
    assert alone.drop_vars("seconds").equals(beside.drop_vars("seconds").isel(point=slice(0, alone.sizes["point"])))
    assert replace(REGISTRY["C1"], command="x").id == "C1"
