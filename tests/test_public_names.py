"""Every public name is used in a notebook or on a page of the documentation, and stands in the API reference."""

import importlib
import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [
    *("ising", "ising.exact", "ising.tilings", "analysis", "analysis.plots", "ceas_physics", "ceas_physics.claims"),
    *(f"ceas_physics.{name}" for name in ("corridor", "heads", "knobs", "models", "npu", "search")),
    *(f"ceas_physics.{name}" for name in ("thermostat", "training", "transformer")),
]


@cache
def notebooks() -> str:
    """The code of all notebooks."""
    cells = [
        cell for path in (ROOT / "notebooks").glob("*.ipynb") for cell in json.loads(path.read_text("utf-8"))["cells"]
    ]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@cache
def pages() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))


@cache
def reference() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.rst"))


def is_taken(package: str, name: str) -> bool:
    """Whether code takes the name from that package, or a page has it between back quotes."""
    parent, _, module = package.rpartition(".")
    code = notebooks() + pages()
    names = [module, *re.findall(rf"from {re.escape(parent)} import {module} as (\w+)", code)]
    attribute = rf"\b({'|'.join(names)})\.{name}\b"
    imported = rf"from {re.escape(package)} import (\([^)]*|[^(\n]*)\b{name}\b"
    return bool(re.search(f"{attribute}|{imported}", code) or re.search(rf"`{name}`", pages()))


def is_used(package: str, name: str) -> bool:
    """Whether the name is taken from its package, or from another that has the same object."""
    found = getattr(importlib.import_module(package), name, None)
    others = [other for other in PACKAGES if getattr(importlib.import_module(other), name, None) is found]
    return any(is_taken(other, name) for other in others)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_used(package):
    unused = [name for name in importlib.import_module(package).__all__ if not is_used(package, name)]
    assert not unused, f"in no notebook and on no page: {unused}"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_stand_in_the_reference(package):
    missing = [name for name in importlib.import_module(package).__all__ if not re.search(rf"\.{name}\b", reference())]
    assert not missing, f"not in docs/api: {missing}"


def test_an_invented_name_is_not_used():
    assert is_taken("ising", "sample")
    assert not is_taken("ising", "sample_nothing")
    assert not is_taken("ising.exact", "from_matrix")
