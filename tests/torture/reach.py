"""What the bad calls reach: every public function, class, method and argument, and every option of every command.

Left out are what takes no argument, classes that only functions make, and claims, which take what `claims.run` made.

``python tests/torture/reach.py`` prints the shares and what is left out.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import _paths
from good_calls import Table

from ceas_physics.cli import make_parser

PACKAGES = ("ising", "analysis", "ceas_physics")
ROOTS = (
    *PACKAGES,
    *(f"ising.{name}" for name in ("exact", "spectrum", "tilings")),
    "analysis.plots",
    *(
        f"ceas_physics.{name}"
        for name in ("attention", "claims", "corridor", "cost", "heads", "knobs", "models", "npu", "search",
                     "texts", "thermostat", "training", "transformer", "transitions")
    ),
)  # fmt: skip
RESULTS = {  # made by functions, not by callers
    "analysis": "Autocorrelation CollapseFit CriticalBeta IsoFlopFit LossFit PowerLaw ScalingFit SharedFit",
    "ceas_physics.attention": "SpecificHeatPeak",
    "ceas_physics.knobs": "Choice Curvature NoiseScale",
    "ceas_physics.models": "LayerPass",
    "ceas_physics.npu": "Couplings TimeToSolution",
    "ceas_physics.npu.dictionary": "EffectiveCouplings",
    "ceas_physics.npu.ground_states": "GroundState",
    "ceas_physics.npu.learning": "Classifier Images",
    "ceas_physics.npu.memory": "Capacity",
    "ceas_physics.search": "Search",
    "ceas_physics.texts": "Source",
    "ceas_physics.thermostat": "Oscillation",
    "ceas_physics.transformer": "Flops HeadObservables Layer",
    "ising.exact": "BulkState",
    "ising.tilings": "MapRow OpenTiling Positions",
    "ising.tilings.disk": "Positions",
}


@dataclass(frozen=True)
class Public:
    """A public function, class or method and the names of its arguments."""

    name: str
    arguments: frozenset[str]


def public() -> dict[int, Public]:
    """All of them by identity: one that has two names is one; modules in ``__all__`` are entered."""
    found: dict[int, Public] = {}
    seen: set[str] = set()

    def enter(module: ModuleType) -> None:
        if module.__name__ in seen:
            return
        seen.add(module.__name__)
        for name in _names(module):
            value = getattr(module, name)
            if isinstance(value, ModuleType):
                enter(value)
            elif callable(value) and _ours(value) and not _is_exception(value):
                _note(f"{module.__name__}.{name}", value, found)

    for root in ROOTS:
        enter(importlib.import_module(root))
    return found


@cache
def reference() -> str:
    """The pages of the API reference."""
    pages = (_paths.HERE.parents[1] / "docs" / "api").glob("*.rst")
    return "".join(page.read_text(encoding="utf-8") for page in pages)


def _names(module: ModuleType) -> list[str]:
    """``__all__``, or what the module defines or the API reference finds there."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and (getattr(value, "__module__", "") == module.__name__ or f"{module.__name__}.{name}\n" in reference())
    ]


def _ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] in PACKAGES


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _note(name: str, value: Any, found: dict[int, Public]) -> None:
    if isinstance(value, type):
        for method, function in vars(value).items():
            plain = function.__func__ if isinstance(function, (classmethod, staticmethod)) else function
            if not method.startswith("_") and inspect.isfunction(plain):
                _note(f"{name}.{method}", plain, found)
    arguments = frozenset(_arguments(value))
    module, _, last = name.rpartition(".")
    if arguments and "look" not in arguments and last not in RESULTS.get(module, "").split():
        found.setdefault(id(value), Public(name, arguments))


def _arguments(value: Callable[..., Any]) -> Iterator[str]:
    for name, parameter in inspect.signature(value).parameters.items():
        if (
            name not in ("self", "cls")
            and not name.startswith("_")
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        ):
            yield name


def resolved(name: str) -> Any:
    """What a call of the table calls, by the first word of its name; None for none of ours."""
    parts = name.split(" ")[0].split(".")
    for start in ("", "ceas_physics."):
        try:
            value: Any = importlib.import_module((start + parts[0]).rstrip(".")) if not start else None
        except ImportError:
            continue
        rest = parts[1:] if not start else parts
        if start:
            value = importlib.import_module("ceas_physics")
        try:
            for part in rest:
                value = _inside(value, part)
        except (AttributeError, ImportError):
            continue
        return getattr(value, "__func__", value)
    return None


def _inside(value: Any, part: str) -> Any:
    if isinstance(value, ModuleType) and not hasattr(value, part):
        return importlib.import_module(f"{value.__name__}.{part}")
    return getattr(value, part)


def options_of_commands() -> dict[str, frozenset[str]]:
    """Command -> its options and positional arguments."""
    (commands,) = (action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {
        name: frozenset(action.dest for action in sub._actions if action.nargs != 0)
        for name, sub in commands.choices.items()
    }


def shares(table: Table) -> str:
    """How much is reached, and what is not."""
    everything, options = public(), options_of_commands()
    totals = len(everything), sum(len(one.arguments) for one in everything.values()), len(options)
    kinds = ("functions, classes and methods", "their arguments", "commands", "their options")
    lines = [
        f"{kind}: {total - len(absent)} of {total}" + "".join(f"\n  left out: {name}" for name in absent)
        for kind, total, absent in zip(kinds, (*totals, sum(map(len, options.values()))), left_out(table))
    ]
    return "\n".join(lines)


def left_out(table: Table) -> tuple[list[str], list[str], list[str], list[str]]:
    """Functions, arguments, commands and options that no call of the table has."""
    everything, reached = public(), {}
    for name, call in table.items():
        if not name.startswith(("ceas ", "file ")):
            reached.setdefault(id(resolved(name)), set()).update(call.arguments)
    functions = [one.name for key, one in everything.items() if key not in reached]
    arguments = [
        f"{one.name}({argument})"
        for key, one in everything.items()
        if key in reached
        for argument in sorted(one.arguments - reached[key])
    ]
    given: dict[str, set[str]] = {}
    for name, call in table.items():
        if name.startswith("ceas "):
            given.setdefault(name.split()[1], set()).update(call.arguments)
    options = options_of_commands()
    commands = [name for name in options if name not in given]
    missing = [f"{name} {one}" for name in options if name in given for one in sorted(options[name] - given[name])]
    return sorted(functions), arguments, commands, missing


def unknown(table: Table) -> list[str]:
    """Calls whose name is that of nothing public."""
    everything = public()
    names = [name for name in table if not name.startswith(("ceas ", "file "))]
    return [name for name in names if id(resolved(name)) not in everything]


def main() -> int:
    from bad_calls import good_table

    table = good_table()
    sys.stdout.write(f"{shares(table)}\n" + "".join(f"named like nothing public: {name}\n" for name in unknown(table)))
    return int(any(left_out(table)))


if __name__ == "__main__":
    sys.exit(main())
