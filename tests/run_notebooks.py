"""Executes every notebook from the top (`make notebooks`); stored copies carry no outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
WITH_SLIDER = {"03_hyperbolic": 13, "05_attention_corridor": 9}  # places of the knob
WIDGET, STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_notebook_runs(path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"{path.name} is stored with outputs; clear them"
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert any("image/png" in output.get("data", {}) for output in code[-1].outputs), "it does not end in a picture"
    sliders = [output.data for cell in code for output in cell.outputs if WIDGET in output.get("data", {})]
    knobs = [data for data in sliders if "image/png" in data]
    assert len(knobs) == (path.stem in WITH_SLIDER)
    if knobs:
        check_slider(notebook.metadata.widgets[STATE].state, knobs[0], WITH_SLIDER[path.stem])


def check_slider(state, data, places):
    """The box holds a slider and as many pictures as it has places, linked in the browser; a still picture beside."""
    box = state[data[WIDGET]["model_id"]]
    knob, stack = (state[name.removeprefix("IPY_MODEL_")] for name in box.state.children)
    assert (knob.model_name, stack.model_name) == ("SelectionSliderModel", "StackModel")
    assert len(knob.state._options_labels) == len(stack.state.children) == places
    assert knob.state.index == stack.state.selected_index
    (link,) = (one for one in state.values() if one.model_name == "LinkModel")
    assert [end[1] for end in (link.state.source, link.state.target)] == ["index", "selected_index"]
    pictures = {state[name.removeprefix("IPY_MODEL_")].buffers[0]["data"] for name in stack.state.children}
    assert len(pictures) == places
    still = state[stack.state.children[knob.state.index].removeprefix("IPY_MODEL_")].buffers[0]["data"]
    assert data["image/png"].strip() == still.strip()


def test_the_notebooks_are_one_course():
    """Each says what it teaches and what it needs, and leads to the one before and the one after."""
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(1, 8)]
    for number, path in enumerate(NOTEBOOKS):
        cells = nbformat.read(path, as_version=4).cells
        assert f"*Part {number + 1} of 7.* Needed: " in cells[0].source
        assert "You will" in cells[0].source
        neighbours = {NOTEBOOKS[k].name for k in (number - 1, number + 1) if 0 <= k < len(NOTEBOOKS)}
        assert set(re.findall(r"\((\w+\.ipynb)\)", cells[0].source)) == neighbours
        assert neighbours & set(re.findall(r"\((\w+\.ipynb)\)", cells[-1].source)) or path is NOTEBOOKS[-1]
