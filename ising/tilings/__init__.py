"""Tilings {p,q} of the hyperbolic plane: closed surfaces and what is known of the infinite lattice."""

from .closed import SmallRadiusWarning, available_sizes, closed_hyperbolic
from .growth import sphere_sizes

__all__ = ["SmallRadiusWarning", "available_sizes", "closed_hyperbolic", "sphere_sizes"]
