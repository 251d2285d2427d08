"""Heads measured from arrays and models: equal to `attention`, errors that cover, sinks left out, input refused."""

import json

import numpy as np
import pytest
import xarray as xr
from model_files import BERT, LLAMA, random_parameters, write_bert, write_llama

from ceas_physics import attention, heads
from ceas_physics.cli import main
from ceas_physics.heads.single import Head, measure_head
from ceas_physics.models import Llama

CAUSAL = np.tri(48, dtype=bool)


def causal_scores(seed=0, shape=(2, 3, 4, 48, 48)):
    """Normal scores with a deviation of their own in every row, and a key that all queries prefer."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(shape) * rng.uniform(2, 20, (*shape[:-1], 1))
    scores[..., 0] += 30.0
    return np.where(CAUSAL, scores, -np.inf)


@pytest.mark.parametrize(("visible", "kept"), [("all", slice(None)), ("no sink", slice(1, None))])
def test_every_number_equals_the_plain_formulas(visible, kept):
    scores = causal_scores()
    data = heads.measure(heads.Scores(scores, d_k=64)).sel(weights="trained", visible=visible)
    for layer, head in np.ndindex(2, 3):
        rows = scores[layer, head].reshape(-1, 48)[:, kept]
        rows = rows[np.isfinite(rows).any(axis=-1)]
        here = data.isel(layer=layer, head=head)
        for name in ("entropy", "n_eff", "participation", "score_variance", "specific_heat", "gap_score"):
            expected = attention.head_mean(getattr(attention, name)(rows, 0.125), rows)
            assert float(here[name]) == pytest.approx(float(expected), rel=1e-10), name
        assert float(here.sigma_qk) == pytest.approx(float(attention.head_mean(attention.sigma_qk(rows), rows)))
        peak = attention.specific_heat_peak(rows)
        assert float(here.beta_c) == pytest.approx(float(peak.beta_c), rel=2e-4)
        assert float(here.peak_height) == pytest.approx(float(peak.height), rel=1e-6)
        assert float(here.beta_c_low) == pytest.approx(float(peak.low), rel=1e-6)
        assert float(here.beta_c_high) == pytest.approx(float(peak.high), rel=1e-6)
        for kind in ("self_consistent", "effective", "visible"):
            expected = attention.beta_star(rows, 0.125, kind)
            assert float(here.beta_star.sel(kind=kind)) == pytest.approx(float(expected), rel=1e-8)
    np.testing.assert_allclose(data.beta_ratio, 0.125 / data.beta_c)
    np.testing.assert_array_equal(data.in_band, (data.beta_c_low <= 0.125) & (data.beta_c_high >= 0.125))


def test_beta_c_is_where_the_specific_heat_is_flat():
    head = Head(causal_scores()[0, 0], np.ones(48, dtype=bool))
    found = measure_head(head, 0.125)
    heat, slope = head.mean(found["beta_c"])[3:5]
    assert abs(slope) < 1e-5 * heat


def test_random_energy_rows_peak_where_theory_has_them():
    """Section 1 of the specification: at n = 256 the peak lies at 0.77 beta_n, beta* at 0.76 beta_n."""
    scores = np.random.default_rng(3).standard_normal((32, 64, 256))
    found = measure_head(Head(scores, np.ones(256, dtype=bool)), 0.5)
    beta_n = np.sqrt(2 * np.log(256))
    assert abs(found["beta_c"] - 0.77 * beta_n) < 4 * found["beta_c_error"] + 0.005 * beta_n
    assert found["beta_star"][0] / beta_n == pytest.approx(0.76, abs=0.005 + 0.003)  # rounding, and 1/sqrt(32 64 256)
    assert found["beta_star"][2] / beta_n == pytest.approx(1.0, abs=0.003)


def test_the_error_of_beta_c_is_the_spread_over_new_texts():
    rng = np.random.default_rng(4)
    found = [measure_head(Head(rng.standard_normal((16, 12, 64)), np.ones(64, bool)), 0.5) for _ in range(200)]
    spread = np.std([entry["beta_c"] for entry in found], ddof=1)
    error = np.sqrt(np.mean([entry["beta_c_error"] ** 2 for entry in found]))
    assert abs(np.log(error / spread)) < 4 * np.sqrt(1 / (2 * 199) + 1 / (2 * 15 * 200)) + 1 / 15


def test_queries_and_keys_give_the_scores_of_their_products():
    rng = np.random.default_rng(6)
    q, k = rng.standard_normal((2, 3, 4, 20, 16)), rng.standard_normal((2, 3, 2, 20, 16))
    scores = np.einsum("lphid,lphjd->lhpij", q, np.repeat(k, 2, axis=2))
    hidden = np.where(np.tri(20, dtype=bool), 0.0, -np.inf)
    for causal, expected in ((True, scores + hidden), (False, scores)):
        ours = heads.measure(heads.QueriesKeys(q, k, causal=causal))
        theirs = heads.measure(heads.Scores(expected, d_k=16))
        assert ours.attrs["beta_0"] == 0.25
        for name in ours.data_vars:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6)


class Tensor:
    """As much of a torch tensor as is used: it refuses conversion while it is part of a gradient or on a device."""

    def __init__(self, array, ready=False):
        self.array, self.ready = array, ready

    def detach(self):
        return self

    def cpu(self):
        return Tensor(self.array, ready=True)

    def element_size(self):
        return self.array.itemsize

    def float(self):
        return Tensor(self.array.astype("f4"), ready=True)

    def __array__(self, dtype=None, copy=None):
        assert self.ready
        return self.array


def test_tensors_are_taken_without_their_framework():
    scores = causal_scores().astype("f4")
    a, b = (heads.measure(heads.Scores(values, d_k=64)) for values in (scores, Tensor(scores)))
    xr.testing.assert_equal(a, b)
    half = heads.measure(heads.Scores(Tensor(scores.astype("f2")), d_k=64))
    np.testing.assert_allclose(half.entropy, a.entropy, rtol=0.01)


def test_a_model_is_measured_on_its_own_scores(tmp_path):
    model = Llama("tiny", LLAMA, random_parameters(LLAMA, 2))
    tokens = np.random.default_rng(1).integers(0, 64, 7 * 32)
    data = heads.measure(model, tokens, passages=5, length=32, seed=3)
    assert dict(data.sizes) == {"weights": 2, "visible": 2, "layer": 2, "head": 4, "kind": 3}
    starts = np.linspace(0, 6 * 32, 5).astype(int)
    passages = tokens[starts[:, None] + np.arange(32)]
    for weights, entry in (("trained", model), ("untrained", model.untrained(3))):
        scores = [layer.scores.swapaxes(0, 1) for layer in entry.forward(passages)]
        alone = heads.measure(heads.Scores(np.array(scores), d_k=8)).isel(weights=0)
        np.testing.assert_allclose(data.beta_c.sel(weights=weights), alone.beta_c, rtol=1e-6)
    again = heads.measure(model, tokens, passages=5, length=32, control=False)
    xr.testing.assert_equal(again.isel(weights=0), data.isel(weights=0))
    text = heads.summary(data)
    assert len(text.splitlines()) == 6
    assert "untrained, no sink" in text


def test_cls_and_sep_are_the_sinks_of_a_bert(tmp_path):
    folder = write_bert(tmp_path, random_parameters(BERT, 1))
    data = heads.measure(folder, "the quick brown fox jumps over the lazy dog " * 3, length=24, control=False)
    assert data.attrs["sink_keys"] == [0, 23]
    assert data.log_n.sel(visible="all").values == pytest.approx(np.log(24))
    assert data.log_n.sel(visible="no sink").values == pytest.approx(np.log(22))


def test_equal_scores_have_no_critical_point():
    data = heads.measure(heads.Scores(np.zeros((16, 16)), d_k=4)).isel(weights=0, visible=0, layer=0, head=0)
    assert np.isinf(data.beta_c)
    assert float(data.beta_ratio) == 0.0
    assert not data.in_band
    assert "none" in heads.summary(heads.measure(heads.Scores(np.zeros((16, 16)), d_k=4)))


def test_bad_input_is_refused_with_what_to_do():
    scores = causal_scores()
    broken, empty = scores.copy(), scores.copy()
    broken[1, 1, 1, 20, 3] = np.nan
    empty[1, 1, 1, 20] = -np.inf
    cases = {
        "diverged": heads.Scores(broken, 64),
        "fully hidden": heads.Scores(empty, 64),
        "the most here is 7": heads.Scores(scores[..., :7, :7], 64),
        "axes": heads.Scores(np.zeros(9), 64),
        "real numbers": heads.Scores(np.array([["a", "b"]]), 64),
        "sink": heads.Scores(scores, 64, sink=(48,)),
        r"Scores\(values, d_k\)": scores,
        "a NoneType": None,
        "multiple": heads.QueriesKeys(np.zeros((3, 9, 4)), np.zeros((2, 9, 4))),
    }
    for message, source in cases.items():
        with pytest.raises(ValueError, match=message):
            heads.measure(source)
    for d_k in (0, -1, 2.5):
        with pytest.raises(ValueError, match="d_k must be an integer >= 1"):
            heads.Scores(scores, d_k)
    with pytest.raises(ValueError, match="leave out the text"):
        heads.measure(heads.Scores(scores, 64), "a text")
    model = Llama("tiny", LLAMA, random_parameters(LLAMA, 2))
    for message, text, options in [
        ("needs 32", np.zeros(31, int), {"length": 32}),
        ("length must be", np.zeros(99, int), {"length": 65}),
        ("passages must be an integer >= 1", np.zeros(99, int), {"passages": 0, "length": 32}),
        (r"in \[0, 64\)", np.full(99, 64), {"length": 32}),
        ("whole numbers", np.zeros(99), {"length": 32}),
        ("no tokenizer", "a text", {"length": 32}),
        ("seed", np.zeros(99, int), {"seed": -1}),
    ]:
        with pytest.raises(ValueError, match=message):
            heads.measure(model, text, **options)


def test_the_command_writes_numbers_and_a_picture(tmp_path, capsys):
    folder = write_bert(tmp_path / "model", random_parameters(BERT, 1))
    (tmp_path / "text").write_text("spins and heads have a temperature in common " * 20)
    out = tmp_path / "new" / "heads"
    command = ["heads", str(folder), str(tmp_path / "text"), "--length", "32", "--passages", "6", "--out", str(out)]
    assert main([*command, "--quiet"]) == 0
    assert {path.name for path in out.iterdir()} == {"heads.nc", "heads.csv", "heads.png", "systems.nc"}
    with xr.open_dataset(out / "heads.nc") as data:
        assert dict(data.sizes) == {"weights": 2, "visible": 2, "layer": 2, "head": 3, "kind": 3}
        assert all({"long_name", "units", "formula"} <= v.attrs.keys() for v in data.data_vars.values())
        assert "numpy" in json.loads(data.attrs["versions"])
    assert len((out / "heads.csv").read_text().splitlines()) == 1 + 2 * 2 * 2 * 3
    assert "beta_0/beta_c" in capsys.readouterr().out
    (out / "notes.txt").write_text("mine")
    assert main([*command, "--quiet"]) == 2
    assert "notes.txt" in capsys.readouterr().err
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:999])
    assert main(["heads", str(folder), "--out", str(tmp_path / "other")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert write_llama(tmp_path / "l", random_parameters(LLAMA, 1))
    assert main(["heads", str(tmp_path / "l"), str(tmp_path / "text"), "--out", str(tmp_path / "other"),
                 "--length", "32"]) == 2  # fmt: skip
    assert "no tokenizer" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
