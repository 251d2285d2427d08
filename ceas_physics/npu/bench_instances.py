"""Instances of the benchmark with the energy that counts as their solution, and where that energy comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import ising
from ising import IsingModel

from .ground_states import cylinder, planar_ground_state, torus_ground_state
from .instances import read_gset

TOLERANCE = 1e-7  # of energies that are equal, relative: sampling may round dense couplings to integers
TORUS_EXACT = 10  # largest torus the transfer matrix does in seconds
PUTATIVE, EXACT, PUBLISHED = "putative", "exact", "published"

# Best known cuts of the G-set: reference.csv of AOCoptimizer (Analog Optical Computer, Microsoft Research).
BEST_CUTS = {"G1": 11624, "G2": 11620, "G3": 11622, "G4": 11646, "G5": 11631, "G6": 2178, "G11": 564, "G14": 3064,
             "G22": 13359, "G43": 6660}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Instance:
    """A model to minimise.

    Attributes
    ----------
    name, family, size
        "glass 3D L = 6 #1", "glass 3D", 6.
    model
        The model.
    target
        Total energy that counts as found; None until two methods have agreed on one.
    source
        ``"exact"``, ``"published"`` or ``"putative"``.
    """

    name: str
    family: str
    size: int
    model: IsingModel
    target: float | None
    source: str

    def solved(self, energy: float) -> bool:
        """Whether an energy is at the target or below."""
        if self.target is None:
            raise ValueError(f"{self.name} has no target yet; use agree(instance, energies)")
        return energy <= self.target + TOLERANCE * max(1.0, abs(self.target))


def flat_glass(L: int, seed: int = 1, free: bool = False) -> Instance:
    """Bimodal glass on the square torus (exact up to L = 10) or, `free` in one direction, exact at any size."""
    lattice = cylinder(L, L) if free else ising.square(L)
    model = ising.edwards_anderson(lattice, seed)
    target = planar_ground_state(model).energy if free else None
    if not free and L <= TORUS_EXACT:
        target = torus_ground_state(model).energy
    family = "glass 2D, one free direction" if free else "glass 2D torus"
    return Instance(f"{family}, L = {L} #{seed}", family, L, model, target, PUTATIVE if target is None else EXACT)


def cubic_glass(L: int, seed: int = 1) -> Instance:
    """Bimodal glass on the simple cubic torus."""
    model = ising.edwards_anderson(ising.cubic(L), seed)
    return Instance(f"glass 3D, L = {L} #{seed}", "glass 3D", L, model, None, PUTATIVE)


def mean_field_glass(n_sites: int, seed: int = 1) -> Instance:
    """Gaussian Sherrington-Kirkpatrick glass."""
    model = ising.sherrington_kirkpatrick(n_sites, seed)
    return Instance(f"SK Gaussian, N = {n_sites} #{seed}", "SK Gaussian", n_sites, model, None, PUTATIVE)


def gset(path: str | Path) -> Instance:
    """A G-set file whose name is in `BEST_CUTS`; the target is E = W - 2 cut.

    Raises
    ------
    ValueError
        A file of another name, or a malformed one.
    """
    name = Path(path).stem
    if name not in BEST_CUTS:
        raise ValueError(f"the best cut of {name!r} is not in the table; known are {', '.join(BEST_CUTS)}")
    model = read_gset(path)
    target = float(model.attrs["total_weight"]) - 2.0 * BEST_CUTS[name]
    return Instance(name, "G-set", model.lattice.n_sites, model, target, PUBLISHED)


def gset_folder(folder: str | Path) -> list[Instance]:
    """All files of a folder that are in `BEST_CUTS`, in the order of the table.

    Raises
    ------
    ValueError
        A folder without any of them.
    """
    files = {path.stem: path for path in Path(folder).glob("G*") if path.is_file()}
    found = [gset(files[name]) for name in BEST_CUTS if name in files]
    if not found:
        raise ValueError(f"gset: {folder} holds none of {', '.join(BEST_CUTS)} (with any ending)")
    return found


def agree(instance: Instance, lowest: Iterable[float]) -> Instance:
    """The instance with a putative target: the lowest energy of several methods.

    Two methods at least must have found it for ``"putative"``; a target that only one has found is called
    ``"one method"``. Published cuts and exact energies stay, unless somebody is lower: then that is an error.

    Parameters
    ----------
    instance
        With or without a target.
    lowest
        The lowest energy that each method found.

    Raises
    ------
    ValueError
        An energy below an exact one.
    """
    energies = np.array(list(lowest), dtype=float)
    best = float(energies.min())
    if instance.source == EXACT:
        assert instance.target is not None
        if best < instance.target - TOLERANCE * max(1.0, abs(instance.target)):
            raise ValueError(f"{instance.name}: an energy {best} below the exact ground state {instance.target}")
        return instance
    if instance.target is not None and instance.target <= best:
        return instance
    agreed = int((energies <= best + TOLERANCE * max(1.0, abs(best))).sum())
    return replace(instance, target=best, source=PUTATIVE if agreed > 1 else "one method")
