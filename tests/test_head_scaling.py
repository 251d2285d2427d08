"""Peaks of C(beta) against n: exact places, errors that cover, laws recovered from rows that obey them, sharpening."""

import json

import numpy as np
import pytest
import xarray as xr
from model_files import BERT, LLAMA, random_parameters, write_bert

from ceas_physics import attention, corridor, heads
from ceas_physics.cli import main
from ceas_physics.heads import report, scaling_figures
from ceas_physics.heads.law_fits import LawFit, fit_laws
from ceas_physics.heads.laws import LAWS, NAMES, formulas
from ceas_physics.heads.random_energy import rem_peak
from ceas_physics.heads.scaling import ERRORS, VARIABLES, measure_rows
from ceas_physics.heads.scaling_report import corridor_table, law_table, trend_table
from ceas_physics.heads.sharpening import (
    corridor_separation,
    curie_weiss_peaks,
    curve_peak,
    model_trend,
    size_trends,
)
from ceas_physics.models import Bert, Llama

SIZES = (16, 32, 64, 128, 256)


@pytest.fixture(scope="module")
def rem():
    return heads.scaling(heads.GaussianRows(rows=4096), sizes=SIZES, seed=1)


@pytest.fixture(scope="module")
def rem_fits(rem):
    return fit_laws(rem).isel(system=0, layer=0, head=0)


def test_random_rows_have_the_exact_peak(rem):
    z = []
    for n in SIZES:
        row, exact = rem.isel(system=0, layer=0, head=0).sel(n=n), rem_peak(n)
        for name, value in (
            ("beta_c", exact.place),
            ("height", exact.height),
            ("relative_width", exact.relative_width),
        ):
            z.append(float((row[name] - value) / row[f"{name}_error"]))
        assert float(row.low) == pytest.approx(exact.low, rel=0.03)
    assert np.abs(z).max() < 4
    assert np.mean(np.square(z)) < 2.5


def test_the_numbers_are_those_of_the_plain_formulas(rem):
    scores = heads.GaussianRows(rows=4096).draw(64, 1)[0]
    row = rem.isel(system=0, layer=0, head=0).sel(n=64)
    flat = scores.reshape(-1, 64)
    peak = attention.specific_heat_peak(flat)
    assert float(row.beta_c) == pytest.approx(float(peak.beta_c), rel=2e-4)
    for end in ("low", "high"):
        assert float(row[end]) == pytest.approx(float(getattr(peak, end)), rel=6e-3)
        heat = attention.specific_heat(flat, float(row[end])).mean()
        assert heat == pytest.approx(float(row.height) / 2, rel=1e-6)
    top = np.sort(flat, axis=-1)
    assert float(row.gap) == pytest.approx(np.mean(top[:, -1] - top[:, :-1].mean(axis=-1)))
    assert float(row.beta_self_consistent) == pytest.approx(float(attention.beta_star(flat)), rel=1e-8)
    beta = float(np.exp(row["log_beta_sigma"][24]) / row.sigma)
    assert float(row.entropy[24]) == pytest.approx(attention.entropy(flat, beta).mean(), rel=1e-10)
    assert float(row.heat[24]) == pytest.approx(attention.specific_heat(flat, beta).mean(), rel=1e-10)


def test_errors_are_the_spread_over_new_rows():
    """All jackknife errors, the joint ones with sigma, gap and H included, against 200 repetitions."""
    rng = np.random.default_rng(2)
    found = [measure_rows(rng.standard_normal((16, 12, 32)) * 3.0) for _ in range(200)]
    values = {name: np.array([peak[name] for peak in found]) for name in (*VARIABLES, *ERRORS) if name not in ("heat",)}
    beta_c, n_errors = values["beta_c"], 0
    middle = float(np.mean(beta_c))
    at_middle = np.array([np.interp(np.log(middle * p["sigma"]), attention.GRID, p["entropy"]) for p in found])
    heat = np.array([np.interp(np.log(middle * p["sigma"]), attention.GRID, p["heat"]) for p in found]).mean()
    spreads = {
        "beta_c_error": beta_c,
        "height_error": values["height"],
        "relative_width_error": values["relative_width"],
        "sigma_error": values["sigma"],
        "log_beta_c_error": np.log(beta_c),
        "log_beta_c_sigma_error": np.log(beta_c * values["sigma"]),
        "log_beta_c_gap_error": np.log(beta_c * values["gap"]),
        "log_beta_c_entropy_error": np.log(beta_c) - at_middle / heat,
        "log_beta_c_over_self_consistent_error": np.log(beta_c / values["beta_self_consistent"]),
    }
    assert spreads.keys() == ERRORS.keys()
    for name, spread in spreads.items():
        ratio = np.sqrt(np.mean(values[name] ** 2)) / np.std(spread, ddof=1)
        assert abs(np.log(ratio)) < 4 * np.sqrt(1 / (2 * 199) + 1 / (2 * 15 * 200)) + 1 / 15, (name, ratio)
        n_errors += 1
    assert n_errors == len(ERRORS)


def test_the_true_law_of_random_rows_wins_and_the_others_are_rejected(rem_fits):
    true = rem_fits.sel(law="random_energy")
    assert abs(float((true.parameter - 1) / true.parameter_error)) < 4
    assert float(true.chi2) < 20  # 4 degrees of freedom
    assert float(true.as_stands_chi2) < 22
    for name in ("freezing", "logarithm", "constant", "yarn", "corridor_depth", "correlated", "adaptive"):
        wrong = rem_fits.sel(law=name)
        assert float(wrong.chi2) > 50, name
        assert float(wrong.left_out) > 3 * float(true.left_out), name
    assert np.isnan(rem_fits.sel(law="sphere").chi2)  # no dimension of the keys is known


@pytest.mark.parametrize(
    ("law", "parameter", "exponent"),
    [("logarithm", 0.7, np.nan), ("power", 1.5, 0.2), ("sphere", 2.0, np.nan), ("yarn", 1.1, np.nan),
     ("constant", 1.3, np.nan), ("freezing", 0.6, np.nan), ("fixed_entropy", 0.6, np.nan)],
)  # fmt: skip
def test_each_law_is_recovered_from_a_beta_c_that_obeys_it(rem, law, parameter, exponent):
    """Made from the law with normal errors of 1 %: parameters within 4 errors, and no other shape fits as well."""
    data = rem.assign_attrs(rem.attrs | {"d_k": 17.0})
    n = data["n"].values.astype(float)
    log_n, sigma = np.log(n), data.sigma.values.ravel()
    entropy, grid = data.entropy.values[0, 0, 0], data["log_beta_sigma"].values
    curves = {
        "logarithm": log_n, "power": n**exponent, "sphere": n ** (2 / 16), "yarn": (0.1 * np.log(n / 16) + 1) ** 2,
        "constant": np.ones(len(n)), "freezing": np.sqrt(2 * log_n) / sigma,
        "fixed_entropy": [np.exp(np.interp(-0.6 * l, -h, grid)) for l, h in zip(log_n, entropy)] / sigma / 0.6,
    }  # fmt: skip
    noise = 0.01 * np.random.default_rng(5).standard_normal(len(n))
    data = data.assign(beta_c=(data.beta_c.dims, (parameter * curves[law] * np.exp(noise)).reshape(1, 1, 1, -1)))
    for name in {entry.error for entry in LAWS.values()} | {"log_beta_c_entropy_error"}:
        data[name] = xr.full_like(data[name], 0.01)
    fits = fit_laws(data).isel(system=0, layer=0, head=0)
    found = fits.sel(law=law)
    assert abs(float((found.parameter - parameter) / found.parameter_error)) < 4
    if np.isfinite(exponent):
        assert abs(float((found.exponent - exponent) / found.exponent_error)) < 4
    assert float(found.chi2) < 20
    assert float(found.aic) <= float(fits.aic.min()) + 6
    assert abs(float(found["shift"] / found.parameter)) < 0.05


def test_every_law_says_what_it_is():
    assert set(formulas()) == set(NAMES)
    assert all(formulas().values())
    fits = LawFit.__dataclass_fields__
    assert {"chi2", "dof", "aic", "left_out", "shift", "as_stands"} <= fits.keys()


def test_the_corridor_of_normal_rows_leaves_the_critical_point_as_n_grows(rem):
    separation = corridor_separation(rem).isel(system=0, layer=0, head=0)
    step = (attention.GRID[1] - attention.GRID[0]) / 20  # straight lines err by step^2/8 |dC/dln(beta)|
    for n in SIZES:
        scores, row = heads.GaussianRows(rows=4096).draw(n, 1)[0].reshape(-1, n), separation.sel(n=n)
        beta_c = rem.beta_c.sel(n=n).item()
        for end, depth in (("low", 0.9), ("high", 1.3)):
            entropy = attention.entropy(scores, float(row[end]) * beta_c).mean()
            assert entropy == pytest.approx(np.log(n) - depth, abs=step**2 / 8 * 5.0)
    assert (np.diff(separation.high) < 0).all()
    large = heads.scaling(heads.GaussianRows(rows=64), sizes=(256, 4096))
    assert corridor_separation(large).high.values.ravel()[1] < 0.6


def test_curie_weiss_sharpens_as_a_transition_and_random_rows_do_not(rem):
    """Width ~ N^(-1/2) and height ~ N^(1/2) by the same search; from N = 2048 on the exponents are within 1 %."""
    large = size_trends(curie_weiss_peaks((2048, 4096, 8192))).isel(system=0)
    assert float(large.exponent.sel(quantity="relative_width")) == pytest.approx(-0.5, abs=0.01)
    assert float(large.exponent.sel(quantity="height")) == pytest.approx(0.5, abs=0.03)
    rows = size_trends(rem).isel(system=0).sel(quantity="relative_width")
    assert float(rows.exponent_error) < 0.03
    assert float(rows.exponent) - 4 * float(rows.exponent_error) > -0.25
    exact = [np.log(rem_peak(n).relative_width) for n in (16, 256)]
    assert abs(float(rows.exponent) - np.diff(exact)[0] / np.log(16)) < 4 * float(rows.exponent_error)


def test_curve_peak_of_a_known_curve():
    log_beta = np.linspace(-2, 2, 1001)
    place, height, low, high = curve_peak(log_beta, 3.0 * np.exp(-((log_beta - 0.3) ** 2) / 0.08))
    assert np.log(place) == pytest.approx(0.3, abs=1e-6)
    assert height == pytest.approx(3.0, rel=1e-6)
    half = np.sqrt(0.08 * np.log(2))
    assert np.log([low, high]) == pytest.approx([0.3 - half, 0.3 + half], abs=1e-4)
    with pytest.raises(ValueError, match="edge of its grid"):
        curve_peak(log_beta, log_beta)


def test_planted_rows_peak_as_two_levels():
    """ln Z = ln(exp(beta s0) + (n-1) exp(beta^2/2)) has its peak of C where the rows have it, above the half weight.

    The mean of Z stands for Z: ln Z of the background fluctuates by (exp(beta^2) - 1)/n, below 0.006 here.
    """
    data = heads.scaling(heads.GaussianRows(s0=12.0, rows=1024), sizes=(64, 512)).isel(system=0, layer=0, head=0)
    beta = np.linspace(0.2, 1.0, 8001)
    for n in (64, 512):
        weight = 1 / (1 + (n - 1) * np.exp(beta * beta / 2 - 12.0 * beta))
        heat = beta**2 * (weight * (1 - weight) * (12.0 - beta) ** 2 + (1 - weight))
        row, place = data.sel(n=n), beta[np.argmax(heat)]
        assert abs(float(row.beta_c) - place) < 4 * float(row.beta_c_error) + 0.006 * place
        assert float(row.height) == pytest.approx(heat.max(), rel=0.006, abs=4 * float(row.height_error))
        half = attention.planted_half_weight_beta(12.0, 1.0, n - 1)
        assert float(row.beta_c) > half + 20 * float(row.beta_c_error)


def test_a_decoder_gives_the_row_of_each_position_and_an_encoder_passages_of_each_length():
    tokens = np.random.default_rng(1).integers(0, 64, 12 * 32)
    decoder = Llama("tiny", LLAMA, random_parameters(LLAMA, 2))
    data = heads.scaling(decoder, tokens, sizes=(8, 16, 32), passages=6, seed=3)
    assert dict(data.sizes)["system"] == 2
    assert data.n_rows.values.tolist() == [[6, 6, 6]] * 2
    assert data.attrs["n_parameters"] == sum(array.size for array in decoder.parameters.values())
    starts = np.linspace(0, 11 * 32, 6).astype(int)
    scores = [layer.scores for layer in decoder.forward(tokens[starts[:, None] + np.arange(32)])]
    expected = measure_rows(scores[1][:, 3, 15:16, :16])
    assert float(data.beta_c.isel(system=0, layer=1, head=3, n=1)) == pytest.approx(expected["beta_c"], rel=1e-6)
    every_row = heads.scaling(heads.Scores(np.array([s.swapaxes(0, 1) for s in scores]), 8), sizes=(8, 16, 32))
    np.testing.assert_allclose(every_row.beta_c.values[0], data.beta_c.values[0], rtol=1e-6)
    encoder = Bert("tiny", BERT, random_parameters(BERT, 1), ends=(1, 2))
    short = heads.scaling(encoder, tokens, sizes=(16, 32), passages=5, rows=4, control=False)
    assert short.n_rows.values.tolist() == [[20, 20]]


def test_heads_without_a_peak_are_left_out(rem):
    flat = heads.scaling(heads.Scores(np.where(np.tri(32, dtype=bool), 0.0, -np.inf), 4), sizes=(8, 16, 32))
    assert np.isnan(flat.beta_c).all()
    assert np.isnan(fit_laws(flat).chi2).all()
    assert np.isnan(size_trends(flat).exponent).all()
    with pytest.raises(ValueError, match="all their scores are equal"):
        scaling_figures.median_head(flat.isel(system=0))


def test_bad_input_says_what_is_allowed(rem):
    rows, scores = heads.GaussianRows(rows=64), heads.Scores(np.zeros((32, 32)), 4)
    for message, call in {
        "sizes must be 2 or more": lambda: heads.scaling(rows, sizes=(16,)),
        "each >= 8": lambda: heads.scaling(rows, sizes=(4, 16)),
        "different": lambda: heads.scaling(rows, sizes=(16, 16)),
        "no row has exactly 16": lambda: heads.scaling(scores, sizes=(16, 32)),
        "take no text": lambda: heads.scaling(rows, "a text"),
        "rows must be an integer >= 1": lambda: heads.scaling(rows, rows=0),
        "multiple of 32": lambda: heads.GaussianRows(rows=65),
        "sigma must be": lambda: heads.GaussianRows(sigma=0.0),
        "s0 must be": lambda: heads.GaussianRows(s0=np.nan),
        "laws need at least 3": lambda: fit_laws(rem.isel(n=[0, 1])),
        "trends need at least 3": lambda: size_trends(rem.isel(n=[0, 1])),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()


def test_same_seed_same_numbers(rem):
    again = heads.scaling(heads.GaussianRows(rows=4096), sizes=(64, 16), seed=1)
    xr.testing.assert_equal(again.beta_c, rem.beta_c.sel(n=[16, 64]))


def test_pictures_draw_on_the_axes_they_are_given(rem):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    fits, part = fit_laws(rem), rem.isel(system=0)
    head = scaling_figures.median_head(part)
    _, ax = plt.subplots()
    assert scaling_figures.heat_curves(head, ax) is ax
    assert len(ax.get_lines()) >= len(SIZES)
    _, ax = plt.subplots()
    assert scaling_figures.collapse(head, ax) is ax
    _, ax = plt.subplots()
    assert scaling_figures.beta_against_n(part, fits.isel(system=0), ax) is ax
    _, ax = plt.subplots()
    assert scaling_figures.width_against_n([rem, curie_weiss_peaks((64, 128, 256))], ax) is ax
    plt.close("all")


def test_the_command_adds_scaling_to_its_folder(tmp_path, capsys, monkeypatch):
    systems = corridor.compare(corridor.rem_systems((16,), rows=64))
    monkeypatch.setattr(report, "reference_systems", lambda *_: systems)  # tested elsewhere, and slow
    folder = write_bert(tmp_path / "model", random_parameters(BERT, 1))
    (tmp_path / "text").write_text("spins and heads have a temperature in common " * 40)
    out = tmp_path / "out"
    command = ["heads", str(folder), str(tmp_path / "text"), "--length", "32", "--passages", "4", "--out", str(out)]
    assert main([*command, "--quiet", "--scaling", "16", "24", "32"]) == 0
    names = {"heads.nc", "heads.csv", "heads.png", "systems.nc", "scaling.nc", "laws.nc", "laws.csv", "scaling.png"}
    assert {path.name for path in out.iterdir()} == names
    with xr.open_dataset(out / "scaling.nc") as data:
        assert dict(data.sizes)["n"] == 3
        assert "numpy" in json.loads(data.attrs["versions"])
        assert all({"long_name", "units", "formula"} <= v.attrs.keys() for v in data.data_vars.values())
    text = capsys.readouterr().out
    assert "fixed_entropy" in text
    assert "Curie-Weiss" in text
    assert report.CONTENTS.foreign(out) is None  # known as ours, so that the next run may replace it


def test_tables_name_every_law_and_system(rem):
    text = law_table(fit_laws(rem))
    assert all(name in text for name in NAMES if name != "sphere")
    assert text.index("random_energy") < text.index("logarithm")
    assert "random energy model" in trend_table(size_trends(rem))
    assert "n =   256" in corridor_table(corridor_separation(rem))


def test_width_against_model_size_needs_three_models_for_an_exponent():
    rng = np.random.default_rng(3)
    tables = []
    for k, size in enumerate((1e6, 1e7, 1e8)):
        width = size**-0.1 * np.exp(0.01 * rng.standard_normal((1, 2, 30, 1)))
        tables.append(
            xr.Dataset({"relative_width": (("system", "layer", "head", "n"), width)}, {"system": [str(k)], "n": [128]},
                       {"n_parameters": size})
        )  # fmt: skip
    result = model_trend(tables)
    assert abs(float((result.exponent + 0.1) / result.exponent_error)) < 4
    assert "exponent" not in model_trend(tables[:2])
