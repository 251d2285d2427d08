"""Pictures in the Poincare disk: spins, domain walls, edges, any number per site, a run as a film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.collections import Collection, EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray

from .arguments import as_flag, as_integer, as_numbers, refuse
from .drawing import check_axes

SPINS = ListedColormap(["#f7e8c8", "#173f5f"], name="spins")  # down, up: told apart by lightness alone
WALL, EDGE, OUTLINE, RIM, GROUND = "#d1495b", "#e8a33d", "#7f8c9a59", "#3a3a3a", "#fbfaf7"
ARC_POINTS = ((0.03, 12), (0.006, 4), (0.0, 1))  # arcs from this extent on in the picture are drawn in so many pieces


def disk(
    coordinates: ArrayLike,
    values: ArrayLike,
    bonds: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    walls: bool = False,
    edges: bool = False,
    cmap: str | mpl.colors.Colormap | None = None,
    norm: Normalize | None = None,
    label: str | None = None,
) -> Axes:
    """One value per site of a regular hyperbolic lattice, drawn as cells of the dual tiling or as dots.

    Parameters
    ----------
    coordinates
        (n_sites, 2) real points inside the unit disk, ``lattice.coordinates``.
    values
        (n_sites,) finite real numbers: spins +1 and -1 have a map of two colours, anything else (such as the
        correlation with the central site) a continuous one.
    bonds
        (n_bonds, 2) pairs of sites, two of them at least neighbours round a corner of a face. With them a site is the
        cell of the points closest to it, bounded by geodesics; without them a dot that shrinks towards the rim as all
        lengths do.
    ax
        Axes to draw on; a new figure's by default.
    walls, edges
        Draw the domain walls (the sides between cells of unlike values); draw the bonds. Both need `bonds`.
    cmap, norm
        Colour map (``"cividis"`` by default) and scale, such as `matplotlib.colors.LogNorm`.
    label
        Adds a colour bar with this label.

    Raises
    ------
    ValueError
        Shapes that do not fit, numbers that are not real and finite, points outside the disk, bonds that are not those
        of a {p,q}, walls or edges without bonds.
    """
    walls, edges = as_flag("walls", walls), as_flag("edges", edges)
    if not isinstance(cmap, str | mpl.colors.Colormap | None) or (isinstance(cmap, str) and cmap not in mpl.colormaps):
        refuse("cmap", "the name of a colour map, a Colormap or None", cmap)
    for name, value, kind in (("norm", norm, Normalize), ("label", label, str)):
        if not isinstance(value, kind | None):
            refuse(name, f"a {kind.__name__} or None", value)
    points, numbers, pairs = _checked(coordinates, values, bonds, walls or edges)
    ax = _empty_disk(ax)
    if cmap is None and norm is None and np.isin(numbers, (-1, 1)).all():
        cmap, norm = SPINS, Normalize(-1, 1)
    norm = norm or Normalize()
    norm.autoscale_None(numbers)
    if pairs is None:
        painted: list[Collection] = [_dots(ax, points)]
        chosen = [slice(None)]
    else:
        shape = _Shape.of(points, pairs)
        painted, chosen = _paint_cells(ax, shape, points, pairs)
        if edges:
            _draw_arcs(ax, shape.edge, points, pairs, color=EDGE, width=1.0)
        if walls:
            unlike = numbers[pairs[:, 0]] != numbers[pairs[:, 1]]
            _draw_arcs(ax, shape.side, points, pairs[unlike], color=WALL, width=2.2)
    for collection, sites in zip(painted, chosen):
        collection.set(cmap=cmap or "cividis", norm=norm, array=numbers[sites])
    if label is not None:
        ax.figure.colorbar(painted[0], ax=ax, label=label, shrink=0.7)
    return ax


def animate_disk(
    coordinates: ArrayLike,
    frames: ArrayLike,
    bonds: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    interval: int = 100,
    walls: bool = False,
    **style: Any,
) -> FuncAnimation:
    """A film of (n_frames, n_sites) values; in a notebook ``IPython.display.HTML(film.to_jshtml())`` plays it.

    Parameters
    ----------
    coordinates, bonds, ax
        As for `disk`.
    frames
        (n_frames, n_sites) values, such as ``data.configurations`` of one chain.
    interval
        Milliseconds a frame.
    walls
        Draw the domain walls of every frame.
    **style
        `edges`, `cmap`, `norm` and `label` of `disk`.
    """
    walls, interval = as_flag("walls", walls), as_integer("interval", interval, 1)
    values = _real("frames", frames)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"frames must have shape (n_frames, n_sites), got {values.shape}")
    points, _, pairs = _checked(coordinates, values[0], bonds, walls)
    if "norm" not in style and "cmap" not in style and np.isin(values, (-1, 1)).all():
        style.update(cmap=SPINS, norm=Normalize(-1, 1))
    style["norm"] = style.get("norm") or Normalize(values.min(), values.max())
    ax = disk(coordinates, values[0], bonds, ax, **style)
    painted = [artist for artist in ax.collections if artist.get_array() is not None]
    chosen = [slice(None)] if pairs is None else [sites for sites, _ in _by_extent(points)]
    sides = []
    if walls and pairs is not None:
        drawn = _draw_arcs(ax, _Shape.of(points, pairs).side, points, pairs, WALL, 2.2)
        sides = [(lines, pairs[rows].T, widths) for lines, rows, widths in drawn]

    def show(frame: int) -> list[Collection]:
        now = values[frame]
        for collection, sites in zip(painted, chosen):
            collection.set_array(now[sites])
        for lines, (first, second), widths in sides:
            lines.set_linewidth(np.where(now[first] != now[second], widths, 0.0).tolist())
        return list(ax.collections)

    show(0)
    return FuncAnimation(cast(Figure, ax.figure), show, frames=len(values), interval=interval, blit=True)


@dataclass(frozen=True)
class _Shape:
    """What all sites of {p,q} share, seen from a site at the origin with a neighbour on the positive real axis.

    q neighbours; side: the ends of the cell's side across the bond to that neighbour; edge: the ends of the bond.
    """

    q: int
    side: NDArray[np.complex128]
    edge: NDArray[np.complex128]

    @classmethod
    def of(cls, points: NDArray[np.complex128], pairs: NDArray[np.integer]) -> _Shape:
        site = np.lexsort((np.abs(points), -np.bincount(pairs.ravel(), minlength=points.size)))[0]
        neighbors = _seen(points[site], points[pairs[:, ::-1][pairs == site]])
        angles = np.sort(np.angle(neighbors))
        turn = 2 * np.pi / np.diff(angles, append=angles[0] + 2 * np.pi).min()
        q, edge = round(turn), np.abs(neighbors).max()  # tanh(e / 2)
        cosine = np.sin(np.pi / q) / np.sqrt(1 - edge * edge)  # of pi / p
        sides = np.pi / np.arccos(min(cosine, 1 - 1e-12))
        if q < 3 or abs(turn - q) > 1e-4 * q or cosine >= 1 or abs(sides - round(sides)) > 0.01 * sides:
            raise ValueError(
                "bonds must be those of a hyperbolic {p,q}, with two neighbours of a site side by side; without bonds= "
                "the sites are dots"
            )
        corner = edge / np.cos(np.pi / q)  # tanh of the distance to a corner; the side halves the bond at a right angle
        radius = corner / (1 + np.sqrt(1 - corner * corner))
        return cls(q, radius * np.exp(1j * np.pi / q * np.array([-1, 1])), np.array([0, edge]))


def _seen(z: NDArray[np.complex128], w: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """The point w after the translation that takes z to the origin."""
    return (w - z) / (1 - np.conj(z) * w)


def _arc(ends: NDArray[np.complex128], pieces: int) -> NDArray[np.complex128]:
    """(pieces + 1,) points in equal steps on the geodesic between two ends."""
    across = _seen(ends[0], ends[1])
    steps = np.tanh(np.linspace(0, 1, pieces + 1) * np.arctanh(abs(across))) * across / abs(across)
    return _seen(-ends[0], steps)


def _by_extent(points: NDArray[np.complex128]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Sites in groups of like size in the picture, with the number of pieces for their arcs."""
    extent, above = 1 - np.abs(points) ** 2, np.inf
    for least, pieces in ARC_POINTS:
        sites = np.flatnonzero((extent >= least) & (extent < above))
        above = least
        if sites.size:
            yield sites, pieces


def _paint_cells(
    ax: Axes, shape: _Shape, points: NDArray[np.complex128], pairs: NDArray[np.integer]
) -> tuple[list[Collection], list[Any]]:
    partner = np.arange(points.size)
    partner[pairs[::-1].ravel()] = pairs[::-1, ::-1].ravel()
    toward = _seen(points, points[partner])
    toward = np.divide(toward, np.abs(toward), out=np.ones_like(toward), where=toward != 0)
    painted: list[Collection] = []
    chosen: list[Any] = []
    for sites, pieces in _by_extent(points):
        sides = np.exp(2j * np.pi * np.arange(shape.q) / shape.q)[:, None] * _arc(shape.side, pieces)[:-1]
        outline = _seen(-points[sites, None], toward[sites, None] * sides.ravel())
        width = np.clip(0.9 * np.sqrt(1 - np.abs(points[sites]) ** 2), 0.1, None)
        cells = PolyCollection(_plane(outline), linewidths=width, edgecolors=OUTLINE, zorder=2)
        painted.append(ax.add_collection(cells, autolim=False))
        chosen.append(sites)
    return painted, chosen


def _draw_arcs(
    ax: Axes,
    ends: NDArray[np.complex128],
    points: NDArray[np.complex128],
    pairs: NDArray[np.integer],
    color: str,
    width: float,
) -> list[tuple[LineCollection, NDArray[np.int64], NDArray[np.float64]]]:
    """Lines in groups of like size, each with the numbers of its pairs and their widths."""
    drawn = []
    start = points[pairs[:, 0]]
    toward = _seen(start, points[pairs[:, 1]])
    toward /= np.abs(toward)
    for rows, pieces in _by_extent(start):
        arcs = _seen(-start[rows, None], toward[rows, None] * _arc(ends, pieces))
        widths = width * np.sqrt(1 - np.abs(start[rows]) ** 2)
        lines = LineCollection(_plane(arcs), linewidths=widths, colors=color, capstyle="round", zorder=3)
        ax.add_collection(lines, autolim=False)
        drawn.append((lines, rows, widths))
    return drawn


def _dots(ax: Axes, points: NDArray[np.complex128]) -> Collection:
    apart = np.abs(_seen(points[0], points[1:])).min()  # tanh of half the distance of neighbours
    width = 0.8 * apart * (1 - np.abs(points) ** 2)
    offsets = _plane(points)
    rims: dict[str, Any] = {"edgecolors": RIM, "linewidths": 0.6 * (1 - np.abs(points) ** 2)}
    dots = EllipseCollection(width, width, np.zeros(points.size), units="xy", offsets=offsets, zorder=2, **rims)
    dots.set_offset_transform(ax.transData)
    ax.add_collection(dots, autolim=False)
    return dots


def _plane(points: NDArray[np.complex128]) -> Any:  # an array (..., 2); the stubs of matplotlib ask for sequences
    return np.stack([points.real, points.imag], axis=-1)


def _empty_disk(ax: Axes | None) -> Axes:
    check_axes(ax)
    ax = plt.subplots(figsize=(6.0, 6.0), layout="constrained")[1] if ax is None else ax
    ax.add_patch(Circle((0, 0), 1, facecolor=GROUND, edgecolor=RIM, linewidth=1.2, zorder=1))
    ax.set(xlim=(-1.01, 1.01), ylim=(-1.01, 1.01), aspect="equal")
    ax.set_axis_off()
    return ax


def _checked(
    coordinates: ArrayLike, values: ArrayLike, bonds: ArrayLike | None, lines: bool
) -> tuple[NDArray[np.complex128], NDArray[np.float64], NDArray[np.integer] | None]:
    plane, numbers = _real("coordinates", coordinates), _real("values", values)
    if plane.ndim != 2 or plane.shape[1] != 2 or len(plane) < 2 or numbers.shape != (len(plane),):
        raise ValueError(f"coordinates (n_sites, 2) and values (n_sites,) needed, got {plane.shape}, {numbers.shape}")
    points = plane[:, 0] + 1j * plane[:, 1]
    if len(np.unique(points)) < len(points):
        raise ValueError("coordinates must differ from site to site, got a point twice")
    if not (np.abs(points) < 1).all():
        raise ValueError(f"coordinates must lie inside the unit disk, got |z| up to {np.abs(points).max()}")
    if bonds is None:
        if lines:
            raise ValueError("walls and edges need bonds; pass bonds=lattice.bonds")
        return points, numbers, None
    try:
        pairs = np.asarray(bonds)
    except Exception:  # a foreign object may raise anything
        refuse("bonds", "integers of shape (n_bonds, 2)", bonds)
    if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) == 0:
        raise ValueError(f"bonds must be integers of shape (n_bonds, 2), got {pairs.dtype} of shape {pairs.shape}")
    if pairs.min() < 0 or pairs.max() >= len(points):
        raise ValueError(f"bonds must name sites 0 to {len(points) - 1}, got {pairs.min()} to {pairs.max()}")
    return points, numbers, pairs


def _real(name: str, given: ArrayLike) -> NDArray[Any]:
    if isinstance(given, np.ndarray) and given.dtype.kind == "b" and not isinstance(given, np.ma.MaskedArray):
        return given
    return as_numbers(name, given)
