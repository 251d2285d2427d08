"""The command `ceas anneal`: what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ising import IsingModel

from .problems import cut_weight

if TYPE_CHECKING:
    import xarray as xr


def summary(model: IsingModel, result: xr.Dataset) -> str:
    """Lowest energy (and cut), how many replicas have it, time, and energy used with its assumptions."""
    best = float(result.best_energy.min())
    share = int((result.best_energy <= best + 1e-9 * max(1.0, abs(best))).sum())
    cut = f" (cut {cut_weight(model, best):g})" if "total_weight" in model.attrs else ""
    attrs = result.attrs
    return (
        f"{model.name}, {model.lattice.n_sites} spins, {model.lattice.n_bonds} couplings; "
        f"{attrs['device'].split('(')[0]}, {attrs['schedule'].split('(')[0].lower()}\n"
        f"lowest energy {best:.10g}{cut} in {share} of {result.sizes['replica']} replicas; "
        f"{attrs['anneals']} anneals, {attrs['run_seconds']:.2f} s, stopped by: {attrs['stopped_by']}\n"
        f"energy used by a replica {float(result.energy_used[-1].mean()):.3g} J, {attrs['energy_model']}"
    )
