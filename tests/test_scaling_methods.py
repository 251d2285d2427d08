"""Quotients, collapses, shared fits, peaks, dynamics and lengths against known exponents; what each refuses."""

import numpy as np
import pytest
import xarray as xr
from curie_weiss_draws import DIMS, assert_unit_variance, exact, sample
from test_scaling import BETA_C, NU, binder_draws, synthetic_family

import analysis
import ising
from analysis import collapse_methods, joint_fit
from analysis.drift import extrapolate
from analysis.gaussian_process import Kernel, log_likelihood
from analysis.power_laws import fit_line

pytestmark = pytest.mark.filterwarnings("ignore::analysis.ScalingWarning")  # p < 0.05 is one data set in twenty


@pytest.fixture(scope="module")
def curie_weiss() -> list[xr.Dataset]:
    """Mean field: nu = 1/2, gamma / nu = 2, beta / nu = 1 with L = N^(1/4), beta_c = 1."""
    rng = np.random.default_rng(21)
    return [sample(n, 1 + np.linspace(-2, 2, 11) / np.sqrt(n), 16, 800, rng) for n in (64, 256, 1024, 4096)]


def clean_family(rng, sizes=(8, 16, 32, 64), n_draws=500) -> list[xr.Dataset]:
    """2D data without corrections: U4 = 0.33 (1 + tanh(0.7 + 0.9 x))."""
    runs = []
    for L in sizes:
        x = np.linspace(-1.2, 1.2, 9)
        u4 = 0.33 * (1 + np.tanh(0.7 + 0.9 * x))
        coords = {"beta": BETA_C * (1 + x * L ** (-1 / NU)), "n_sites": L * L, "L": L}
        runs.append(xr.Dataset({"magnetization": (DIMS, binder_draws(u4, n_draws, rng))}, coords, {"dimension": 2}))
    return runs


# Quotients


@pytest.mark.parametrize(("observable", "truth"), [("susceptibility", 2), ("magnetization_abs", -1), ("slope", 2)])
def test_quotients_of_mean_field(curie_weiss, observable, truth):
    table = analysis.quotients(curie_weiss, observable, "binder")
    limit, error = table["exponent"].item(), table["exponent_error"].item()
    assert abs(limit - truth) < 4 * error
    assert error < 0.25
    assert table.sizes["pair"] == 3
    assert table["dof"].item() <= 1
    assert abs(limit - 1.5 * truth) > 4 * error  # control


def test_quotients_refuse_and_say_what_is_missing(curie_weiss):
    assert np.isnan(analysis.quotients(curie_weiss[:2], crossing="binder")["exponent"].item())  # one pair, no limit
    with pytest.raises(ValueError, match="at least 2 sizes"):
        analysis.quotients(curie_weiss[:1], crossing="binder")
    with pytest.raises(ValueError, match="xi_over_L needs structure_factor"):
        analysis.quotients(curie_weiss)
    with pytest.raises(ValueError, match="must be positive at the crossing"):
        analysis.quotients(curie_weiss, "energy", "binder")
    apart = [run.assign_coords(beta=run.beta + i) for i, run in enumerate(curie_weiss)]
    with pytest.raises(ValueError, match="does not cross within the beta range"):
        analysis.quotients(apart, crossing="binder")
    with pytest.raises(ValueError, match="dimension must be"):
        analysis.quotients(curie_weiss, crossing="binder", dimension=1)


def test_extrapolation_drops_what_does_not_fit_and_keeps_the_way_in_the_error():
    x, covariance = np.array([0.5, 0.2, 0.1, 0.05]), 1e-6 * np.eye(4)
    line = extrapolate(x, 1 + 0.1 * x, covariance)
    assert (line.first, line.dof) == (0, 2)
    assert line.value == pytest.approx(1)
    assert line.shift == pytest.approx(0, abs=1e-9)
    assert line.error > 0.005  # the way from the last point
    bent = extrapolate(x, 1 + 0.1 * x + np.array([0.5, 0, 0, 0]), covariance)
    assert bent.first == 1
    assert bent.value == pytest.approx(1)


# Collapses


def collapse_pulls(n_sets: int, seed: int, method: str, resamples: int) -> np.ndarray:
    rng, z = np.random.default_rng(seed), []
    for _ in range(n_sets):
        fit = analysis.fit_collapse(clean_family(rng), method=method, resamples=resamples)
        z.append([(fit.beta_c - BETA_C) / fit.beta_c_error, (fit.nu - NU) / fit.nu_error])
    return np.array(z)


@pytest.mark.parametrize(("method", "n_sets"), [("gaussian_process", 8), ("local_linear", 6)])
def test_collapse_errors_are_calibrated(method, n_sets):
    z = collapse_pulls(n_sets, 31, method, 20)
    for column in z.T:
        assert_unit_variance(column / np.sqrt(1.1))  # errors from 20 resamples: variance of Student's t, 1.1
    with pytest.raises(AssertionError):  # control: errors a third as large would be seen
        assert_unit_variance(3 * z)


@pytest.mark.validate
@pytest.mark.parametrize(("method", "n_sets"), [("gaussian_process", 200), ("local_linear", 60)])
def test_collapse_coverage(method, n_sets):
    for column in np.abs(collapse_pulls(n_sets, 32, method, 40)).T:
        for limit, share in ((1.0, 0.68), (1.96, 0.95)):
            reach = 4 * np.sqrt(share * (1 - share) / n_sets)
            assert (
                abs(np.mean(column < limit) - share) < reach + 0.02
            )  # errors from 40 resamples: share 0.01 to 0.02 less


def test_collapse_of_the_susceptibility_has_its_exponent(curie_weiss):
    for method, options in (("gaussian_process", {"corrections": True}), ("local_linear", {"smallest": 1024})):
        fit = analysis.fit_collapse(curie_weiss, "susceptibility", method, resamples=20, **options)
        assert abs(fit.exponent - 2) < 4 * fit.exponent_error
        assert abs(fit.beta_c - 1) < 4 * fit.beta_c_error
        assert (fit.nu, fit.nu_error) == (0.5, 0.0)
        assert method == "local_linear" or fit.quality < 3  # straight lines know no corrections
    table = fit.to_dataset()
    assert table.sizes["point"] == 22
    assert table["beta_c"].item() == fit.beta_c
    x = (table["beta"] / fit.beta_c - 1) * table["n_sites"] ** 0.5
    np.testing.assert_allclose(table["x"], x, rtol=1e-9)


def test_collapse_with_corrections_takes_them_off():
    data = synthetic_family(np.random.default_rng(33), n_draws=2000)
    fit = analysis.fit_collapse(data, corrections=True, resamples=20)
    assert abs(fit.beta_c - BETA_C) < 4 * fit.beta_c_error
    assert abs(fit.nu - NU) < 4 * fit.nu_error
    with pytest.warns(analysis.ScalingWarning, match="do not collapse"):  # control
        analysis.fit_collapse(data, resamples=20)
    held = analysis.fit_collapse(data, corrections=True, resamples=20, beta_c=BETA_C, nu=NU)
    assert (held.beta_c, held.beta_c_error) == (BETA_C, 0.0)
    assert held.nu == pytest.approx(NU)
    assert held.log_likelihood < fit.log_likelihood + 1e-3


@pytest.mark.parametrize("step", [1, 2])
def test_the_gaussian_process_finds_beta_c_in_precise_data(step):
    """Errors of 0.001 make a rugged likelihood: a search from one kernel ended at beta_c = 0.79, with errors."""
    rng = np.random.default_rng(35)
    betas = {n: 1 + np.linspace(-2, 2, 11)[::step] / np.sqrt(n) for n in (64, 256, 1024, 4096)}
    data = [sample(n, beta, 16, 8_000, rng) for n, beta in betas.items()]
    fit = analysis.fit_collapse(data, corrections=True, resamples=20)
    assert abs(fit.beta_c - 1) < 4 * fit.beta_c_error < 0.01


def test_a_collapse_stands_where_the_one_without_the_smallest_size_fails(monkeypatch):
    data = clean_family(np.random.default_rng(36))
    find, spread = collapse_methods.METHODS["gaussian_process"]

    def fails_on_three_sizes(problem, values):
        if len(np.unique(problem.points.n_sites)) == 3:
            raise ValueError("the collapse did not converge")
        return find(problem, values)

    monkeypatch.setitem(collapse_methods.METHODS, "gaussian_process", (fails_on_three_sizes, spread))
    with pytest.warns(analysis.ScalingWarning, match="how stable beta_c is, is not known"):
        fit = analysis.fit_collapse(data, resamples=20)
    assert np.isnan(fit.beta_c_shift)
    assert abs(fit.beta_c - BETA_C) < 4 * fit.beta_c_error


def test_derivatives_of_the_likelihood():
    rng = np.random.default_rng(34)
    x, decay, values, error = rng.normal(size=12), rng.uniform(1, 3, 12), rng.normal(size=12), np.full(12, 0.3)
    logs = np.log([0.8, 0.7, 0.2, 1.1])

    def value(logs, x, values):
        return log_likelihood(Kernel(*np.exp(logs)), x, decay, values, error).value

    found, h = log_likelihood(Kernel(*np.exp(logs)), x, decay, values, error), 1e-5
    for i in range(4):
        e = h * np.eye(4)[i]
        slope = (value(logs + e, x, values) - value(logs - e, x, values)) / (2 * h)
        assert found.by_kernel[i] == pytest.approx(slope, rel=1e-4, abs=1e-6)
    for i in range(12):
        e = h * np.eye(12)[i]
        by_x = (value(logs, x + e, values) - value(logs, x - e, values)) / (2 * h)
        assert found.by_x[i] == pytest.approx(by_x, rel=1e-4, abs=1e-6)
        by_value = (value(logs, x, values + e) - value(logs, x, values - e)) / (2 * h)
        assert found.by_values[i] == pytest.approx(by_value, rel=1e-4, abs=1e-6)


def test_collapse_refusals(curie_weiss):
    for arguments, message in (
        ({"method": "spline"}, "method must be one of"),
        ({"method": "local_linear", "corrections": True}, "corrections need"),
        ({"resamples": 5}, "resamples must be an integer >= 20"),
        ({"smallest": 4096}, "at least 2 different sizes, got 1"),
        ({"smallest": 1024, "corrections": True}, "at least 3 different sizes, got 2"),
        ({"quantity": "energy"}, "needs positive values"),
    ):
        with pytest.raises(ValueError, match=message):
            analysis.fit_collapse(curie_weiss, **arguments)
    apart = [run.assign_coords(beta=run.beta + i) for i, run in enumerate(curie_weiss)]
    with pytest.raises(ValueError, match="does not cross within the beta range"):
        analysis.fit_collapse(apart)
    with pytest.raises(ValueError, match="do not overlap"):
        analysis.fit_collapse(apart, method="local_linear", beta_c=1.0)


# Shared fits


def test_one_quantity_alone_is_the_joint_fit():
    data = clean_family(np.random.default_rng(41))
    alone, fit = analysis.fit_shared(data, ["binder"]), analysis.fit_scaling(data)
    assert fit.degree == 4
    assert alone.beta_c == pytest.approx(fit.beta_c, abs=1e-3 * fit.beta_c_error)
    assert alone.beta_c_error == pytest.approx(fit.beta_c_error, rel=1e-3)
    assert alone.nu == pytest.approx(fit.nu, abs=1e-3 * fit.nu_error)
    assert alone.nu_error == pytest.approx(fit.nu_error, rel=1e-3)
    assert alone.chi2 == pytest.approx(fit.chi2, rel=1e-4)
    assert (alone.dof, alone.n_points) == (fit.dof, fit.n_points)


def test_priors_hold_and_widen():
    data = clean_family(np.random.default_rng(42))
    free = analysis.fit_shared(data, ["binder"])
    held = analysis.fit_shared(data, ["binder"], priors={"nu": (NU, 1e-6)})
    assert held.nu == pytest.approx(NU, abs=1e-5)
    assert held.nu_error < 2e-6
    assert held.beta_c_error < free.beta_c_error
    assert held.dof == free.dof + 1
    loose = analysis.fit_shared(data, ["binder"], priors={"nu": (NU + 1, 1e6)})
    assert loose.nu == pytest.approx(free.nu, abs=1e-3 * free.nu_error)
    omega = analysis.fit_shared(data, ["binder"], priors={"omega": (1.75, 0.3)})
    assert omega.omega_error == pytest.approx(0.3, rel=0.3)  # data without corrections say nothing about omega
    assert (free.omega, free.omega_error) == (1.75, 0.0)
    with pytest.warns(analysis.ScalingWarning, match="widen a prior"):  # control: a wrong prior is seen
        analysis.fit_shared(data, ["binder"], priors={"nu": (2 * NU, 1e-3)})


@pytest.fixture(scope="module")
def square() -> list[xr.Dataset]:
    x = np.linspace(-1, 1, 9)
    models = {L: ising.ferromagnet(ising.square(L)) for L in (6, 12, 24)}
    betas = {L: 0.4407 * (1 + x / L) for L in models}
    return ising.sample_sizes(models, betas, ising.Schedule(200, 1500), update="swendsen_wang", seed=5, progress=False)


def test_two_quantities_share_beta_c_and_nu(square):
    fit = analysis.fit_shared(square, priors={"nu": (1.0, 0.01)})
    assert abs(fit.beta_c - 0.44068679) < 4 * fit.beta_c_error < 8e-3
    for value, error, truth in zip(fit.critical_values, fit.critical_value_errors, (0.61069, 0.90505)):
        assert abs(value - truth) < 4 * error
    table = fit.to_dataset()
    assert list(table["quantity"].values) == ["binder", "xi_over_L"]
    assert "nu = 1(0.01)" in table.attrs["method"]
    for arguments, message in (
        ({"priors": {"eta": (0.25, 0.1)}}, "a name in priors must be one of"),
        ({"priors": {"nu": (1.0, 0.0)}}, "the error in priors.*nu.* must be finite and > 0"),
        ({"quantities": ["binder", "binder"]}, "different names"),
        ({"smallest": 144}, "at least 3 different sizes, got 2"),
        ({"degree": 30}, "parameters need more than"),
    ):
        with pytest.raises(ValueError, match=message):
            analysis.fit_shared(square, **arguments)


def test_fits_that_do_not_converge_or_depend_on_the_smallest_size_say_so(monkeypatch):
    data = synthetic_family(np.random.default_rng(43))
    with monkeypatch.context() as patched:
        patched.setattr(joint_fit, "MAX_STEPS", 1)
        with pytest.raises(ValueError, match="did not converge in 1 steps"):
            analysis.fit_scaling(data)
    moved = [data[0], data[1].assign_coords(beta=data[1].beta + 0.01), *data[2:]]
    with pytest.warns(analysis.ScalingWarning, match="does not fit all sizes"):
        analysis.fit_scaling(moved)


# Peaks


def test_slope_of_the_binder_cumulant_is_its_derivative():
    rng, n, beta = np.random.default_rng(51), 64, 1.05
    run = sample(n, [beta], 64, 4_000, rng)
    step = 1e-4
    slope = (exact(n, beta + step)["binder"] - exact(n, beta - step)["binder"]) / (2 * step)
    for table in (analysis.summarize(run), analysis.reweight(run, [beta])):
        assert abs(table["binder_slope"].item() - slope) < 4 * table["binder_slope_error"].item() < 0.05 * slope


def test_steepest_point_of_the_binder_cumulant():
    rng, n = np.random.default_rng(51), 256
    betas = 1 + np.linspace(-4, 4, 25) / np.sqrt(n)
    table = analysis.peaks(sample(n, betas, 32, 2000, rng), "binder_slope")
    fine = 1 + np.linspace(-4, 4, 8001) / np.sqrt(n)
    slope = np.gradient([exact(n, beta)["binder"] for beta in fine], fine)
    assert abs(table["beta_peak"].item() - fine[slope.argmax()]) < 4 * table["beta_peak_error"].item() < 0.004
    assert abs(table["height"].item() - slope.max()) < 4 * table["height_error"].item()
    assert table["method"].item() == "reweighting"
    with pytest.raises(ValueError, match="widen the beta range"):
        analysis.peaks(sample(n, betas[14:], 32, 400, rng), "binder_slope")


def test_peaks_point_to_beta_c():
    L = np.array([8, 16, 32, 64])
    columns = {
        "beta_peak": 0.44 - 0.3 / L,
        "beta_peak_error": np.full(4, 1e-4),
        "height": 2.0 * L**1.75,
        "height_error": 0.02 * L**1.75,
    }
    table = xr.Dataset({name: ("L", values) for name, values in columns.items()}, {"L": L, "n_sites": ("L", L**2)})
    found = analysis.peak_scaling(table, nu=1.0, dimension=2)
    assert found["beta_c"].item() == pytest.approx(0.44)
    assert found["amplitude"].item() == pytest.approx(-0.3)
    assert found["height_exponent"].item() == pytest.approx(1.75)
    assert found["smallest"].item() == 64
    bent = table.assign(beta_peak=table.beta_peak - np.array([0.05, 0, 0, 0]) * (table.L < 10))
    assert analysis.peak_scaling(bent, nu=1.0, dimension=2)["smallest"].item() == 256
    with pytest.raises(ValueError, match="got one size"):
        analysis.peak_scaling(table.isel(L=0), 1.0, 2)
    with pytest.raises(ValueError, match="nu must be finite and > 0"):
        analysis.peak_scaling(table, 0.0, 2)
    with pytest.raises(ValueError, match="at least 2 sizes"):
        fit_line(L[:1], L[:1], L[:1])


# Dynamics


def autoregressive(L: int, z: float, rng, draws: int = 20_000) -> xr.Dataset:
    """AR(1) chains with tau = 2 L^z: coefficient (tau - 1) / (tau + 1)."""
    from scipy.signal import lfilter

    tau = 2 * L**z
    a = (tau - 1) / (tau + 1)
    noise = rng.normal(size=(1, 8, draws + 500))
    series = lfilter([1], [1, -a], noise)[..., 500:]
    coords = {"beta": [0.44], "n_sites": L * L, "L": L}
    return xr.Dataset({"energy": (DIMS, series)}, coords, {"dimension": 2, "update": "ar", "thin": 1})


def test_dynamic_exponent_of_known_chains():
    rng = np.random.default_rng(61)
    data = {z: [autoregressive(L, z, rng) for L in (4, 6, 8, 12)] for z in (0.5, 1.5)}
    table = analysis.dynamic_exponent({"fast": data[0.5], "slow": data[1.5]}, 0.44)
    for update, z in (("fast", 0.5), ("slow", 1.5)):
        one = table.sel(update=update)
        assert abs(one["z"].item() - z) < 4 * one["z_error"].item() < 0.6
        np.testing.assert_array_less(abs(one["tau"] - 2 * one["length"] ** z) / one["tau_error"], 4.5)
    thinned = [run.assign_attrs(thin=5) for run in data[0.5]]
    again = analysis.dynamic_exponent(thinned, 0.44)
    np.testing.assert_allclose(again["tau"][0], 5 * table["tau"].sel(update="fast"))
    assert again["update"].values.tolist() == ["ar"]
    with pytest.raises(ValueError, match="no beta within 2 %"):
        analysis.dynamic_exponent(data[0.5], 0.5)
    with pytest.raises(ValueError, match="at least 2 different sizes"):
        analysis.dynamic_exponent(data[0.5][:1], 0.44)
    with pytest.raises(ValueError, match="observable must be one of"):
        analysis.dynamic_exponent(data[0.5], 0.44, "magnetization")


# Lengths


def test_cosh_on_a_ring_is_exact():
    """Ising ring: G(r) = (v^r + v^(L-r)) / (1 + v^L), v = tanh beta: a cosh of 1 / xi = -ln v."""
    L, v, r = 24, np.tanh(0.8), np.arange(13)
    exact_values = (v**r + v ** (L - r)) / (1 + v**L)
    noise = 1 + 1e-6 * np.random.default_rng(71).normal(size=(6, 13))
    table = xr.Dataset({"correlation": (("chain", "distance"), exact_values * noise)}, {"distance": r})
    found = analysis.decay_length(table, (0, 12), period=L)
    assert found["decay_length"].item() == pytest.approx(-1 / np.log(v), rel=1e-5)
    plain = analysis.decay_length(table, (0, 12))
    assert plain["decay_length"].item() > 1.1 * found["decay_length"].item()  # control: the image from the other side


def test_exponential_length_of_the_square_lattice():
    """Zero-momentum correlations along an axis decay with 1 / xi = ln coth beta - 2 beta (Onsager)."""
    model = ising.ferromagnet(ising.square(32))
    betas = [0.34, 0.37]
    data = ising.sample(model, betas, ising.Schedule(200, 800), chains=64, configurations=20, seed=3, progress=False)
    table = analysis.slice_correlations(data.configurations, (32, 32))
    found = analysis.decay_length(table, (1, 6), period=32)
    truth = 1 / (np.log(1 / np.tanh(betas)) - 2 * np.array(betas))
    assert (abs(found["decay_length"] - truth) < 4 * found["decay_length_error"]).all()
    assert (found["decay_length_error"] / truth < 0.05).all()
    with pytest.raises(ValueError, match="dimension chain of 2 or more"):  # missing chains
        analysis.decay_length(table.isel(chain=0), (1, 8), period=32)
    with pytest.raises(ValueError, match="shape must have 1024 sites"):
        analysis.slice_correlations(data.configurations, (16, 16))


def test_quality_of_a_length_proxy():
    beta = np.linspace(0.3, 0.6, 30)
    zeta = np.maximum(abs(beta - 0.44) / 0.44, 0.06) ** -0.8
    table = xr.Dataset({"xi": ("beta", 1.7 * zeta)}, {"beta": beta, "n_sites": 64})
    found = analysis.proxy_quality(table, 0.44)
    np.testing.assert_allclose(found["nu"], 0.8)
    np.testing.assert_allclose(found["amplitude"], 1.7)
    np.testing.assert_allclose(found["rms"], 0, atol=1e-12)
    np.testing.assert_allclose(found["proxy"], table["xi"])
    held = analysis.proxy_quality(table, 0.44, nu=0.5)
    assert (held["rms"] > 0.05).all()  # control: another exponent is worse by as much as it should be
    assert (held["nu_error"] == 0).all()
    sizes = xr.concat([table.assign_coords(L=L, n_sites=L * L) for L in (8, 16)], "L", coords=["n_sites"])
    assert dict(analysis.proxy_quality(sizes, 0.44)["rms"].sizes) == {"L": 2, "side": 2}
    with pytest.raises(ValueError, match="beta_c must have 3 positive points of xi"):
        analysis.proxy_quality(table.isel(beta=[0, 1, 28, 29]), 0.44)
    with pytest.raises(ValueError, match="quantity must be in the table"):
        analysis.proxy_quality(table, 0.44, "tau_energy")
    with pytest.raises(ValueError, match="must be finite and > 0"):
        analysis.proxy_quality(table, -0.44)
