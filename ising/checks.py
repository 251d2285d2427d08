"""What `sample` accepts; every refusal says what was given, what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import as_choice, as_numbers, as_spins, refuse
from .engine import UPDATES
from .model import IsingModel
from .observables import IMPROVED_OBSERVABLES, PAIR_OBSERVABLES
from .space import fits_space
from .sublattices import sublattice_signs

if TYPE_CHECKING:
    from .plan import Plan

MAX_RESULT_BYTES = 2 * 2**30
BIT_KERNELS = "+-J couplings, a uniform field, degree <= 15 and a local update"
CLUSTER_WINS_FROM = 400  # sites: below, 64 heat-bath chains a word decorrelate faster per second than a cluster step


def check_models(models: Sequence[IsingModel]) -> None:
    """At least one IsingModel, all on one lattice object."""
    if len(models) == 0:
        raise ValueError("sample needs at least one model, got an empty sequence")
    for one in models:
        if not isinstance(one, IsingModel):
            raise ValueError(f"model must be an IsingModel (or several on one lattice), got {type(one).__name__}")
        if one.lattice is not models[0].lattice:
            raise ValueError("all models of one call must share one lattice object")


def check_beta(beta: ArrayLike, increasing: bool = False) -> NDArray[np.float64]:
    """Betas as a checked (n,) array."""
    betas = np.atleast_1d(as_numbers("beta", beta))
    if betas.ndim != 1:
        raise ValueError(f"beta must be a number or a non-empty list of numbers, got shape {betas.shape}")
    if (betas < 0).any():
        raise ValueError(f"beta must be finite and >= 0, got {betas.min()}; use J < 0 for an antiferromagnet")
    if np.unique(betas).size < betas.size:
        raise ValueError("beta holds a value twice; ask for more chains instead")
    if increasing and (betas.size < 2 or (np.diff(betas) < 0).any()):
        raise ValueError("exchange needs two or more betas in increasing order; see temperature_ladder")
    return betas


def choose_update(models: Sequence[IsingModel], update: str, local: bool) -> tuple[str, str]:
    """The update that runs, and why."""
    if as_choice("update", update, ("auto", *UPDATES)) != "auto":
        return update, "asked for"
    if local:
        return "heat_bath", "exchange, isoenergetic moves and disorder in lanes need a local update"
    lattice = models[0].lattice
    plain = all(not one.disordered and float(one.couplings) > 0 and not one.has_field for one in models)
    if plain and lattice.n_sites >= CLUSTER_WINS_FROM and lattice.dimension != 1:
        return "swendsen_wang", f"ferromagnet without field, {lattice.n_sites} >= {CLUSTER_WINS_FROM} sites"
    why = "few sites or one dimension" if plain else "a field or competing couplings, where clusters do not help"
    return "heat_bath", why


def default_chains(kernel: str) -> int:
    """64 for the kernels that run 64 at once, 2 where the lanes carry disorder, else 8."""
    return {"bits": 64, "fields": 64, "bits, disorder in lanes": 2}.get(kernel, 8)


def check_moves(
    models: Sequence[IsingModel],
    chains: int,
    update: str,
    kernel: str,
    exchange: bool,
    isoenergetic: int,
    lanes: str,
) -> None:
    """Refuse combinations of chains and moves that no kernel has."""
    if as_choice("lanes", lanes, ("chains", "disorder")) == "disorder":
        if kernel != "bits, disorder in lanes":
            raise ValueError(f"lanes='disorder' needs {BIT_KERNELS}, got {_what(models[0], update)}")
        if len({(one.coupling_magnitude, float(np.max(one.fields))) for one in models}) > 1:
            raise ValueError("lanes='disorder' needs one field and one |J| for all realisations")
        seeds = {(one.attrs.get("coupling_seed"), one.attrs.get("distribution")) for one in models}
        order = [one.attrs.get("realisation") for one in models]
        if len(seeds) > 1 or order != list(range(len(models))):
            raise ValueError("lanes='disorder' takes the models of one edwards_anderson(..., disorder=k) call")
    if exchange and kernel in ("spins", "clusters"):
        raise ValueError(f"exchange needs update 'heat_bath' or 'metropolis', got {update!r}")
    if isoenergetic and kernel != "bits":
        raise ValueError(f"isoenergetic moves need {BIT_KERNELS} and lanes='chains', got {_what(models[0], update)}")


def _what(model: IsingModel, update: str) -> str:
    couplings = "+-J" if model.coupling_magnitude is not None else "unequal |J|"
    return f"couplings {couplings}, degree {model.lattice.degree.max(initial=0)}, update {update!r}"


def check_observables(
    models: Sequence[IsingModel], chains: int, wanted: Iterable[str] | None, update: str
) -> list[str]:
    """The observables that will be measured."""
    available = ["energy", "magnetization"]
    momentum = models[0].lattice.momentum is not None
    if momentum:
        available.append("structure_factor")
    if any(one.disordered for one in models) and chains > 1:
        available += ["overlap"] + ["link_overlap"] * (models[0].lattice.n_bonds > 0) + ["overlap_k"] * momentum
    if all(not one.disordered and float(one.couplings) < 0 for one in models) and _bipartite(models[0]):
        available.append("staggered_magnetization")
    if not isinstance(wanted, (str, list, tuple, set, frozenset)) and wanted is not None:
        refuse("observables", f"names among {available}", wanted)
    names = available if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    extra = [name for name in IMPROVED_OBSERVABLES if momentum or name == "improved_m2"]
    available = available + (extra if update == "swendsen_wang" else [])
    if "staggered_magnetization" in names and "staggered_magnetization" not in available:
        if not _bipartite(models[0]):
            raise ValueError(
                f"staggered_magnetization needs a bipartite lattice, but {models[0].lattice.name} has an odd ring of "
                "bonds (a torus needs even L): leave it out of observables="
            )
        available = [*available, "staggered_magnetization"]
    unknown = [name for name in names if not isinstance(name, str) or name not in available]
    if unknown or not names:
        refuse("observables", f"among {available} for this model", names)
    if chains > 1 and chains % 2 and any(name in PAIR_OBSERVABLES for name in names):
        raise ValueError(f"overlaps pair chains (2k, 2k + 1): chains must be even, got {chains}")
    return names


def _bipartite(model: IsingModel) -> bool:
    return fits_space(model) or sublattice_signs(model.lattice) is not None


def check_memory(plan: Plan) -> None:
    """Refuse results that do not fit."""
    lanes, draws = len(plan.models) * len(plan.betas) * plan.chains, plan.schedule.draws
    series = 8 * len(plan.observables) * lanes * draws
    kept = lanes * plan.n_sites * (draws // plan.configurations) if plan.configurations else 0
    if series + kept > MAX_RESULT_BYTES:
        raise ValueError(
            f"the result would take {(series + kept) / 2**30:.1f} GiB, above the 2 GiB limit: give store=, a folder "
            "on the disk, or use fewer draws with a larger thin=, fewer observables= or fewer configurations="
        )


def check_initial(initial: Any, n_beta: int, chains: int, n_sites: int) -> Any:
    """A name, or spins broadcast to (beta, chain, site)."""
    if isinstance(initial, str):
        if initial not in ("random", "up"):
            raise ValueError(f"initial must be 'random', 'up' or an array of +-1 spins, got {initial!r}")
        return initial
    spins = as_spins("initial", initial)
    try:
        return np.broadcast_to(spins.astype(np.int8), (n_beta, chains, n_sites))
    except ValueError:
        raise ValueError(
            f"initial spins must broadcast to (beta, chain, site) = {(n_beta, chains, n_sites)}, got {spins.shape}"
        ) from None
