"""Our critical points against the literature: the fits find what made the data, and the command says what it misses."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import OptimizeResult

import analysis
import ising
from ceas_physics import cli
from ceas_physics.transitions import glass_fit, literature
from ceas_physics.transitions.flat import Ferromagnet, anomalous_dimension, sample_ferromagnet
from ceas_physics.transitions.glass import (
    BINS,
    TEMPERATURES,
    GlassMoments,
    GlassSize,
    curves,
    drift,
    sample_glass,
)
from ceas_physics.transitions.glass_fit import NU, fit_glass

pytestmark = pytest.mark.filterwarnings("ignore::analysis.ScalingWarning")

T_C, SPREAD, COMMON = 1.12, 0.4, 0.95


def made(L, n, rng, nu=NU):
    """Moments of n realisations whose averages obey the form of the fit, with the spread of a glass around them."""
    x = (1 / TEMPERATURES - 1 / T_C) * L ** (1 / nu)
    correction = L**-1.1 * np.array([-0.2 + 0.1 * x, 0.3 - 0.1 * x])
    xi, g = np.array([0.65 + 0.42 * x - 0.05 * x**2, 0.75 + 0.22 * x - 0.2 * x**2]) + correction
    noise = np.sqrt(COMMON) * rng.normal(size=(2, n, 1)) + np.sqrt(1 - COMMON) * rng.normal(size=(2, n, len(x)))
    factor, other = np.exp(SPREAD * noise - SPREAD**2 / 2)
    q2 = (1 + (2 * L * np.sin(np.pi / L) * np.maximum(xi, 0.1)) ** 2) / L**3
    values = np.array([q2 * factor, (3 - 2 * g) * q2**2 * factor**2 / np.exp(SPREAD**2), other])
    return GlassMoments(L, np.repeat(values[:, np.newaxis], BINS, axis=1), 0.5)


def test_fit_finds_the_glass_transition_and_its_error():
    """Twelve data sets: T_c and xi / L scatter around the truth as the errors say."""
    rng = np.random.default_rng(1)
    fits = [fit_glass([made(L, 512, rng) for L in (4, 5, 6, 8)]) for _ in range(12)]
    for name, truth in (("temperature", T_C), ("xi_over_L", 0.65), ("kurtosis", 1.5)):
        pulls = np.array([(getattr(fit, name) - truth) / getattr(fit, f"{name}_error") for fit in fits])
        assert 1e-3 < stats.chi2.sf((pulls**2).sum(), df=len(pulls)) < 1 - 1e-3, (name, pulls)
    chi2, dof = sum(fit.chi2 for fit in fits), sum(fit.dof for fit in fits)
    assert 1e-3 < stats.chi2.sf(chi2, df=dof) < 1 - 1e-3
    assert all(fit.nu == NU and fit.nu_error == 0 for fit in fits)


def test_free_nu_is_found_and_a_wrong_one_shifts_the_transition():
    """Control: with another nu held T_c is far off, so the agreement above is no accident."""
    rng = np.random.default_rng(2)
    sizes = [made(L, 16_384, rng) for L in (4, 5, 6, 8)]
    free = fit_glass(sizes, nu=None)
    assert abs(free.nu - NU) < 4 * free.nu_error
    assert abs(free.temperature - T_C) < 4 * free.temperature_error
    wrong = fit_glass(sizes, nu=1.3)
    assert abs(wrong.temperature - T_C) > 4 * wrong.temperature_error


def test_too_few_sizes_or_realisations_are_refused():
    rng = np.random.default_rng(3)
    sizes = [made(L, 64, rng) for L in (4, 6, 8)]
    with pytest.raises(ValueError, match="at least 3 sizes"):
        fit_glass(sizes[:2])
    with pytest.raises(ValueError, match="at least 64 realisations"):
        fit_glass([*sizes[:2], made(8, 63, rng)])


def test_a_fit_that_ends_far_away_is_no_result(monkeypatch):
    sizes = [made(L, 512, np.random.default_rng(4)) for L in (4, 5, 6, 8)]
    monkeypatch.setattr(glass_fit, "START", (9.0, 0.4))
    monkeypatch.setattr(
        glass_fit, "least_squares", lambda residuals, start, x_scale: OptimizeResult(x=start, success=True)
    )
    with pytest.raises(ValueError, match=r"does not converge there \(T_c = 0.111\)"):
        fit_glass(sizes)
    assert "With nu free, the fit of the glass" in literature._free(sizes)


def test_curves_are_those_of_analysis():
    model = ising.edwards_anderson(ising.cubic(4), 3, disorder=8)
    data = ising.sample(model, 1 / TEMPERATURES[-3:], ising.Schedule(50, 400), chains=2, lanes="disorder", seed=1,
                        progress=False)  # fmt: skip
    q2 = (data.overlap**2).mean(("disorder", "pair", "draw")).values
    q4 = (data.overlap**4).mean(("disorder", "pair", "draw")).values
    structure = data.overlap_k.mean(("disorder", "pair", "draw")).values
    with pytest.warns(analysis.ShortRunWarning):
        table = analysis.summarize(data)
    xi, g = curves(np.array([q2, q4, structure]), 4)
    np.testing.assert_allclose(xi, table.xi_q_over_L, rtol=1e-12)
    np.testing.assert_allclose(g, table.binder_q, rtol=1e-12)


def test_drift_tells_equilibrium_from_a_young_run():
    settled, young = sample_glass([GlassSize(3, 512, 512, 4), GlassSize(6, 512, 128, 4)], seed=4, progress=False)
    change, error = drift(settled)
    assert np.abs(change / error).max() < 4
    change, error = drift(young)
    assert (change / error)[3:].min() > 5  # the hottest are settled after 64 sweeps


def test_realisations_are_the_same_whatever_their_number():
    few, many = (sample_glass([GlassSize(3, n, 32, 4)], seed=5, progress=False)[0] for n in (64, 100))
    np.testing.assert_array_equal(few.values, many.values[:, :, :64])


def test_anomalous_dimension_of_the_square_lattice():
    """eta = 1/4 where xi / L is critical and where it is not; a susceptibility that grows by another power is seen."""
    data = sample_ferromagnet(Ferromagnet(2, (8, 12, 16, 24), 0.4407, 1.0, 1.0, 2e8), seed=6, progress=False)
    for xi_over_L in (0.905, 0.8):
        eta, error = anomalous_dimension(data, xi_over_L)
        assert error < 0.01
        assert abs(eta - 0.25) < 4 * error
    steeper = [size.assign(magnetization=size.magnetization * float(size.L) ** 0.05,
                           structure_factor=size.structure_factor * float(size.L) ** 0.1) for size in data]  # fmt: skip
    eta, error = anomalous_dimension(steeper, 0.905)
    assert abs(eta - 0.15) < 4 * error < abs(eta - 0.25)


@pytest.fixture(scope="module")
def quick():
    return literature.compare(literature.QUICK, seed=0, progress=False)


def test_quick_comparison_is_within_its_errors(quick):
    """All of the table at small sizes, where errors are large and corrections of the order of the errors."""
    assert {(row.system, row.quantity) for row in quick.rows} == {*literature.LITERATURE, ("closed", "beta_c")}
    assert max(abs(row.deviation) for row in quick.rows) < 4
    closed = next(row for row in quick.rows if row.system == "closed")
    assert closed.known.value == pytest.approx(0.357260520, abs=1e-8)


def test_command_writes_the_table_and_says_what_it_misses(quick, tmp_path, monkeypatch, capsys):
    out = tmp_path / "README.md"
    out.write_text("before\n<!-- literature -->\nformer table\n<!-- /literature -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(literature, "compare", lambda plan, seed, progress: quick)
    with pytest.raises(SystemExit, match="square Ising beta_c"):
        cli.main(["literature", "--quick", "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- literature -->\n| system |")
    assert text.endswith("<!-- /literature -->\nafter\n")
    assert "former" not in text
    assert text.count("**missed**") == len(quick.missed) > 0
    met = literature.Comparison([replace(row, asked=None) for row in quick.rows], quick.notes)
    monkeypatch.setattr(literature, "compare", lambda plan, seed, progress: met)
    assert cli.main(["literature", "--quick"]) == 0
    assert "closed {5,4} | beta_c" in capsys.readouterr().out


def test_a_row_is_met_within_two_errors_and_the_error_asked_for():
    row = literature.Row("square", "nu", 1.015, 0.008, 0.0, literature.Known(1.0, 0.0, "exact"), 0.01)
    assert row.met
    assert not replace(row, value=1.017).met
    assert not replace(row, error=0.011).met
    assert replace(row, value=1.017, known=literature.Known(1.0, 0.01, "measured")).met


def test_the_documentation_has_a_place_for_the_table():
    from pathlib import Path

    text = (Path(__file__).parents[1] / "docs" / "measurements.md").read_text(encoding="utf-8")
    assert all(text.count(mark) == 1 for mark in literature.MARKS)
