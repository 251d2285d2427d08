"""Hyperbolic lattices {p,q}, faces of p sides and q neighbours at every site: closed surfaces without a boundary."""

from __future__ import annotations

import warnings
from itertools import accumulate, islice
from types import MappingProxyType

from ..arguments import as_flag
from ..integers import as_integer
from ..lattice import Lattice
from .catalog import MAX_SITES, catalog, find_name, find_size, nearest_sizes, quotients, simple_sizes
from .darts import Quotient
from .growth import check_hyperbolic, sphere_sizes
from .surface import closed_map, injectivity_radius

RADIUS_RULE_FROM = 1_000  # sites; smaller maps are admitted whatever their injectivity radius


class SmallRadiusWarning(UserWarning):
    """A closed map looks like the infinite lattice only up to a distance that is small for its size."""


def closed_hyperbolic(
    p: int, q: int, n_sites: int | None = None, surface: str | None = None, *, allow_small_radius: bool = False
) -> Lattice:
    """The closed hyperbolic lattice {p,q}: the vertices of a map on a surface of genus g >= 2.

    V - E + F = 2 - 2g. Among the known maps of exactly `n_sites` sites the one with the largest injectivity radius is
    taken; a tie goes to the first in this order: relator table; PSL(2,l) and PGL(2,l) by prime l and number; towers of
    double covers ("lifts"), from the largest base to the smallest. A tower stands on the best regular map of each size;
    it ends at 10,000 sites or genus 2,000, because the time of the search for the best cover grows with its cube.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site: any with (p-2)(q-2) > 4. A prime l gives maps where both p and q divide
        l - 1 or l + 1 or equal l; small genus is in the relator table for {3,7}, {3,8}, {4,5}, {4,6}, {5,5}, {6,6},
        {8,8} and their duals {q,p}.
    n_sites
        Number of sites, at most 1,000,000; see `available_sizes` and `map_table`.
    surface
        Instead of `n_sites`: a name in any capitals, such as ``"klein"``, ``"macbeath"``, ``"bolza"``, ``"bring"``,
        ``"T5.3"``, or what ``attrs["surface"]`` of a lattice says, such as ``"PSL(2,13) #2"`` or, for a lift,
        ``"klein x4"``.
    allow_small_radius
        From 1,000 sites on, a map whose injectivity radius is below 2/3 of the best regular map of the same {p,q} with
        no more sites is refused; True admits it with a `SmallRadiusWarning`. Lifts are held to the rule too, but do not
        count as that best map.

    Returns
    -------
    Lattice
        With attrs p, q, genus, injectivity_radius, surface, n_faces, bipartite and, for a regular map, group_order.

    Raises
    ------
    ValueError
        An impossible {p,q}, a size or surface that is not there, a map that is not a simple graph, a small injectivity
        radius.

    Examples
    --------
    >>> lattice = closed_hyperbolic(3, 7, surface="klein")
    >>> lattice.n_sites, lattice.n_bonds, lattice.attrs["genus"]
    (24, 84, 3)
    """
    p, q = check_hyperbolic(p, q)
    allow_small_radius = as_flag("allow_small_radius", allow_small_radius)
    if (n_sites is None) == (surface is None):
        raise ValueError(f"give exactly one of n_sites and surface, got n_sites={n_sites!r}, surface={surface!r}")
    quotient = find_name(p, q, surface) if surface is not None else find_size(p, q, _checked_size(n_sites))
    closed = closed_map(quotient)
    if not closed.simple:
        raise ValueError(
            f"the {{{p},{q}}} map {quotient.surface!r} of {quotient.n_sites} sites is not a simple graph (it has loops "
            f"or double bonds); {nearest_sizes(p, q, quotient.n_sites)}"
        )
    if message := radius_objection(quotient):
        if not allow_small_radius:
            raise ValueError(f"{message}; take that one, or pass allow_small_radius=True")
        warnings.warn(message, SmallRadiusWarning, stacklevel=2)
    return map_lattice(quotient)


def available_sizes(p: int, q: int, n_max: int = 10_000) -> list[int]:
    """The sizes that ``closed_hyperbolic(p, q, n_sites=...)`` knows as simple graphs, ascending.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site.
    n_max
        Largest number of sites listed; maps that need ``allow_small_radius=True`` are among them.

    Examples
    --------
    >>> available_sizes(7, 3, 300)
    [56, 112, 168, 224]
    """
    p, q = check_hyperbolic(p, q)
    maps = catalog(p, q, _checked_size(n_max, "n_max"))
    return list(simple_sizes(maps, maps))


def map_lattice(quotient: Quotient) -> Lattice:
    """The lattice of a known map, whatever its radius."""
    closed = closed_map(quotient)
    attrs = {
        "p": int(quotient.p),
        "q": int(quotient.q),
        "genus": closed.genus,
        "injectivity_radius": closed.radius,
        "surface": quotient.surface,
        "n_faces": closed.n_faces,
        "bipartite": closed.bipartite,
    }
    if quotient.regular:
        attrs["group_order"] = quotient.order
    name = f"closed_hyperbolic({quotient.p},{quotient.q},{quotient.n_sites})"
    names = {name: attrs[name] for name in ("p", "q", "surface")}
    recipe = ("closed_hyperbolic", names | {"allow_small_radius": True})
    frozen = MappingProxyType(attrs)
    return Lattice(quotient.n_sites, name, "mean_field", lambda: closed.bonds, frozen, recipe=recipe)


def radius_objection(quotient: Quotient) -> str | None:
    """What the rule has against a map whose radius is below 2/3 of the best regular one with no more sites, or None."""
    if quotient.n_sites < RADIUS_RULE_FROM:
        return None
    p, q, radius = quotient.p, quotient.q, injectivity_radius(quotient)
    needed = 3 * radius // 2 + 1  # the smallest integer above 3/2 of the radius
    ball = next(islice(accumulate(sphere_sizes(p, q)), needed, None))
    rivals = [rival for rival in quotients(p, q, quotient.order) if rival.n_sites >= ball]  # it must have room
    best = max(rivals, key=lambda rival: (injectivity_radius(rival), rival.n_sites), default=quotient)
    if injectivity_radius(best) < needed:
        return None
    return (
        f"the {{{p},{q}}} map {quotient.surface!r} of {quotient.n_sites} sites has injectivity radius {radius}, below "
        f"2/3 of the {injectivity_radius(best)} of {best.surface!r} with {best.n_sites} sites"
    )


def _checked_size(value: object, name: str = "n_sites") -> int:
    return as_integer(name, value, 1, MAX_SITES)
