"""The known closed {p,q} maps: relator table, PSL(2,l) and PGL(2,l), and double covers; search by size and name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from .darts import Quotient
from .lifts import MAX_LIFT_GENUS, MAX_LIFT_SITES, lift, tower
from .projective import projective
from .relators import tabulated
from .surface import injectivity_radius

MAX_SITES = 1_000_000


def quotients(p: int, q: int, max_order: int) -> Iterator[Quotient]:
    """The known regular maps of at most `max_order` darts: the relator table first, then the families by prime."""
    for source in (tabulated, projective):
        yield from source(p, q, max_order)


@lru_cache(maxsize=32)
def catalog(p: int, q: int, n_max: int) -> Mapping[int, tuple[Quotient, ...]]:
    """The known maps of at most `n_max` sites by number of sites, ascending, simple graphs or not.

    The maps of a size stand in this order: relator table, PSL(2,l) and PGL(2,l) by prime and number, lifts from the
    largest base to the smallest. A tower of lifts stands on the best regular map of every size.
    """
    maps: dict[int, list[Quotient]] = {}
    for quotient in quotients(p, q, n_max * q):
        maps.setdefault(quotient.n_sites, []).append(quotient)
    for size in sorted(maps, reverse=True):
        if 2 * size <= n_max:
            for cover in tower(best(maps[size]), n_max * q):
                maps.setdefault(cover.n_sites, []).append(cover)
    return {size: tuple(maps[size]) for size in sorted(maps)}


def best(maps: Iterable[Quotient]) -> Quotient:
    """The first of the maps of largest injectivity radius."""
    several = tuple(maps)
    return several[0] if len(several) == 1 else max(several, key=injectivity_radius)


def simple_sizes(maps: Mapping[int, tuple[Quotient, ...]], sizes: Iterable[int]) -> Iterator[int]:
    """Those of the sizes at which a map is a simple graph."""
    return (size for size in sizes if any(is_simple(quotient) for quotient in maps[size]))


def is_simple(quotient: Quotient) -> bool:
    """Whether the ball of radius 1 round every site is full; a lift of a simple map needs no search to know."""
    return (quotient.base is not None and is_simple(quotient.base)) or injectivity_radius(quotient) >= 1


def find_size(p: int, q: int, n_sites: int) -> Quotient:
    """The map of largest injectivity radius of a size; a size without one is a ValueError with the nearest sizes."""
    if maps := catalog(p, q, n_sites).get(n_sites):
        return best(maps)
    raise ValueError(f"no closed {{{p},{q}}} map with n_sites={n_sites} is known; {nearest_sizes(p, q, n_sites)}")


def find_name(p: int, q: int, surface: str) -> Quotient:
    """The map of a name, such as ``"klein"``, ``"PSL(2,13) #2"`` or ``"klein x4"``."""
    if not isinstance(surface, str):
        raise ValueError(f"surface must be a name such as 'klein' or 'PSL(2,13) #2', got {surface!r}")
    covered = re.fullmatch(r"(.*\S) x(\d+)", surface, re.IGNORECASE)
    if covered:
        base, factor = find_name(p, q, covered[1]), int(covered[2])
        known = {cover.order // base.order: cover for cover in tower(base, MAX_SITES * q)}
        if factor not in known:
            raise ValueError(
                f"no lift x{factor} of the {{{p},{q}}} map {base.surface!r}; its lifts, of at most {MAX_LIFT_SITES} "
                f"sites and genus {MAX_LIFT_GENUS}: {', '.join(f'x{number}' for number in known) or 'none'}"
            )
        return lift(base, factor)
    for quotient in quotients(p, q, MAX_SITES * q):
        if quotient.called(surface):
            return quotient
    raise ValueError(f"no surface {surface!r} of {{{p},{q}}} is known; {_other_names(p, q, surface)}")


def _other_names(p: int, q: int, surface: str) -> str:
    """What to ask for instead of an unknown surface, for error messages."""
    field = re.match(r"P([SG])L\(2,(\d{1,9})\)", surface, re.IGNORECASE)
    if field:
        prime = int(field[2])
        n_sites = prime * (prime**2 - 1) // (q if field[1] in "Gg" else 2 * q)
        if n_sites > MAX_SITES:
            return f"{field[0]} would have {n_sites} sites, more than the limit of {MAX_SITES}"
    maps = list(quotients(p, q, MAX_SITES * q))
    if not maps:
        return _none_small(p, q)
    names = [name for quotient in maps for name in (quotient.surface, quotient.alias) if name]
    close = [name for name in names if name.lower().startswith(surface.lower())]
    close = close or difflib.get_close_matches(surface, names)
    if close:
        return f"did you mean {' or '.join(map(repr, close[:3]))}?"
    several = ", ".join(quotient.surface for quotient in maps[:20])
    return f"take one of {several}, ... or a lift such as '{names[0]} x2'"


def nearest_sizes(p: int, q: int, n_sites: int) -> str:
    """The available sizes next below and above, for error messages."""
    maps = catalog(p, q, min(10 * (n_sites + 1_000), MAX_SITES))
    below = next(simple_sizes(maps, (size for size in sorted(maps, reverse=True) if size < n_sites)), None)
    above = next(simple_sizes(maps, (size for size in maps if size > n_sites)), None)
    known = " and ".join(str(size) for size in (below, above) if size is not None)
    return f"the nearest available sizes: {known}" if known else _none_small(p, q)


def _none_small(p: int, q: int) -> str:
    smallest = next((quotient.n_sites for quotient in quotients(p, q, MAX_SITES * q)), None)
    if smallest is None:
        return f"no closed {{{p},{q}}} map of at most {MAX_SITES} sites is known"
    return f"the smallest available size: {smallest}"
