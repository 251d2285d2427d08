"""Compiled walks over a closed map: distances, balls and automorphisms."""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def fill_distances(neighbors: Array, queue: Array, distance: Array) -> int:
    """Graph distance of every site from site 0, -1 where there is no path; returns the number of sites reached."""
    distance[:] = -1
    distance[0] = queue[0] = 0
    place, reached = 0, 1
    while place < reached:
        site = queue[place]
        place += 1
        for neighbor in neighbors[site]:
            if distance[neighbor] < 0:
                distance[neighbor] = distance[site] + 1
                queue[reached] = neighbor
                reached += 1
    return reached


@njit(cache=True, nogil=True)
def fill_radii(neighbors: Array, spheres: Array, queue: Array, seen: Array, radii: Array) -> None:
    """radii[v]: the largest r at which the spheres of site v up to r have the sizes `spheres`; seen starts below 0."""
    for centre in range(len(radii)):
        seen[centre] = centre
        queue[0] = centre
        first, last, radius = 0, 1, 0
        while True:
            end = last
            for place in range(first, last):
                for neighbor in neighbors[queue[place]]:
                    if seen[neighbor] != centre:
                        seen[neighbor] = centre
                        queue[end] = neighbor
                        end += 1
            if radius + 1 == len(spheres) or end - last != spheres[radius + 1]:
                break
            first, last, radius = last, end, radius + 1
        radii[centre] = radius


@njit(cache=True, nogil=True)
def extends(x: Array, z: Array, queue: Array, target: int, image: Array) -> bool:
    """Whether dart 0 -> target extends to a bijection that commutes with x and z; fills image where it does."""
    image[:] = -1
    image[0], queue[0] = target, 0
    place, reached = 0, 1
    while place < reached:
        dart = queue[place]
        place += 1
        for step in (x, z):
            there, wanted = step[dart], step[image[dart]]
            if image[there] < 0:
                image[there] = wanted
                queue[reached] = there
                reached += 1
            elif image[there] != wanted:
                return False
    return reached == len(image)


@njit(cache=True, nogil=True)
def mark_automorphisms(x: Array, z: Array, queue: Array, image: Array, possible: Array) -> None:
    """possible[d]: whether an automorphism of the map takes dart 0 to dart d."""
    for target in range(len(possible)):
        possible[target] = extends(x, z, queue, target, image)
