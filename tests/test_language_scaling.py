"""Scaling laws of language models on synthetic runs whose law is known."""

import numpy as np
import pytest

from analysis import fit_isoflop, fit_loss, fit_power_law

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28  # Hoffmann et al. 2022, eq. 10
TRUTH_A = BETA / (ALPHA + BETA)
SIZES = np.repeat(np.logspace(7.5, 10, 8), 6)
TOKENS = SIZES * np.tile(np.logspace(0.3, 2.5, 6), 8)
EXACT = E + A / SIZES**ALPHA + B / TOKENS**BETA


def noisy(noise: float, rng) -> np.ndarray:
    return EXACT * np.exp(noise * rng.normal(size=EXACT.shape))


# E + A / N^alpha + B / D^beta


def test_law_is_found_exactly_without_noise():
    fit = fit_loss(SIZES, TOKENS, EXACT, replicas=20)
    found = [fit.E, fit.A, fit.B, fit.alpha, fit.beta]
    np.testing.assert_allclose(found, [E, A, B, ALPHA, BETA], rtol=1e-6)
    np.testing.assert_allclose([fit.a, fit.b], [TRUTH_A, 1 - TRUTH_A], rtol=1e-6)
    np.testing.assert_allclose(fit.loss(SIZES, TOKENS), EXACT, rtol=1e-9)


def test_optimum_has_the_compute_and_the_lowest_loss():
    fit = fit_loss(SIZES, TOKENS, EXACT, replicas=20)
    compute = np.array([1e20, 1e23])
    size, tokens = fit.optimum(compute)
    np.testing.assert_allclose(6 * size * tokens, compute)
    for factor in (0.9, 1.1):
        assert np.all(fit.loss(size * factor, tokens / factor) > fit.loss(size, tokens))


def coverage(fits: int, replicas: int, outliers: bool) -> np.ndarray:
    """(fit, 3): distances of a, alpha and E from the truth in their errors."""
    rng, z = np.random.default_rng(1), []
    for _ in range(fits):
        loss = noisy(0.003, rng)
        if outliers:
            loss[rng.integers(len(loss))] *= 1.2
        fit = fit_loss(SIZES, TOKENS, loss, replicas)
        z.append([(fit.a - TRUTH_A) / fit.a_error, (fit.alpha - ALPHA) / fit.alpha_error, (fit.E - E) / fit.E_error])
    return np.array(z)


def check_coverage(z: np.ndarray) -> None:
    """Shares within one and two errors, each within 4 binomial standard deviations of 68 and 95 %."""
    for width, level in ((1, 0.683), (2, 0.954)):
        share = (np.abs(z) < width).mean(axis=0)
        assert np.all(np.abs(share - level) < 4 * np.sqrt(level * (1 - level) / len(z))), share


def test_errors_of_the_exponents_quick():
    check_coverage(coverage(25, 60, outliers=False))


@pytest.mark.validate
@pytest.mark.parametrize("outliers", [False, True])
def test_errors_of_the_exponents(outliers):
    check_coverage(coverage(200, 100, outliers))


def test_an_outlier_hardly_moves_the_robust_fit():
    loss = noisy(0.003, np.random.default_rng(3))
    clean = fit_loss(SIZES, TOKENS, loss, replicas=40)
    loss[10] *= 1.5
    moved = fit_loss(SIZES, TOKENS, loss, replicas=20)
    assert abs(moved.a - clean.a) < clean.a_error
    assert moved.residual < 0.004


def test_fit_loss_is_repeatable_and_travels_with_its_formula():
    loss = noisy(0.003, np.random.default_rng(4))
    fit, again = (fit_loss(SIZES, TOKENS, loss, replicas=20, seed=5) for _ in range(2))
    assert fit == again
    table = fit.to_dataset()
    assert table["a"].item() == fit.a
    assert table.attrs["formula"].startswith("L = E + A / N^alpha + B / D^beta")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((SIZES[:7], TOKENS[:7], EXACT[:7]), "at least 8 runs, got 7"),
        ((np.full(48, 1e8), TOKENS, EXACT), "at least 3 different parameters, got 1"),
        ((SIZES, np.full(48, 1e9), EXACT), "at least 3 different tokens, got 1"),
        ((SIZES, 20 * SIZES, EXACT), "grow together"),
        ((SIZES, TOKENS[:5], EXACT), "must have one shape"),
        ((SIZES, TOKENS, EXACT - 10), "loss must be finite and > 0"),
        ((SIZES, TOKENS, np.where(SIZES > 1e9, np.nan, EXACT)), "loss must be finite and > 0, got nan"),
        ((SIZES, TOKENS, 2 + TOKENS**-0.3), "do not determine alpha"),
    ],
)
def test_fit_loss_refuses(columns, message):
    with pytest.raises(ValueError, match=message):
        fit_loss(*columns, replicas=20)
    with pytest.raises(ValueError, match="replicas must be an integer >= 20, got 3"):
        fit_loss(SIZES, TOKENS, EXACT, replicas=3)


# Power laws


@pytest.mark.parametrize("known", [True, False])
def test_errors_of_a_power_law(known):
    """500 fits: chi-square of the standardized exponent and amplitude, Student's t where the noise is not known."""
    rng, x = np.random.default_rng(6), np.logspace(0, 3, 12)
    error = 0.05 * 3 * x**0.7
    z = []
    for _ in range(500):
        y = 3 * x**0.7 * np.exp(0.05 * rng.normal(size=12))
        law = fit_power_law(x, y, error if known else None)
        z.append(
            [(law.exponent - 0.7) / law.exponent_error, np.log(law.amplitude / 3) * law.amplitude / law.amplitude_error]
        )
    variance = 1.0 if known else 10 / 8  # of Student's t with 10 degrees of freedom
    assert np.all(np.abs(np.var(z, axis=0) / variance - 1) < 5 * np.sqrt(2 / 500) * (1.0 if known else 1.5))


def test_published_allocation_spends_the_compute():
    """M_opt = 0.1715 C^0.5243 and D_opt = 5.8316 C^0.4757 are rounded to 4 and 5 digits; their product must be C."""
    compute = np.logspace(17, 25, 9)
    size, data = fit_power_law(compute, 0.1715 * compute**0.5243), fit_power_law(compute, 5.8316 * compute**0.4757)
    rounding = 0.00005 / 0.1715 + 0.00005 / 5.8316
    assert abs(size.amplitude * data.amplitude - 1) < rounding
    assert abs(size.exponent + data.exponent - 1) < 1e-9
    np.testing.assert_allclose(size.at(compute) * data.at(compute), compute, rtol=1.01 * rounding)
    assert abs(0.1715 * 5.8216 - 1) > rounding  # negative control: one digit changed


# Slices of equal compute


def slices(noise: float, rng, parabola: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    compute = np.repeat(np.logspace(18, 21, 6), 7)
    best = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA)) * (compute / 6) ** TRUTH_A
    size = best * np.tile(np.logspace(-0.5, 0.5, 7), 6)
    loss = E + A / size**ALPHA + B / (compute / (6 * size)) ** BETA
    if parabola:
        loss = 2 + 0.05 * np.log(size / best) ** 2
    return size, compute, loss + noise * rng.normal(size=len(loss))


def test_isoflop_exponents_of_parabolas_are_calibrated():
    rng, z = np.random.default_rng(7), []
    for _ in range(400):
        fit = fit_isoflop(*slices(0.002, rng, parabola=True))
        z.append((fit.a - TRUTH_A) / fit.a_error)
    assert abs(np.var(z) * 22 / 24 - 1) < 5 * np.sqrt(2 / 400)  # 24 degrees of freedom
    assert abs(np.mean(z)) < 5 / np.sqrt(400)


def test_isoflop_slices_find_the_optimum_of_the_law():
    """Within a factor 3 of the optimum a parabola moves a by less than 0.001, and N_opt by 2 % at most."""
    size, compute, loss = slices(0.0, np.random.default_rng(8), parabola=False)
    fit = fit_isoflop(size, compute, loss)
    best = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA)) * (fit.compute / 6) ** TRUTH_A
    np.testing.assert_allclose(fit.parameters, best, rtol=0.02)
    assert abs(fit.a - TRUTH_A) < 1e-3
    np.testing.assert_allclose([fit.a + fit.b, fit.a_error], [1, fit.b_error])
    np.testing.assert_allclose(6 * fit.parameters * fit.tokens, fit.compute)
    assert fit.to_dataset()["parameters"].sizes == {"slice": 6}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (lambda size, compute: compute < 2e18, "at least 3 values of compute, got 1"),
        (lambda size, compute: np.tile(np.arange(7) < 3, 6), "has 3 sizes; a parabola with an error needs at least 4"),
    ],
)
def test_isoflop_refuses(chosen, message):
    size, compute, loss = slices(0.0, np.random.default_rng(9), parabola=False)
    kept = chosen(size, compute)
    with pytest.raises(ValueError, match=message):
        fit_isoflop(size[kept], compute[kept], loss[kept])


def test_a_slice_without_minimum_is_refused_by_name():
    size, compute, loss = slices(0.0, np.random.default_rng(9), parabola=False)
    with pytest.raises(ValueError, match=r"slice of compute 1e\+18 has no minimum"):
        fit_isoflop(size, compute, np.where(compute < 2e18, 2 - 0.01 * np.log(size), loss))
    with pytest.raises(ValueError, match="at least 3 different x, got 2"):
        fit_power_law([1, 2, 2], [1, 2, 3])
