"""Tilings {p,q} of the hyperbolic plane: closed surfaces, open patches, what is known of the infinite lattice."""

from ..spectrum import adjacency_norm, edge_expansion_bounds, second_eigenvalue
from . import disk
from .automorphisms import automorphisms
from .closed import SmallRadiusWarning, available_sizes, closed_hyperbolic
from .disk import Positions
from .growth import area_per_site, edge_length, growth_rate, sphere_sizes
from .limit_set import funnel_dimension, funnel_distances, orbital_dimension, tiling_dimension
from .norm import norm_bounds
from .open import OpenTiling, hyperbolic
from .size_table import MapRow, map_table

__all__ = [
    "MapRow",
    "OpenTiling",
    "Positions",
    "SmallRadiusWarning",
    "adjacency_norm",
    "area_per_site",
    "automorphisms",
    "available_sizes",
    "closed_hyperbolic",
    "disk",
    "edge_expansion_bounds",
    "edge_length",
    "funnel_dimension",
    "funnel_distances",
    "growth_rate",
    "hyperbolic",
    "map_table",
    "norm_bounds",
    "orbital_dimension",
    "second_eigenvalue",
    "sphere_sizes",
    "tiling_dimension",
]
