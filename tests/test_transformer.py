import json
from collections import Counter

import numpy as np
import pytest
import xarray as xr

from ceas_physics import attention
from ceas_physics.text import corpus, default_text, encode
from ceas_physics.thermostat import Thermostat
from ceas_physics.training import train
from ceas_physics.training.trace import head_scores
from ceas_physics.transformer import TransformerConfig


@pytest.fixture(scope="module")
def runs():
    settings = [None, Thermostat(kappa_max=0.0, kappa_inf=0.0), Thermostat(), None]
    return [train(thermostat=thermostat, seed=3, steps=320, progress=False) for thermostat in settings]


def test_loss_falls_below_the_unigram_entropy(runs):
    counts = np.array(list(Counter(default_text()).values()), dtype=float)
    unigram = -np.sum(counts / counts.sum() * np.log(counts / counts.sum()))
    for run in runs:
        assert run.validation_loss[0] > unigram
        assert run.validation_loss[-1] < unigram - 0.7
        assert run.loss[-1] < unigram - 0.5


def test_same_seed_same_run(runs):
    xr.testing.assert_identical(runs[0], runs[3])
    other = train(seed=4, steps=1, progress=False)
    assert (other.initial_parameters != runs[0].initial_parameters).any()
    np.testing.assert_array_equal(runs[2].initial_parameters, runs[0].initial_parameters)


def test_no_thermostat_equals_one_without_gain(runs):
    for name in runs[0]:
        np.testing.assert_array_equal(runs[0][name], runs[1][name], err_msg=name)
    assert (runs[2].beta[-1] != runs[0].beta[-1]).all()


def test_thermostat_brings_heads_closer_to_the_target(runs):
    error = [np.abs(run.entropy - run.entropy_target)[-1].mean().item() for run in (runs[0], runs[2])]
    assert error[1] < 0.5 * error[0]


def test_trace_is_complete_and_opens_as_netcdf(runs, tmp_path):
    run = runs[2]
    assert run.beta.dims == ("step", "layer", "head")
    assert run.step.values.tolist() == [0, 64, 128, 192, 256, 320]
    assert all({"long_name", "units", "formula"} <= run[name].attrs.keys() for name in run)
    assert Thermostat(**json.loads(run.attrs["thermostat"])).kappa_max == 2.2
    assert all(np.isfinite(run[name]).all() for name in run)
    u = abs(run.beta - run.beta_c) / run.beta_c
    np.testing.assert_allclose(run.zeta, 1 / np.maximum(u, 0.06), rtol=1e-12)
    run.to_netcdf(tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc") as copy:
        xr.testing.assert_equal(copy.load(), run)
        np.testing.assert_array_equal(head_scores(copy, sequences=2), head_scores(run, sequences=2))


def test_scores_of_a_run_give_its_observables(runs):
    run = runs[2]
    for initial, step in ((True, 0), (False, -1)):
        scores = head_scores(run, initial=initial).values
        rows = scores.reshape(2, 2, -1, 64)
        np.testing.assert_allclose(attention.pseudo_critical_beta(rows), run.beta_c[step], rtol=1e-12)
        assert (np.isfinite(scores) == attention.causal_mask(64)).all()
    with pytest.raises(ValueError, match="not the text"):
        head_scores(run, text="abc" * 1_000)


def test_text_from_a_file_or_a_string(tmp_path):
    text = "the quick brown fox — jumps\nover the lazy dog. " * 40
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    data, same = corpus(text, 64), corpus(path, 64)
    np.testing.assert_array_equal(data.training, same.training)
    assert data.digest == same.digest
    decoded = "".join(data.characters[i] for i in np.concatenate([data.training, data.validation]))
    assert decoded == text
    assert len(data.validation) == len(text) // 10


def test_bad_input():
    with pytest.raises(ValueError, match=r"the text has 600 characters.*context \+ 1 = 65: give a text of 650"):
        train(text="abcdef" * 100, progress=False)
    with pytest.raises(ValueError, match="'z', which is not in the vocabulary"):
        encode("abz", "abc")
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        train(steps=0)
    with pytest.raises(ValueError, match="d_model must be a multiple"):
        TransformerConfig(d_model=15)
    with pytest.raises(ValueError, match="context must be an integer >= 1"):
        TransformerConfig(context=0)
    with pytest.raises(ValueError, match="learning_rate must be"):
        TransformerConfig(learning_rate=-1.0)
    with pytest.raises(ValueError, match="8 visible keys"):
        train(TransformerConfig(context=6), progress=False)
    with pytest.raises(FloatingPointError, match=r"not finite at step \d; lower learning_rate"):
        train(TransformerConfig(learning_rate=1e30), steps=3, progress=False)
