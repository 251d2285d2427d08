"""Hyperbolic lattices {p,q}, faces of p sides and q neighbours at every site: closed surfaces without a boundary."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice
from numbers import Integral
from types import MappingProxyType

from ..lattice import Lattice
from .darts import Quotient
from .growth import check_hyperbolic, sphere_sizes
from .projective import FAMILIES, projective
from .relators import TABLE, tabulated
from .surface import closed_map, injectivity_radius

RADIUS_RULE_FROM = 1_000  # sites; smaller maps are admitted whatever their injectivity radius
MAX_SITES = 1_000_000


class SmallRadiusWarning(UserWarning):
    """A closed map looks like the infinite lattice only up to a distance that is small for its size."""


def closed_hyperbolic(
    p: int, q: int, n_sites: int | None = None, surface: str | None = None, *, allow_small_radius: bool = False
) -> Lattice:
    """The closed hyperbolic lattice {p,q}: the vertices of a regular map on a surface of genus g >= 2.

    Among the known maps of exactly `n_sites` sites the one with the largest injectivity radius is taken; a tie goes to
    the first in this order: relator table, then PSL(2,l) and PGL(2,l) by prime l and number. V - E + F = 2 - 2g.

    Parameters
    ----------
    p, q
        Sides of a face, neighbours of a site: {3,7}, {7,3}, {4,5}, {5,4}, and others by the name of a surface.
    n_sites
        Number of sites; see `available_sizes`.
    surface
        Instead of `n_sites`: a name, such as ``"klein"``, ``"macbeath"``, ``"bolza"``, ``"bring"``, ``"T5.3"``, or what
        ``attrs["surface"]`` of a lattice says, such as ``"PSL(2,13) #2"``.
    allow_small_radius
        From 1,000 sites on, a map whose injectivity radius is below 2/3 of the best map of the same {p,q} with no more
        sites is refused; True admits it with a `SmallRadiusWarning`.

    Returns
    -------
    Lattice
        With attrs p, q, genus, injectivity_radius, surface, group_order and n_faces.

    Raises
    ------
    ValueError
        An impossible or unsupported {p,q}, a size or surface that is not there, a map that is not a simple graph, a
        small injectivity radius.

    Examples
    --------
    >>> lattice = closed_hyperbolic(3, 7, surface="klein")
    >>> lattice.n_sites, lattice.n_bonds, lattice.attrs["genus"]
    (24, 84, 3)
    """
    check_hyperbolic(p, q)
    if (n_sites is None) == (surface is None):
        raise ValueError(f"give exactly one of n_sites and surface, got n_sites={n_sites!r}, surface={surface!r}")
    quotient = _by_name(p, q, surface) if surface is not None else _by_size(p, q, n_sites)
    closed = closed_map(quotient)
    if not closed.simple:
        raise ValueError(
            f"the {{{p},{q}}} map {quotient.surface!r} of {quotient.n_sites} sites is not a simple graph (it has loops "
            f"or double bonds); {_nearest_sizes(p, q, quotient.n_sites)}"
        )
    _check_radius(quotient, closed.radius, allow_small_radius)
    attrs = {
        "p": int(p),
        "q": int(q),
        "genus": closed.genus,
        "injectivity_radius": closed.radius,
        "surface": quotient.surface,
        "group_order": quotient.order,
        "n_faces": closed.n_faces,
    }
    name = f"closed_hyperbolic({p},{q},{quotient.n_sites})"
    return Lattice(quotient.n_sites, name, "mean_field", lambda: closed.bonds, MappingProxyType(attrs))


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
    >>> available_sizes(5, 4, 2_000)
    [30, 40, 330, 1710]
    """
    check_hyperbolic(p, q)
    return sorted({quotient.n_sites for quotient in quotients(p, q, n_max * q) if injectivity_radius(quotient) >= 1})


# --- The search ------------------------------------------------------------------------------------------------------


def _by_size(p: int, q: int, n_sites: int | None) -> Quotient:
    if not isinstance(n_sites, Integral) or not 1 <= n_sites <= MAX_SITES:
        raise ValueError(f"n_sites must be an integer from 1 to {MAX_SITES}, got {n_sites!r}")
    maps = [quotient for quotient in quotients(p, q, int(n_sites) * q) if quotient.n_sites == n_sites]
    if not maps:
        raise ValueError(f"no closed {{{p},{q}}} map with {n_sites} sites is known; {_nearest_sizes(p, q, n_sites)}")
    return max(maps, key=injectivity_radius)  # the first of equals


def _by_name(p: int, q: int, surface: str) -> Quotient:
    field = re.fullmatch(r"P[SG]L\(2,(\d{1,3})\) #\d+", surface, re.IGNORECASE)
    order = int(field[1]) ** 3 if field else max(row.order for row in TABLE)
    for quotient in quotients(p, q, min(order, MAX_SITES * q)):
        if quotient.called(surface):
            return quotient
    here = [quotient.surface for quotient in quotients(p, q, 3_000)]
    known = f"take one of {', '.join(here)}, ...; " if here else ""
    raise ValueError(f"no surface {surface!r} of {{{p},{q}}} is known; {known}{_supported()}")


def _supported() -> str:
    families = ", ".join(f"{{{p},{q}}}" for p, q in FAMILIES)
    named = ", ".join(f"{row.name!r} {{{row.p},{row.q}}}" for row in TABLE)
    return f"available are {families} by n_sites, and the surfaces {named}, each also with p and q exchanged"


def _nearest_sizes(p: int, q: int, n_sites: int) -> str:
    """The available sizes next below and above, for error messages."""
    sizes = {quotient.n_sites: quotient for quotient in quotients(p, q, min(100 * (n_sites + 100), MAX_SITES) * q)}

    def first(candidates: Iterable[int]) -> int | None:
        return next((size for size in candidates if injectivity_radius(sizes[size]) >= 1), None)

    below = first(size for size in sorted(sizes, reverse=True) if size < n_sites)
    above = first(size for size in sorted(sizes) if size > n_sites)
    known = " and ".join(str(size) for size in (below, above) if size is not None)
    return f"the nearest available sizes: {known}" if known else _supported()


def _check_radius(quotient: Quotient, radius: int, allow: bool) -> None:
    """Refuse a map whose radius is below 2/3 of the best map of the same {p,q} with no more sites."""
    if quotient.n_sites < RADIUS_RULE_FROM:
        return
    p, q = quotient.p, quotient.q
    needed = 3 * radius // 2 + 1  # the smallest integer above 3/2 of the radius
    ball = next(islice(accumulate(sphere_sizes(p, q)), needed, None))
    rivals = [rival for rival in quotients(p, q, quotient.order) if rival.n_sites >= ball]  # it must have room
    best = max(rivals, key=lambda rival: (injectivity_radius(rival), rival.n_sites), default=quotient)
    if injectivity_radius(best) < needed:
        return
    message = (
        f"the {{{p},{q}}} map {quotient.surface!r} of {quotient.n_sites} sites has injectivity radius {radius}, below "
        f"2/3 of the {injectivity_radius(best)} of {best.surface!r} with {best.n_sites} sites"
    )
    if not allow:
        raise ValueError(f"{message}; take that one, or pass allow_small_radius=True")
    warnings.warn(message, SmallRadiusWarning, stacklevel=3)


def quotients(p: int, q: int, max_order: int) -> Iterator[Quotient]:
    """All known quotients of order at most `max_order`: the relator table first, then the families by prime."""
    for source in (tabulated, projective):
        yield from source(p, q, max_order)
