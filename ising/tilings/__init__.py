"""Tilings {p,q} of the hyperbolic plane: closed surfaces and what is known of the infinite lattice."""

from .closed import SmallRadiusWarning, available_sizes, closed_hyperbolic
from .growth import area_per_site, edge_length, growth_rate, sphere_sizes

__all__ = [
    "SmallRadiusWarning",
    "area_per_site",
    "available_sizes",
    "closed_hyperbolic",
    "edge_length",
    "growth_rate",
    "sphere_sizes",
]
