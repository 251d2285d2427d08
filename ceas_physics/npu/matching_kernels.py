"""Compiled: the primal-dual search for a minimum-weight perfect matching, one alternating tree after the other."""

from __future__ import annotations

import numpy as np
from numba import njit

FREE, OUTER, INNER = 0, 1, 2  # labels of outermost nodes: outside the tree, at even and at odd distance from its root
NONE = -1


@njit(cache=True, nogil=True)
def match(weights, f):  # type: ignore[no-untyped-def]
    """Fill mate of a `matching.Forest` f: one alternating tree from every vertex that the greedy start leaves alone."""
    n = len(f.dual)
    _greedy(weights, f)
    for root in range(n):
        if f.mate[root] == NONE:
            f.label[:] = FREE
            f.near[:] = NONE
            f.label[f.top[root]] = OUTER
            _reach_from(weights, f, f.top[root])
            while not _step(weights, f):
                pass


@njit(cache=True, nogil=True)
def _greedy(weights, f):  # type: ignore[no-untyped-def]
    """Feasible duals, half the least weight of each vertex, then raised one by one; tight edges are matched."""
    n = len(f.dual)
    for v in range(n):
        least = np.iinfo(np.int64).max
        for u in range(n):
            if u != v:
                least = min(least, weights[v, u])
        f.dual[v] = least // 2
    for v in range(n):
        least, best = np.iinfo(np.int64).max, NONE
        for u in range(n):
            slack = weights[v, u] - f.dual[v] - f.dual[u]
            if u != v and (slack < least or (slack == least and f.mate[best] != NONE)):
                least, best = slack, u
        f.dual[v] += least
        if f.mate[v] == NONE and f.mate[best] == NONE:
            f.mate[v], f.mate[best] = best, v


@njit(cache=True, nogil=True)
def _reach_from(weights, f, node):  # type: ignore[no-untyped-def]
    """Enter the vertices of a new outer node into `near` of all others, and find their own."""
    for u in range(len(f.dual)):
        if f.top[u] == node:
            _reach_from_vertex(weights, f, u)


@njit(cache=True, nogil=True)
def _reach_from_vertex(weights, f, u):  # type: ignore[no-untyped-def]
    """The same for one vertex, whose own entry is found anew."""
    f.near[u] = NONE
    own = np.iinfo(np.int64).max
    for v in range(len(f.dual)):
        if f.top[v] != f.top[u]:
            slack = weights[u, v] - f.dual[u] - f.dual[v]
            other = f.near[v]
            if other == NONE or f.top[other] == f.top[v] or slack < weights[other, v] - f.dual[other] - f.dual[v]:
                f.near[v] = u
            if f.label[f.top[v]] == OUTER and slack < own:
                own = slack
                f.near[u] = v


@njit(cache=True, nogil=True)
def _step(weights, f):  # type: ignore[no-untyped-def]
    """Change the duals until an edge gets tight or an inner blossom empty, and act on it; True after augmenting."""
    n = len(f.dual)
    delta, v_event, blossom_event = np.iinfo(np.int64).max, NONE, NONE
    for v in range(n):
        u, label = f.near[v], f.label[f.top[v]]
        if u != NONE and label != INNER:
            slack = weights[u, v] - f.dual[u] - f.dual[v]
            if label == OUTER:
                slack //= 2
            if slack < delta:
                delta, v_event = slack, v
    for b in range(n, 2 * n):
        if f.label[b] == INNER and f.width[b] < delta:
            delta, blossom_event = f.width[b], b
    _shift(f, delta)
    if blossom_event != NONE:
        _expand(weights, f, blossom_event)
        return False
    u, v = f.near[v_event], v_event
    node = f.top[v]
    if f.label[node] == OUTER:
        _shrink(weights, f, u, v)
        return False
    if f.mate[f.base[node]] == NONE:
        _augment(f, u, v)
        return True
    f.label[node] = INNER
    f.tree_out[node], f.tree_in[node] = u, v
    outer = f.top[f.mate[f.base[node]]]
    f.label[outer] = OUTER
    _reach_from(weights, f, outer)
    return False


@njit(cache=True, nogil=True)
def _shift(f, delta):  # type: ignore[no-untyped-def]
    """Raise the duals of outer nodes by delta and lower those of inner ones."""
    n = len(f.dual)
    if delta == 0:
        return
    for v in range(n):
        label = f.label[f.top[v]]
        if label != FREE:
            f.dual[v] += delta if label == OUTER else -delta
    for b in range(n, 2 * n):
        if f.label[b] != FREE:
            f.width[b] += delta if f.label[b] == OUTER else -delta


@njit(cache=True, nogil=True)
def _above(f, node):  # type: ignore[no-untyped-def]
    """The edge of the tree from a node towards the root: (vertex in the node, vertex above)."""
    if f.label[node] == OUTER:
        return f.base[node], f.mate[f.base[node]]
    return f.tree_in[node], f.tree_out[node]


@njit(cache=True, nogil=True)
def _meeting(f, a, b):  # type: ignore[no-untyped-def]
    """The lowest node above both outer nodes a and b."""
    node = a
    f.mark[node] = True
    while _above(f, node)[1] != NONE:
        node = f.top[_above(f, node)[1]]
        f.mark[node] = True
    meeting = b
    while not f.mark[meeting]:
        meeting = f.top[_above(f, meeting)[1]]
    f.mark[:] = False
    return meeting


@njit(cache=True, nogil=True)
def _join(f, a, out, into, b):  # type: ignore[no-untyped-def]
    """Let b follow a in a ring by the edge (out, into)."""
    f.after[a], f.before[b] = b, a
    f.link_out[a], f.link_in[a] = out, into


@njit(cache=True, nogil=True)
def _shrink(weights, f, u, v):  # type: ignore[no-untyped-def]
    """Make one outer blossom of the odd cycle that the edge (u, v) between two outer nodes closes."""
    n = len(f.dual)
    meeting = _meeting(f, f.top[u], f.top[v])
    f.unused[-1] -= 1
    blossom = f.unused[f.unused[-1]]
    _join(f, f.top[u], u, v, f.top[v])
    for start, downwards in ((f.top[u], True), (f.top[v], False)):
        node = start
        while node != meeting:
            lower, upper = _above(f, node)
            above = f.top[upper]
            if downwards:
                _join(f, above, upper, lower, node)
            else:
                _join(f, node, lower, upper, above)
            f.parent[node] = blossom
            node = above
    f.parent[meeting] = blossom
    f.base[blossom], f.first[blossom] = f.base[meeting], meeting
    f.parent[blossom], f.width[blossom], f.label[blossom] = NONE, 0, OUTER
    for vertex in range(n):
        node = f.top[vertex]
        if f.parent[node] == blossom:
            f.top[vertex] = blossom
            f.mark[vertex] = f.label[node] == INNER
    for vertex in range(n):
        node = f.top[vertex]
        inside = f.near[vertex] != NONE and f.top[f.near[vertex]] == node
        if f.mark[vertex] or inside:
            _reach_from_vertex(weights, f, vertex)
    f.mark[:] = False
    node = meeting
    while f.label[node] != FREE:
        f.label[node] = FREE
        node = f.after[node]


@njit(cache=True, nogil=True)
def _child_with(f, blossom, vertex):  # type: ignore[no-untyped-def]
    node = vertex
    while f.parent[node] != blossom:
        node = f.parent[node]
    return node


@njit(cache=True, nogil=True)
def _place(f, blossom, child):  # type: ignore[no-untyped-def]
    """How many steps along `after` lead from the first child to this one."""
    node, place = f.first[blossom], 0
    while node != child:
        node = f.after[node]
        place += 1
    return place


@njit(cache=True, nogil=True)
def _rebase(f, node, vertex):  # type: ignore[no-untyped-def]
    """Turn the matching inside a node over, so that `vertex` is the one free for a mate outside."""
    f.stack[0, 0], f.stack[0, 1] = node, vertex
    height = 1
    while height:
        height -= 1
        node, vertex = f.stack[height, 0], f.stack[height, 1]
        f.base[node] = vertex
        if node < len(f.dual):
            continue
        child = _child_with(f, node, vertex)
        f.stack[height, 0], f.stack[height, 1] = child, vertex
        height += 1
        backwards = _place(f, node, child) % 2 == 0
        here = child
        while here != f.first[node]:
            # the pair that was matched gives way to the next one on the way to the old first child
            one = f.before[f.before[here]] if backwards else f.after[here]
            two = f.after[one]
            out, into = f.link_out[one], f.link_in[one]
            f.mate[out], f.mate[into] = into, out
            f.stack[height, 0], f.stack[height, 1] = one, out
            f.stack[height + 1, 0], f.stack[height + 1, 1] = two, into
            height += 2
            here = one if backwards else two
        f.first[node] = child


@njit(cache=True, nogil=True)
def _augment(f, u, v):  # type: ignore[no-untyped-def]
    """Match the outer vertex u with v, which lies in a free node without a mate, and swap all edges up to the root."""
    _rebase(f, f.top[v], v)
    while True:
        node = f.top[u]
        old = f.mate[f.base[node]]
        _rebase(f, node, u)
        f.mate[u], f.mate[v] = v, u
        if old == NONE:
            return
        inner = f.top[old]
        u, v = f.tree_out[inner], f.tree_in[inner]
        _rebase(f, inner, v)


@njit(cache=True, nogil=True)
def _expand(weights, f, blossom):  # type: ignore[no-untyped-def]
    """Open an inner blossom of width 0: its children on the even way from the tree edge to the base stay."""
    node = f.first[blossom]
    while f.parent[node] == blossom:
        f.parent[node] = NONE
        node = f.after[node]
    for vertex in range(len(f.dual)):
        if f.top[vertex] == blossom:
            node = vertex
            while f.parent[node] != NONE:
                node = f.parent[node]
            f.top[vertex] = node
    f.label[blossom] = FREE
    u, v = f.tree_out[blossom], f.tree_in[blossom]
    node = f.top[v]
    backwards = _place(f, blossom, node) % 2 == 0
    f.label[node], f.tree_out[node], f.tree_in[node] = INNER, u, v
    while node != f.first[blossom]:
        outer = f.before[node] if backwards else f.after[node]
        inner = f.before[outer] if backwards else f.after[outer]
        f.label[outer] = OUTER
        f.label[inner] = INNER
        f.tree_out[inner] = f.link_in[inner] if backwards else f.link_out[outer]
        f.tree_in[inner] = f.link_out[inner] if backwards else f.link_in[outer]
        _reach_from(weights, f, outer)
        node = inner
    f.unused[f.unused[-1]] = blossom
    f.unused[-1] += 1
