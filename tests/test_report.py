"""The main job in its quick form, once: what is written, and that the same seed gives the same numbers."""

import html.parser

import pytest
import xarray as xr

from ceas_physics import page
from ceas_physics.report import QUICK, report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("parent") / "deep" / "report"
    results = report(out, quick=True, seed=1, progress=False)
    return out, results


class _Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.images, self.links, self.rows = [], [], 0

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "img":
            self.images.append(attributes)
        self.rows += tag == "tr"
        self.links += [value for name, value in attrs if name in ("src", "href")]


def test_page_is_self_contained(folder):
    out, results = folder
    reader = _Reader()
    reader.feed((out / page.PAGE).read_text())
    assert 4 <= len(reader.images) <= 6
    assert all(image["alt"] for image in reader.images)
    assert all(link.startswith("data:") for link in reader.links)
    assert reader.rows >= results.table.sizes["entry"] + len(results.seconds)


def test_every_dataset_and_figure_is_there(folder):
    out, results = folder
    for name in page.FIGURES:
        assert (out / f"{name}.png").stat().st_size > 10_000
    files = sorted(path.name for path in out.glob("*.nc"))
    assert len(files) == len(QUICK.square) + len(QUICK.hyperbolic) + 4
    for name in files:
        with xr.open_dataset(out / name) as data:
            assert data.sizes
    systems = set(results.table.system.values.tolist())
    assert len(systems) == 6
    assert not list(out.parent.glob(".*"))


def test_summary_is_one_screen(folder):
    _, results = folder
    text = page.summary(results)
    assert len(text.splitlines()) <= 24
    assert "beta_c = 0.4" in text


def test_same_seed_same_numbers(folder, tmp_path):
    _, results = folder
    again = report(tmp_path / "again", quick=True, seed=1, progress=False)
    xr.testing.assert_identical(results.table, again.table)
    xr.testing.assert_identical(results.steered, again.steered)
