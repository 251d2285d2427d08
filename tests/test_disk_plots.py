"""Pictures in the Poincare disk: what is drawn is where it belongs."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

import ising
from analysis import plots

PATCH = ising.hyperbolic(7, 3, 6)
SPINS = np.where(PATCH.coordinates[:, 0] > 0.3, 1, -1)


def axes():
    return Figure().subplots()


def cells(ax):
    """Complex corners of every cell, (site, corner), in the order of the sites."""
    drawn = [
        np.array([path.vertices[:-1] for path in c.get_paths()]) for c in ax.collections if type(c) is PolyCollection
    ]
    return [polygons[..., 0] + 1j * polygons[..., 1] for polygons in drawn]


def test_a_cell_holds_its_site_and_no_other():
    ax = plots.disk(PATCH.coordinates, SPINS, PATCH.bonds, axes())
    sites = PATCH.coordinates @ [1, 1j]
    outlines = [outline for group in cells(ax) for outline in group]
    assert len(outlines) == PATCH.n_sites
    inside = np.array([winding(outline, sites) for outline in outlines])  # (cell, site)
    assert (inside.sum(axis=1) == 1).all()
    assert (inside.sum(axis=0) == 1).all()


def winding(outline, points):
    turns = np.angle((np.roll(outline, -1)[:, None] - points) / (outline[:, None] - points)).sum(axis=0)
    return np.abs(turns) > np.pi


def test_walls_are_the_bonds_between_unlike_spins():
    ax = plots.disk(PATCH.coordinates, SPINS, PATCH.bonds, axes(), walls=True)
    unlike = (SPINS[PATCH.bonds[:, 0]] != SPINS[PATCH.bonds[:, 1]]).sum()
    assert sum(len(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection)) == unlike > 0
    ax = plots.disk(PATCH.coordinates, SPINS, PATCH.bonds, axes(), edges=True)
    assert sum(len(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection)) == PATCH.n_bonds


def test_edges_end_at_their_sites():
    ax = plots.disk(PATCH.coordinates, SPINS, PATCH.bonds, axes(), edges=True)
    segments = [s for c in ax.collections if isinstance(c, LineCollection) for s in c.get_segments()]
    ends = np.array([[segment[0], segment[-1]] for segment in segments]) @ [1, 1j]
    sites = PATCH.coordinates @ [1, 1j]
    assert np.abs(ends[..., None] - sites).min(axis=-1).max() < 1e-9


def test_a_film_shows_its_frames():
    frames = np.stack([SPINS, -SPINS, np.ones_like(SPINS)])
    ax = axes()
    film = plots.animate_disk(PATCH.coordinates, frames, PATCH.bonds, ax)
    for frame in range(3):
        film._func(frame)
        shown = np.concatenate([c.get_array() for c in ax.collections if type(c) is PolyCollection])
        assert shown.sum() == frames[frame].sum()
    assert film.to_jshtml().count("data:image/png;base64") == 3  # as a notebook plays it, without an encoder


def test_a_film_moves_its_walls():
    frames = np.stack([SPINS, -SPINS, np.where(PATCH.coordinates[:, 1] > 0, 1, -1), np.ones_like(SPINS)])
    ax = axes()
    film = plots.animate_disk(PATCH.coordinates, frames, PATCH.bonds, ax, walls=True)
    sites = PATCH.coordinates @ [1, 1j]
    for frame, spins in enumerate(frames):
        if frame:
            film._func(frame)  # the first is there from the start
        lines = [c for c in ax.collections if isinstance(c, LineCollection)]
        shown = [s for c in lines for s, width in zip(c.get_segments(), c.get_linewidth(), strict=True) if width > 0]
        unlike = spins[PATCH.bonds[:, 0]] != spins[PATCH.bonds[:, 1]]
        assert len(shown) == unlike.sum()
        if len(shown):  # every wall lies as far from the one site as from the other, and the two are unlike
            middle = np.array([segment[len(segment) // 2] for segment in shown]) @ [1, 1j]
            one, other = np.argsort(ising.disk.distance(middle[:, None], sites), axis=1)[:, :2].T
            assert (spins[one] != spins[other]).all()
    assert not unlike.any()
    still = plots.disk(PATCH.coordinates, frames[2], PATCH.bonds, axes(), walls=True)
    film._func(2)
    assert np.abs(painted(ax) - painted(still)).max() == 0
    film._func(1)
    assert np.abs(painted(ax) - painted(still)).max() > 100  # control


def painted(ax):
    for artist in ax.collections:
        artist.set_animated(False)
    ax.set_position([0, 0, 1, 1])
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).astype(int)


@pytest.mark.parametrize(("p", "q", "layers"), [(5, 4, 1), (7, 3, 1), (4, 5, 1), (3, 7, 1)])
def test_cells_of_a_patch_without_a_complete_site(p, q, layers):
    """The central face, with those that share a side or corner: its cells are those of a larger patch."""
    small = ising.hyperbolic(p, q, layers, "cell", trim=True)
    large = ising.hyperbolic(p, q, 2, "cell")
    drawn = [plots.disk(part.coordinates, part.layer, part.bonds, axes()) for part in (small, large)]
    one, other = (np.concatenate(cells(ax))[:p].ravel() for ax in drawn)
    assert small.degree.max() < q or p == 3
    assert one.size == other.size == p * q * 12
    assert np.abs(one[:, None] - other).min(axis=1).max() < 1e-9


def test_dots_shrink_towards_the_rim():
    ax = plots.disk(PATCH.coordinates, PATCH.layer, ax=axes(), label="layer")
    dots = ax.collections[0]
    assert dots.get_widths()[0] > 4 * dots.get_widths()[-1]
    assert ax.figure.axes[1].get_ylabel() == "layer"


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((PATCH.coordinates, SPINS[:-1]), {}, "n_sites"),
        ((PATCH.coordinates + 1, SPINS), {}, "inside the unit disk"),
        ((PATCH.coordinates, SPINS), {"walls": True}, "need bonds"),
        ((PATCH.coordinates, SPINS, [0, 1]), {}, r"integers of shape \(n_bonds, 2\), got int64 of shape \(2,\)"),
        ((PATCH.coordinates, SPINS, PATCH.bonds + 0.0), {}, r"got float64 of shape \(135, 2\)"),
        ((PATCH.coordinates, SPINS, PATCH.bonds - 1), {}, "name sites 0 to 114, got -1 to 113"),
        ((PATCH.coordinates, SPINS, PATCH.bonds + 1), {}, "name sites 0 to 114, got 1 to 115"),
        ((PATCH.coordinates, SPINS, PATCH.bonds[:1]), {}, "without bonds= the sites are dots"),
        ((PATCH.coordinates / 2, SPINS, PATCH.bonds), {}, "bonds must be those of a hyperbolic"),
        (
            (PATCH.positions.z, SPINS),
            {},
            r"coordinates must be a non-empty array of numbers, got an array of complex128, shape \(115,\)",
        ),
        ((PATCH.coordinates, PATCH.positions.z), {}, "values must be a non-empty array of numbers"),
        ((PATCH.coordinates, SPINS.astype(str)), {}, "values must be a non-empty array of numbers, got an array of <U"),
        (
            (PATCH.coordinates, np.where(SPINS > 0, np.nan, 1)),
            {},
            "values must be finite, got nan",
        ),
    ],
)
def test_bad_input_is_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        plots.disk(*arguments, ax=axes(), **options)


def test_bad_films_are_named():
    for frames, message in ((SPINS, "n_frames, n_sites"), (np.full((2, 115), np.nan), "frames must be finite")):
        with pytest.raises(ValueError, match=message):
            plots.animate_disk(PATCH.coordinates, frames, PATCH.bonds, axes())
    with pytest.raises(ValueError, match="walls and edges need bonds"):
        plots.animate_disk(PATCH.coordinates, SPINS[None], None, axes(), walls=True)
