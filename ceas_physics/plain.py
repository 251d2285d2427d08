"""Frozen dataclasses from their JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def made(kind: Any, values: Any, parts: Mapping[str, Any] | None = None) -> Any:
    """``kind(**values)``, None for None; lists become tuples, and `parts` names the kinds of nested dataclasses.

    Examples
    --------
    >>> from ceas_physics.thermostat import Guard, Thermostat
    >>> made(Thermostat, {"bounds": [0.5, 2.0], "guard": {"hold": 3}}, {"guard": Guard}).guard.hold
    3
    """
    if values is None:
        return None
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return kind(**plain | {name: made(part, plain[name]) for name, part in (parts or {}).items() if name in plain})
