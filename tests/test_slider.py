"""The slider of the notebooks: a still picture always, a knob where ipywidgets is."""

import sys
from base64 import b64decode

import pytest
from matplotlib.figure import Figure

from analysis.slider import slider


def draw(value):
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().axhline(value)
    return figure


def test_a_page_shows_the_slider_or_its_start():
    shown = slider(draw, [0.1, 0.2, 0.4], "height", start=1)
    bundle = shown._repr_mimebundle_()
    assert b64decode(bundle["image/png"]) == shown.picture
    assert "application/vnd.jupyter.widget-view+json" in bundle
    knob, stack = shown.box.children
    assert [image.value for image in stack.children][1] == shown.picture
    assert len({image.value for image in stack.children}) == 3
    assert (knob.label, knob.description) == ("0.20", "height")


def test_without_ipywidgets_the_picture_is_all(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = slider(draw, [0.1, 0.2])._repr_mimebundle_()
    assert bundle["image/png"]
    assert set(bundle) == {"image/png", "text/plain"}


@pytest.mark.parametrize(("values", "start"), [([1], 0), ([1, 2], 2), ([1, 2], -1)])
def test_bad_places_are_refused(values, start):
    with pytest.raises(ValueError, match="two or more values"):
        slider(draw, values, start=start)
