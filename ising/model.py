"""The Ising model in plain numpy: the readable definition that every kernel is tested against."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import as_choice, as_kind, as_number, as_numbers, as_spins
from .flat import complete
from .integers import as_integer
from .lattice import Lattice, as_lattice, from_bonds
from .streams import Purpose, check_seed, generator


@dataclass(frozen=True, eq=False)
class IsingModel:
    """H = -sum_<ij> J_ij s_i s_j - sum_i h_i s_i with s = +-1 and k_B = 1.

    Parameters
    ----------
    lattice
        The graph.
    couplings
        Scalar J, or (n_bonds,) in the order of ``lattice.bonds``; positive is ferromagnetic. Equal entries become a
        scalar; equal magnitudes take the fast bimodal path whatever their dtype.
    fields
        Scalar h, or (n_sites,).
    name
        Goes into the attributes of the results.

    Raises
    ------
    ValueError
        A wrong shape, NaN or infinity.
    """

    lattice: Lattice
    couplings: Any = 1.0
    fields: Any = 0.0
    name: str = "ising"
    attrs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        as_lattice(self.lattice)
        as_kind("name", self.name, str, "'ising'")
        object.__setattr__(self, "couplings", _per_item(self.couplings, "couplings", lambda: self.lattice.n_bonds))
        object.__setattr__(self, "fields", _per_item(self.fields, "fields", lambda: self.lattice.n_sites))

    def energy(self, spins: ArrayLike) -> NDArray[np.float64]:
        """Total energy of configurations.

        Parameters
        ----------
        spins
            +-1, shape (..., n_sites).

        Returns
        -------
        (...) float64, in units of J.

        Raises
        ------
        ValueError
            A wrong number of sites or entries other than +-1.

        Examples
        --------
        >>> import ising
        >>> float(ising.ferromagnet(ising.square(4)).energy(np.ones(16)))
        -32.0
        """
        s = as_spins("spins", spins)
        if s.shape[-1:] != (self.lattice.n_sites,):
            raise ValueError(f"spins must have shape (..., {self.lattice.n_sites}), got {s.shape}")
        a, b = self.lattice.bonds.T
        bond_part = (self.couplings * s[..., a] * s[..., b]).sum(axis=-1)
        return -bond_part - (self.fields * s).sum(axis=-1)

    @cached_property
    def coupling_magnitude(self) -> float | None:
        """|J| if all couplings share it (the bimodal fast path), else None."""
        magnitude = np.unique(np.abs(self.couplings))
        return float(magnitude[0]) if magnitude.size == 1 else None

    @property
    def disordered(self) -> bool:
        """Whether the couplings differ from bond to bond, or were drawn at random: overlaps are then measured."""
        return isinstance(self.couplings, np.ndarray) or "coupling_seed" in self.attrs

    @property
    def has_field(self) -> bool:
        """Whether any h_i differs from zero."""
        return bool(np.any(self.fields))


def _per_item(values: ArrayLike, name: str, count: Any) -> float | NDArray[np.float64]:
    array = as_numbers(name, values, empty=True)
    if array.ndim == 0:
        return float(array)
    if array.shape != (count(),):
        raise ValueError(f"{name} must be a scalar or have shape ({count()},), got {array.shape}")
    if array.size and (array == array[0]).all():
        return float(array[0])
    array = array.copy()
    array.setflags(write=False)
    return array


def ferromagnet(lattice: Lattice, J: float = 1.0, h: float = 0.0) -> IsingModel:
    """Uniform coupling J and field h (J < 0 is the antiferromagnet)."""
    J, h = as_number("J", J), as_number("h", h)
    return IsingModel(lattice, J, h, name="ferromagnet" if J >= 0 else "antiferromagnet", attrs={"J": J, "h": h})


def edwards_anderson(
    lattice: Lattice, seed: int, distribution: Literal["bimodal", "gaussian"] = "bimodal", disorder: int = 1
) -> Any:
    """Edwards-Anderson spin glass: independent couplings +-1 or N(0, 1) on every bond.

    Parameters
    ----------
    lattice
        The graph.
    seed
        Realisation i is the same whatever `disorder`.
    distribution
        ``"bimodal"`` or ``"gaussian"``.
    disorder
        Number of realisations: 1 gives one `IsingModel`, more a tuple of them, which `sample` takes as it is.

    Raises
    ------
    ValueError
        An unknown distribution, or disorder < 1.
    """
    as_choice("distribution", distribution, ("bimodal", "gaussian"))
    as_lattice(lattice)
    seed = check_seed(seed)
    disorder = as_integer("disorder", disorder, 1)

    models = tuple(realisation(lattice, seed, distribution, index) for index in range(disorder))
    return models[0] if disorder == 1 else models


def realisation(lattice: Lattice, seed: int, distribution: str, index: int) -> IsingModel:
    """Number `index` of the Edwards-Anderson realisations of a seed."""
    rng = generator(seed, Purpose.COUPLINGS, index)
    size = lattice.n_bonds
    couplings = rng.choice([-1.0, 1.0], size) if distribution == "bimodal" else rng.standard_normal(size)
    attrs = {"coupling_seed": seed, "distribution": distribution, "realisation": index}
    return IsingModel(lattice, couplings, name="edwards_anderson", attrs=attrs)


def sherrington_kirkpatrick(n: int, seed: int) -> IsingModel:
    """Sherrington-Kirkpatrick glass: complete graph, J_ij ~ N(0, 1/n)."""
    lattice = complete(n)
    couplings = generator(seed, Purpose.COUPLINGS, 0).standard_normal(lattice.n_bonds) / np.sqrt(n)
    return IsingModel(lattice, couplings, name="sherrington_kirkpatrick", attrs={"coupling_seed": seed})


def hopfield(patterns: ArrayLike) -> IsingModel:
    """Hopfield memory: J_ij = (1/n) sum_mu xi_i^mu xi_j^mu, zero diagonal.

    Parameters
    ----------
    patterns
        +-1, shape (n_patterns, n_sites).
    """
    xi = as_spins("patterns", patterns)
    if xi.ndim != 2:
        raise ValueError(f"patterns must be +-1 of shape (n_patterns, n_sites), got shape {xi.shape}")
    lattice = complete(xi.shape[1])
    couplings = (xi.T @ xi / xi.shape[1])[tuple(lattice.bonds.T)]
    return IsingModel(lattice, couplings, name="hopfield", attrs={"n_patterns": len(xi)})


def from_matrix(couplings: ArrayLike, fields: ArrayLike = 0.0) -> IsingModel:
    """Model of a symmetric coupling matrix; its nonzero entries are the bonds.

    Parameters
    ----------
    couplings
        (n, n), symmetric, finite, zero diagonal.
    fields
        Scalar or (n,).

    Raises
    ------
    ValueError
        Not square, not finite, asymmetric, or a nonzero diagonal.
    """
    J = as_numbers("couplings", couplings)
    if J.ndim != 2 or J.shape[0] != J.shape[1]:
        raise ValueError(f"couplings must be a square matrix, got shape {J.shape}")
    if not np.array_equal(J, J.T):
        raise ValueError("the coupling matrix must be symmetric; use (J + J.T) / 2 if that is what you mean")
    if np.diagonal(J).any():
        raise ValueError("the diagonal of the coupling matrix must be zero (s_i^2 = 1 is a constant)")
    bonds = np.argwhere(np.triu(J)).astype(np.int32)
    return IsingModel(from_bonds(len(J), bonds, name="matrix"), J[tuple(bonds.T)], fields, name="from_matrix")
