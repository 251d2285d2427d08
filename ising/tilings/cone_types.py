"""How a ring of sites of {p,q} at equal distance from a centre grows into the next one: a substitution on words.

Going round a ring, sites alternate with gaps; a word is (gap, downs, gap, downs, ..., gap). `downs`, 1 or 2, counts the
neighbours of a site in the ring below. Over every gap stands one unfinished face, and the gap says how many of its
sides are still missing between the two sites; it is negative where the two sites are neighbours themselves, over whose
bond a new face starts with p - 1 sides missing. One ring up,

    a site of `downs` parents, `sames` neighbours in its ring has q - downs - sames children, gaps p - 2 between them;
    over a gap of 3 or more stands a gap of 2 less, between the last child on its left and the first on its right;
    over a gap of 2 these two children are one site, with downs = 2;
    a gap of 1 is a bond inside the ring, and becomes -(p - 1).

The ring round a single site is q times (p - 2, 1). A site's cone, all that grows from it, depends on its downs and two
gaps alone.
"""

from __future__ import annotations

Word = tuple[int, ...]


def gap_over(missing: int, p: int) -> int:
    """The gap with so many sides missing; 1 is a bond inside the ring."""
    return 1 - p if missing == 1 else missing


def n_children(word: Word, site: int, q: int) -> int:
    """Number of neighbours in the next ring of the given site of a word."""
    left, downs, right = word[2 * site : 2 * site + 3]
    return q - downs - (left < 0) - (right < 0)


def around(word: Word, site: int, reach: int) -> Word:
    """The piece of a word from `reach` sites before the given one to `reach` after, with all its gaps."""
    return word[2 * (site - reach) : 2 * (site + reach) + 3]


def next_ring(word: Word, p: int, q: int) -> tuple[Word, list[list[int]]]:
    """The word one ring up, and the parents of each of its sites as places in the given word.

    A child at either end that has a second parent beyond the end of the word is left out.
    """
    n_sites = len(word) // 2
    gaps: list[int] = []
    parents: list[list[int]] = []
    for site in range(n_sites):
        missing = abs(word[2 * site])
        for child in range(n_children(word, site, q)):
            if child == 0 and missing == 2 and site > 0:
                parents[-1].append(site)
            else:
                gaps.append(gap_over(p - 2 if child else missing - 2, p))
                parents.append([site])
    gaps.append(gap_over(abs(word[-1]) - 2, p))
    start, stop = int(gaps[0] == 0), len(parents) - int(gaps[-1] == 0)
    ring = [number for k in range(start, stop) for number in (gaps[k], len(parents[k]))]
    return (*ring, gaps[stop]), parents[start:stop]


def windows(p: int, q: int, reach: int) -> dict[Word, list[Word]]:
    """All pieces of 2 reach + 1 sites that occur in the rings round a site, each with those centred on its children.

    The children are those of the middle site, but for one that it shares with the site on its left. A ring shorter than
    the piece is unrolled.
    """
    followers: dict[Word, list[Word]] = {}
    waiting = [(gap_over(p - 2, p), 1) * (2 * reach + 1) + (gap_over(p - 2, p),)]
    while waiting:
        window = waiting.pop()
        if window not in followers:
            ring, parents = next_ring(window, p, q)
            children = [site for site, its in enumerate(parents) if its[0] == reach]
            followers[window] = [around(ring, site, reach) for site in children]
            waiting += followers[window]
    return followers
