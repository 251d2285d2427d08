"""Pictures in the Poincare disk: what is drawn is where it belongs."""

import numpy as np
import pytest
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
        ((PATCH.coordinates, SPINS, [0, 1]), {}, "n_bonds, 2"),
    ],
)
def test_bad_input_is_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        plots.disk(*arguments, ax=axes(), **options)
