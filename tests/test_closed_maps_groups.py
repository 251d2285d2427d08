"""The groups behind regular closed maps: which matrices generate PSL(2,l) or PGL(2,l), relators, symmetries."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from ising import square
from ising.spectrum import adjacency_matrix
from ising.tilings import automorphisms, closed_hyperbolic, projective, relators
from ising.tilings.closed import map_lattice
from ising.tilings.darts import Darts, Quotient
from ising.tilings.projective import generates, generators, trace_ratios
from ising.tilings.relators import enumerate_relators
from ising.tilings.small_genus import TABLE
from ising.tilings.surface import closed_map

PAIRS = [(3, 7), (3, 8), (4, 5), (4, 6), (5, 5), (6, 6), (8, 8), (5, 6), (7, 7), (4, 12), (10, 3), (6, 14)]


def scaled(matrix, prime):
    """A matrix of PGL(2,l) as a tuple whose first nonzero entry is 1."""
    entries = [int(entry) % prime for row in matrix for entry in row]
    inverse = pow(next(entry for entry in entries if entry), -1, prime)
    return tuple(entry * inverse % prime for entry in entries)


def generated(prime, x, y):
    """All elements of the group that x and y generate, by multiplication alone."""
    found, new = {(1, 0, 0, 1)}, [(1, 0, 0, 1)]
    while new:
        a, b, c, d = new.pop()
        for (e, f), (g, h) in (x.tolist(), y.tolist()):
            product_ = scaled([[a * e + b * g, a * f + b * h], [c * e + d * g, c * f + d * h]], prime)
            if product_ not in found:
                found.add(product_)
                new.append(product_)
    return found


@pytest.mark.parametrize("prime", [3, 5, 7, 11, 13, 17])
def test_which_matrices_generate_the_whole_group(prime):
    whole, parts = 0, set()
    for p, q in PAIRS:
        for u_p, u_q in product(trace_ratios(p, prime), trace_ratios(q, prime)):
            special = all(pow(u, (prime - 1) // 2, prime) == 1 for u in (u_p, u_q))
            order = prime * (prime**2 - 1) // (2 if special else 1)
            size = len(generated(prime, *generators(prime, u_p, u_q)))
            assert (size == order) == generates(p, q, u_p, u_q, prime)
            whole += size == order
            if size != order:
                parts.add(size)
    assert whole == 0 if prime == 3 else whole > 0
    if prime == 11:
        assert parts == {60}  # A5 from {5,5}
    if prime == 17:
        assert min(parts) < 17 * 16  # affine groups from {8,8}


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_quick_radius_is_that_of_the_whole_map(p, q):
    for quotient in projective.projective(p, q, 13_000):
        assert quotient.quick_radius() == closed_map(quotient).radius, quotient.surface


def all_generators(prime, u_p, u_q):
    """Every solution of the equations that `projective.generators` takes the first solution of."""
    d = u_p * pow(u_q, -1, prime) % prime
    for c, a in np.ndindex(prime, prime):
        y = np.array([[a, 1 + d * c], [c, 1 - a]]) % prime
        if (u_p * (y[0, 0] * y[1, 1] - y[0, 1] * y[1, 0]) - 1) % prime == 0:
            yield np.array([[0, prime - d], [1, 0]], dtype=np.int32), y.astype(np.int32)


@pytest.mark.parametrize(("p", "q", "prime", "surfaces"), [(3, 7, 13, 3), (5, 4, 11, 2)])
def test_surfaces_differ_by_the_trace_ratios_only(p, q, prime, surfaces, monkeypatch):
    spectra = set()
    for u_p, u_q in product(*(projective.trace_ratios(n, prime) for n in (p, q))):
        solutions = list(all_generators(prime, u_p, u_q))
        assert len(solutions) >= 10
        for solution in solutions:
            monkeypatch.setattr(projective, "generators", lambda *_, solution=solution: solution)
            darts = projective.enumerate_projective(prime, u_p, u_q)
            quotient = Quotient(p, q, str(solution), darts.x.size, lambda darts=darts: darts)
            spectra.add(tuple(np.linalg.eigvalsh(adjacency_matrix(map_lattice(quotient)).toarray()).round(6)))
    assert len(spectra) == surfaces


def damaged(p, q, darts):
    return Quotient(p, q, "damaged", darts.x.size, lambda: darts)


def test_a_broken_map_is_refused_by_the_check_that_fails():
    klein = enumerate_relators(3, 7, ("yxzyxzYzYZxz",))
    twice = (np.r_[part, part + part.size].astype(np.int32) for part in (klein.x, klein.y, klein.z))
    torus = enumerate_relators(4, 4, ("yZyZyZ",))
    for p, q, darts, what in [
        (3, 7, Darts(klein.x, klein.y, klein.y), "vertices of degree 7"),
        (3, 7, Darts(klein.y, klein.y, klein.z), "edges of two darts"),
        (3, 7, Darts(klein.x, klein.z, klein.z), "faces of 3 sides"),
        (3, 7, Darts(*twice), "connected"),
        (4, 4, torus, "Euler characteristic"),
    ]:
        with pytest.raises(ValueError, match=what):
            closed_map(damaged(p, q, darts))


def test_an_infinite_group_ends_the_enumeration(monkeypatch):
    monkeypatch.setattr(relators, "MAX_COSETS", 1_000)
    with pytest.raises(ValueError, match="passed 1000 cosets"):
        enumerate_relators(3, 7, ())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.name} ({row.p},{row.q})")
def test_the_relators_give_groups_of_the_tabulated_order_and_genus(row):
    darts = enumerate_relators(row.p, row.q, row.relators)
    assert darts.x.size == row.order
    closed = closed_map.__wrapped__(Quotient(row.p, row.q, row.name, row.order, lambda: darts))
    name = row.alias or row.name
    assert closed.genus == int(name[1:].split(".")[0])


@pytest.mark.parametrize(
    ("p", "q", "surface"), [(3, 7, "klein"), (5, 4, "PGL(2,11) #1"), (3, 7, "T17.1"), (4, 5, "bring x4")]
)
def test_automorphisms_take_bonds_to_bonds(p, q, surface):
    lattice = closed_hyperbolic(p, q, surface=surface)
    matrix = adjacency_matrix(lattice).toarray()
    images = automorphisms(lattice, 40, seed=1)
    for image in images:
        assert np.array_equal(np.sort(image), np.arange(lattice.n_sites))
        assert np.array_equal(matrix[np.ix_(image, image)], matrix)
    assert len({tuple(image) for image in images}) > 1
    shuffled = np.random.default_rng(0).permutation(lattice.n_sites)  # control
    assert not np.array_equal(matrix[np.ix_(shuffled, shuffled)], matrix)
    assert np.array_equal(images, automorphisms(lattice, 40, seed=1))


def test_automorphisms_are_uniform():
    lattice = closed_hyperbolic(3, 7, surface="klein")
    images = automorphisms(lattice, 16_800, seed=2)
    group, counts = np.unique(images, axis=0, return_counts=True)
    assert len(group) == 168  # the simple group of order 168
    assert chisquare(counts).pvalue > 1e-4
    squares = {tuple(g[g]) for g in group}
    assert squares <= {tuple(g) for g in group}


def test_automorphisms_of_a_lift_exchange_its_sheets():
    lattice = closed_hyperbolic(3, 7, surface="klein x2")
    images = {tuple(image) for image in automorphisms(lattice, 400, seed=0)}
    assert tuple((np.arange(48) + 24) % 48) in images


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((square(4), 1), "closed_hyperbolic"), (("klein", 0), "count"), (("klein", 1, -1), "seed")],
)
def test_automorphisms_refuse(arguments, message):
    lattice = closed_hyperbolic(3, 7, surface="klein") if arguments[0] == "klein" else arguments[0]
    with pytest.raises(ValueError, match=message):
        automorphisms(lattice, *arguments[1:])
