"""Pictures of the scaling laws of language models; offered through `analysis.plots`."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from .arguments import refuse
from .compute_optimal import IsoFlopFit
from .drawing import CROSSING, POINTS, SMALL, colors, new_axes, picture, tidy
from .language_scaling import LossFit, positive_columns

MOST_LABELS = 8
SIZE, COMPUTE, LOSS = r"parameters  $N$", r"compute  $C$  [FLOP]", r"loss  $L$  [nats per token]"


@picture()
def loss_law(fit: LossFit, parameters: ArrayLike, tokens: ArrayLike, loss: ArrayLike, ax: Axes | None = None) -> Axes:
    """Loss against size, one colour per amount of data, with the fitted law and its floor E.

    Parameters
    ----------
    fit
        From `analysis.fit_loss`.
    parameters, tokens, loss
        (run,) each, as given to the fit.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    N, D, L = positive_columns(parameters=parameters, tokens=tokens, loss=loss)
    if not isinstance(fit, LossFit):
        refuse("fit", "a result of analysis.fit_loss", fit)
    sizes, amounts = np.geomspace(N.min(), N.max(), 60), np.unique(D)
    for amount, color in zip(amounts, colors(len(amounts))):
        ax.plot(sizes, fit.loss(sizes, amount), color=color, linewidth=0.9)
        label = f"D = {amount:.3g} tokens" if len(amounts) <= MOST_LABELS else None
        ax.plot(N[amount == D], L[amount == D], "o", color=color, markersize=3.5, label=label)
    floor = rf"$E={fit.E:.3g}\pm{fit.E_error:.1g}$"
    ax.axhspan(fit.E - fit.E_error, fit.E + fit.E_error, color=CROSSING, alpha=0.25, linewidth=0)
    ax.axhline(fit.E, color=CROSSING, linewidth=0.9, label=floor)
    ax.set_xscale("log")
    ax.set_xlabel(SIZE)
    ax.set_ylabel(LOSS)
    exponents = rf"$\alpha={fit.alpha:.3g}\pm{fit.alpha_error:.1g}$, $\beta={fit.beta:.3g}\pm{fit.beta_error:.1g}$"
    ax.legend(title=exponents, **SMALL)
    return tidy(ax)


@picture()
def isoflop(
    fit: IsoFlopFit, parameters: ArrayLike, compute: ArrayLike, loss: ArrayLike, ax: Axes | None = None
) -> Axes:
    """Loss against size in slices of equal compute, one colour each, and the best size of every slice.

    Parameters
    ----------
    fit
        From `analysis.fit_isoflop`.
    parameters, compute, loss
        (run,) each, as given to the fit.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    N, C, L = positive_columns(parameters=parameters, compute=compute, loss=loss)
    _check_isoflop(fit)
    for budget, color in zip(fit.compute, colors(len(fit.compute))):
        order = np.argsort(N[budget == C])
        runs = N[budget == C][order], L[budget == C][order]
        ax.plot(*runs, "o-", color=color, markersize=3.5, linewidth=0.9, label=f"C = {budget:.3g} FLOP")
    best = POINTS | {"marker": "D", "markersize": 5, "markerfacecolor": "white"}
    ax.errorbar(fit.parameters, fit.loss, xerr=fit.parameters_error, color=CROSSING, label="best size", **best)
    ax.set_xscale("log")
    ax.set_xlabel(SIZE)
    ax.set_ylabel(LOSS)
    ax.legend(**SMALL)
    return tidy(ax)


@picture()
def best_size(fit: IsoFlopFit, ax: Axes | None = None) -> Axes:
    """Best size against compute on logarithmic axes with its power law.

    Parameters
    ----------
    fit
        From `analysis.fit_isoflop`.
    ax
        Axes to draw on; a new figure's by default.
    """
    ax = new_axes(ax)
    _check_isoflop(fit)
    compute = np.geomspace(fit.compute.min(), fit.compute.max(), 60)
    label = rf"$N_\mathrm{{opt}}\sim C^a$,  $a={fit.a:.3f}\pm{fit.a_error:.3f}$"
    ax.plot(compute, fit.size.at(compute), color=CROSSING, linewidth=0.9, label=label)
    ax.errorbar(fit.compute, fit.parameters, fit.parameters_error, color=colors(1)[0], label="slices", **POINTS)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(COMPUTE)
    ax.set_ylabel(r"best number of parameters  $N_\mathrm{opt}$")
    ax.legend(**SMALL)
    return tidy(ax)


def _check_isoflop(fit: IsoFlopFit) -> None:
    if not isinstance(fit, IsoFlopFit):
        refuse("fit", "a result of analysis.fit_isoflop", fit)
