"""A slider over pictures in a notebook, and the first of them wherever no slider can run."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure
from matplotlib.pyplot import close


@dataclass(frozen=True)
class Slider:
    """What `slider` returns; Jupyter shows the slider, everything else the picture.

    Attributes
    ----------
    picture
        PNG at the start.
    box
        The slider with all pictures under it, an `ipywidgets.Widget`; None where ipywidgets is not installed.
    """

    picture: bytes
    box: Any | None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        still = {"image/png": b64encode(self.picture).decode(), "text/plain": "a picture at the start of a slider"}
        return still | (self.box._repr_mimebundle_() if self.box is not None else {})


def slider(
    draw: Callable[[Any], Figure], values: Sequence[Any], label: str = "", start: int = 0, digits: int = 2
) -> Slider:
    """Draw a figure for every value beforehand, and choose among them by a slider.

    The slider needs no running kernel: page and picture are linked in the browser, so that it works in an exported page
    too. Where widgets do not run (a viewer of notebooks, a PDF) the picture of ``values[start]`` stands in its place.

    Parameters
    ----------
    draw
        Value -> Figure, all of one size; each is closed once it is a picture.
    values
        Places of the knob, two or more.
    label
        What the knob turns.
    start
        Index of the value shown first.
    digits
        Of the values beside the knob.

    Returns
    -------
    Slider

    Raises
    ------
    ValueError
        Fewer than two values, or a start that is none of their indices.

    Examples
    --------
    >>> import numpy as np
    >>> def draw(frequency):
    ...     fig = Figure(figsize=(2, 1))
    ...     fig.add_subplot().plot(np.sin(frequency * np.linspace(0, 6)))
    ...     return fig
    >>> len(slider(draw, [1, 2, 3], "frequency").box.children[1].children)
    3
    """
    if len(values) < 2 or not 0 <= start < len(values):
        raise ValueError(
            f"give two or more values and the index of one as start, got {len(values)} and start {start!r}"
        )
    pictures = [_png(draw(value)) for value in values]
    try:
        import ipywidgets
    except ModuleNotFoundError:
        return Slider(pictures[start], None)
    knob = ipywidgets.SelectionSlider(
        options=[(f"{value:.{digits}f}", index) for index, value in enumerate(values)], index=start, description=label
    )
    stack = ipywidgets.Stack([ipywidgets.Image(value=picture) for picture in pictures], selected_index=start)
    ipywidgets.jslink((knob, "index"), (stack, "selected_index"))
    return Slider(pictures[start], ipywidgets.VBox([knob, stack]))


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=80)
    close(figure)
    return file.getvalue()
