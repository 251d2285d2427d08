"""Good calls of `analysis`: series, tables, fits and pictures."""

from __future__ import annotations

import warnings
from functools import cache

import matplotlib as mpl
import numpy as np
import xarray as xr
from curie_weiss_draws import sample as curie_weiss
from good_calls import Table
from matplotlib.figure import Figure

import analysis
import ising
from analysis import plots

mpl.use("agg")
PATCH = ising.hyperbolic(5, 4, 2)
SIZES = np.repeat(np.logspace(7.5, 10, 6), 5)
TOKENS = SIZES * np.tile(np.logspace(0.3, 2.5, 5), 6)
LOSS = 1.69 + 406.4 / SIZES**0.34 + 410.7 / TOKENS**0.28


def axes():
    return Figure().subplots()


@cache
def family() -> list[xr.Dataset]:
    """Curie-Weiss, three sizes."""
    rng = np.random.default_rng(11)
    return [curie_weiss(n, 1 + np.linspace(-3, 3, 9) / np.sqrt(n), 16, 300, rng) for n in (64, 256, 1024)]


@cache
def square() -> list[xr.Dataset]:
    """Square lattices with configurations."""
    models = {L: ising.ferromagnet(ising.square(L)) for L in (4, 6, 8)}
    betas = {L: [0.40, 0.43, 0.46] for L in models}
    return ising.sample_sizes(models, betas, ising.Schedule(50, 400), chains=8, configurations=50, progress=False)


@cache
def glass() -> xr.Dataset:
    """A spin glass of several realisations."""
    models = ising.edwards_anderson(ising.square(4), seed=1, disorder=4, distribution="gaussian")
    return ising.sample(models, [0.3, 0.5], ising.Schedule(8, 64), chains=4, progress=False)


def table() -> Table:
    calls = Table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add_series(calls)
        add_tables(calls)
        add_fits(calls)
        add_laws(calls)
        add_pictures(calls)
    return calls


def add_series(calls: Table) -> None:
    series = np.random.default_rng(1).normal(size=(4, 200))
    calls.add("analysis.autocorrelation_time", analysis.autocorrelation_time, series=series, window="sokal")
    calls.add("analysis.effective_sample_size", analysis.effective_sample_size, series=series)
    calls.add("analysis.integrated_autocorrelation_time", analysis.integrated_autocorrelation_time, series=series)
    calls.add("analysis.r_hat", analysis.r_hat, series=series)


def add_tables(calls: Table) -> None:
    run, found = square()[1], analysis.summarize(square())
    undefined = {f"{name}{end}" for name in ("binder", "binder_slope", "xi", "xi_over_L") for end in ("", "_error")}
    calls.add("analysis.summarize", analysis.summarize, data=run, undefined=" ".join(undefined))
    calls.add("analysis.summarize sizes", analysis.summarize, data=square(), undefined=" ".join(undefined))
    calls.add(
        "analysis.confidence_interval",
        analysis.confidence_interval,
        undefined="*",
        table=found,
        name="energy",
        level=0.9,
    )
    calls.add("analysis.bootstrap", analysis.bootstrap, data=run, quantity="binder", replicas=100, seed=1)
    calls.add("analysis.covariance", analysis.covariance, data=run, quantity="binder", undefined="None")
    calls.add(
        "analysis.reweight",
        analysis.reweight,
        data=run,
        betas=[0.41, 0.42],
        log_states=np.log(2),
        undefined=" ".join(["free_energy free_energy_error", *undefined]),
    )
    calls.add("analysis.peaks", analysis.peaks, data=family(), quantity="susceptibility_connected")
    calls.add("analysis.fisher_zeros", analysis.fisher_zeros, data=run, count=1)
    calls.add("analysis.lee_yang_zeros", analysis.lee_yang_zeros, data=run, betas=[0.42], count=1)
    calls.add(
        "analysis.mean_field_variables", analysis.mean_field_variables, table=analysis.summarize(family()), beta_c=1.0
    )
    calls.add("analysis.curie_weiss_scaling", analysis.curie_weiss_scaling, x=[-1.0, 0.0, 1.0])
    calls.add("analysis.slice_correlations", analysis.slice_correlations, spins=run.configurations, shape=(6, 6))
    slices = analysis.slice_correlations(run.configurations, (6, 6))
    calls.add("analysis.decay_length", analysis.decay_length, table=slices, window=(0, 3), period=6)
    calls.add("analysis.equilibration", analysis.equilibration, data=glass(), bonds_per_site=2.0)
    calls.add("analysis.log_binning", analysis.log_binning, data=glass(), quantity="energy")
    beta = np.linspace(0.3, 0.6, 30)
    lengths = xr.Dataset(
        {"xi": ("beta", 1.7 * np.maximum(abs(beta - 0.44) / 0.44, 0.06) ** -0.8)}, {"beta": beta, "n_sites": 64}
    )
    calls.add(
        "analysis.proxy_quality",
        analysis.proxy_quality,
        undefined="*",
        table=lengths,
        beta_c=0.44,
        quantity="xi",
        nu=1.0,
        u_min=0.06,
    )


def add_fits(calls: Table) -> None:
    data = family()
    calls.add("analysis.crossings", analysis.crossings, data=data, quantity="binder")
    calls.add("analysis.critical_beta", analysis.critical_beta, data=data, quantity="binder", dimension="mean_field")
    calls.add(
        "analysis.fit_scaling", analysis.fit_scaling, data=data, quantity="binder", dimension="mean_field", smallest=0
    )
    calls.add(
        "analysis.fit_collapse", analysis.fit_collapse, data=data, quantity="binder", method="local_linear",
        dimension="mean_field", beta_c=1.0, nu=0.5, exponent=0.0, corrections=False, smallest=0, resamples=20, seed=0,
        counts="resamples",
    )  # fmt: skip
    calls.add(
        "analysis.fit_shared", analysis.fit_shared, data=data, quantities=["binder"], dimension="mean_field",
        priors={"nu": (2.0, 0.5)}, smallest=0, degree=4,
    )  # fmt: skip
    calls.add(
        "analysis.quotients", analysis.quotients, data=data, observable="susceptibility", crossing="binder",
        dimension="mean_field",
    )  # fmt: skip
    calls.add(
        "analysis.dynamic_exponent",
        analysis.dynamic_exponent,
        data=square(),
        beta=0.43,
        observable="energy",
        dimension=2,
        smallest=0,
    )
    calls.add("analysis.peak_scaling", analysis.peak_scaling, peaks=peak_table(), nu=1.0, dimension=2)


def peak_table() -> xr.Dataset:
    """Peaks on their power laws."""
    L = np.array([8, 16, 32, 64])
    columns = {"beta_peak": 0.44 - 0.3 / L, "beta_peak_error": 0 * L + 1e-4, "height": L**1.75, "height_error": 0.1 * L}
    peaks = xr.Dataset({name: ("L", values) for name, values in columns.items()}, {"L": L, "n_sites": ("L", L**2)})
    peaks["height"].attrs["units"] = "1"
    return peaks.assign_attrs(quantity="susceptibility_connected")


def add_laws(calls: Table) -> None:
    size = np.tile(np.geomspace(1e7, 1e9, 7), 3)
    compute = np.repeat([1e15, 1e16, 1e17], 7)
    parabola = 2.0 + 0.1 * (np.log(size) - 0.5 * np.log(compute)) ** 2
    calls.add(
        "analysis.fit_loss",
        analysis.fit_loss,
        parameters=SIZES,
        tokens=TOKENS,
        loss=LOSS,
        replicas=20,
        seed=0,
        counts="replicas",
    )
    calls.add("analysis.fit_isoflop", analysis.fit_isoflop, parameters=size, compute=compute, loss=parabola)
    x = np.arange(1.0, 8.0)
    calls.add("analysis.fit_power_law", analysis.fit_power_law, x=x, y=2 * x**0.7, y_error=0.1 * x)
    loss, flop, law = (
        analysis.fit_loss(SIZES, TOKENS, LOSS, 20),
        analysis.fit_isoflop(size, compute, parabola),
        analysis.fit_power_law(x, x),
    )
    calls.add("analysis.LossFit.loss", loss.loss, parameters=SIZES, tokens=TOKENS)
    calls.add("analysis.LossFit.optimum", loss.optimum, compute=[1e18, 1e20])
    calls.add("analysis.PowerLaw.at", law.at, x=x)
    calls.add(
        "analysis.plots.loss_law", plots.loss_law, fit=loss, parameters=SIZES, tokens=TOKENS, loss=LOSS, ax=axes()
    )
    calls.add(
        "analysis.plots.isoflop", plots.isoflop, fit=flop, parameters=size, compute=compute, loss=parabola, ax=axes()
    )
    calls.add("analysis.plots.best_size", plots.best_size, fit=flop, ax=axes())


def add_pictures(calls: Table) -> None:
    data, run, ax = family(), square()[1], axes()
    found, pairs = analysis.summarize(data), analysis.crossings(data)
    fits = [analysis.fit_scaling(data), analysis.fit_shared(data, ["binder"])]
    calls.add("analysis.plots.observable", plots.observable, table=found, quantity="energy", ax=ax)
    calls.add("analysis.plots.binder_crossing", plots.binder_crossing, table=found, crossings=pairs, ax=ax)
    scaled, curve = analysis.mean_field_variables(found, 1.0), analysis.curie_weiss_scaling(np.linspace(-3, 3, 9))
    calls.add("analysis.plots.collapse", plots.collapse, variables=scaled, quantity="binder", curve=curve, ax=ax)
    collapsed = analysis.fit_collapse(data, resamples=20, corrections=True).to_dataset()
    calls.add("analysis.plots.collapsed", plots.collapsed, fit=collapsed, ax=ax)
    calls.add(
        "analysis.plots.crossing_drift", plots.crossing_drift, crossings=pairs, estimates={"fit": (1.0, 0.01)}, ax=ax
    )
    calls.add("analysis.plots.stability", plots.stability, fits=fits, parameter="beta_c", ax=ax, exact=1.0)
    calls.add(
        "analysis.plots.exponents", plots.exponents, table=analysis.quotients(data, crossing="binder"), ax=ax, exact=2.0
    )
    fine = analysis.reweight(run, [0.41, 0.42])
    calls.add(
        "analysis.plots.reweighted",
        plots.reweighted,
        fine=fine,
        quantity="energy",
        table=analysis.summarize(run),
        ax=ax,
    )
    calls.add("analysis.plots.fisher_zeros", plots.fisher_zeros, zeros=analysis.fisher_zeros(run), ax=ax)
    peaks = analysis.peak_scaling(peak_table(), 1.0, 2)
    calls.add("analysis.plots.peak_positions", plots.peak_positions, table=peaks, ax=ax)
    calls.add("analysis.plots.peak_heights", plots.peak_heights, table=peaks, ax=ax)
    calls.add(
        "analysis.plots.scaling_of_peaks",
        plots.scaling_of_peaks,
        peaks=analysis.peaks(data, "susceptibility_connected"),
        ax=ax,
    )
    calls.add("analysis.plots.dynamics", plots.dynamics, table=analysis.dynamic_exponent(square(), 0.43), ax=ax)
    slices = analysis.slice_correlations(run.configurations, (6, 6))
    decay = analysis.decay_length(slices, (0, 3), 6)
    calls.add("analysis.plots.slice_decay", plots.slice_decay, table=slices, decay=decay, period=6, ax=ax)
    calls.add(
        "analysis.plots.length_proxy",
        plots.length_proxy,
        table=analysis.proxy_quality(analysis.summarize(square()[2]), 0.5, "xi"),
        ax=ax,
    )
    correlations = ising.correlations(ising.square(6), run.configurations)
    calls.add("analysis.plots.correlation", plots.correlation, table=correlations, ax=ax)
    calls.add(
        "analysis.plots.log_binning", plots.log_binning, table=analysis.log_binning(glass()), quantity="energy", ax=ax
    )
    where, values = PATCH.coordinates, np.ones(PATCH.n_sites)
    calls.add(
        "analysis.plots.disk", plots.disk, coordinates=where, values=values, bonds=PATCH.bonds, ax=ax, walls=True,
        edges=True, cmap="viridis", label="spin",
    )  # fmt: skip
    frames = np.stack([values, values])
    calls.add(
        "analysis.plots.animate_disk",
        animate,
        coordinates=where,
        frames=frames,
        bonds=PATCH.bonds,
        ax=ax,
        interval=50,
        walls=True,
    )


def animate(**arguments):
    """Draw the first frame, so that matplotlib does not complain of an animation never shown."""
    found = plots.animate_disk(**arguments)
    found._draw_was_started = True
    return found
