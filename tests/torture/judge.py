"""Whether a bad call ended well: an error that names the argument, or a result without a silent NaN."""

from __future__ import annotations

import dataclasses
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from bad_values import changed
from good_calls import Call
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS = ("ising", "analysis", "ceas_physics")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Outcome "raised", "succeeded", or what was wrong."""

    outcome: str
    detail: str = ""

    @property
    def wrong(self) -> bool:
        return self.outcome not in ("raised", "succeeded")


def judge(call: Call, bad: Mapping[str, str], known: frozenset[str]) -> Verdict:
    """Make the call; `known` are the results that are not finite in the good call."""
    try:
        arguments = {name: Figure().subplots() if isinstance(v, Axes) else v for name, v in call.arguments.items()}
        arguments |= {name: changed(change, call.arguments[name]) for name, change in bad.items()}
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError):
        return Verdict("succeeded", "no such bad value")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result = call.run(**arguments)
        except (ValueError, TypeError) as error:
            named = any(_names(str(error), name, call) or _quotes(str(error), arguments[name]) for name in bad)
            return _warned(told) or (
                Verdict("raised") if named else Verdict(f"{type(error).__name__} without name", str(error))
            )
        except OSError as error:
            told_of = any(_is_path(value) and str(value) in str(error) for value in (arguments[name] for name in bad))
            return Verdict("raised" if told_of else type(error).__name__, str(error))
        except MemoryError as error:
            return Verdict("MemoryError", str(error))
        except Exception as error:
            return Verdict(type(error).__name__, str(error))
        undefined = [] if "*" in call.undefined else sorted(set(not_finite(result)) - known - call.undefined)
    if undefined and not any(_ours(one.category) for one in told):
        return Verdict("silent NaN or inf", ", ".join(undefined)[:100])
    return _warned(told) or Verdict("succeeded")


def _is_path(value: Any) -> bool:
    """What the system says of a path is an OSError that quotes it, as of `open`; commands make a line of it."""
    return isinstance(value, str | os.PathLike)


def _warned(told: Iterable[warnings.WarningMessage]) -> Verdict | None:
    for one in told:
        if not _ours(one.category):
            return Verdict(one.category.__name__, str(one.message))
    return None


def _ours(category: type[Warning]) -> bool:
    return category.__module__.partition(".")[0] in OURS


def _names(message: str, argument: str, call: Call) -> bool:
    """Whether the message has the argument's name as a word; an underscore may be a space, a plural singular."""
    words = [
        argument,
        argument.replace("_", " "),
        argument.replace("_", "-"),
        *call.words.get(argument, "").split("|"),
        *_parts(call.arguments[argument]),
    ]
    words += [word[:-1] for word in words if len(word) > 3 and word.endswith("s")]
    return any(re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z]{{3}})", message, re.I) for word in words if word)


def _quotes(message: str, value: Any) -> bool:
    """Whether a command's line quotes the text it was given, as in "x.nc: No such file or directory"."""
    return isinstance(value, str) and message.startswith("ceas") and any(part in message for part in value.split())


def _parts(good: Any) -> list[str]:
    """What a refusal of a Dataset may name instead: what is in it, or that there are too few sizes or draws."""
    first = good[0] if isinstance(good, list) and good else good
    return (
        [*map(str, first.variables), *map(str, first.dims), "sizes", "realisation"]
        if isinstance(first, xr.Dataset)
        else []
    )


def not_finite(result: Any, name: str = "result", depth: int = 0) -> list[str]:
    """Names of the parts of a result that hold NaN or an infinity."""
    if depth > 4 or result is None or isinstance(result, (str, bytes, int, xr.core.coordinates.Coordinates)):
        return []
    if isinstance(result, xr.Dataset):
        return [str(part) for part in result.variables if not_finite(result[part].values)]
    if isinstance(result, xr.DataArray):
        return not_finite(result.values, str(result.name))
    if isinstance(result, (float, complex, np.ndarray, np.generic)):
        array = np.asarray(result)
        return [name] if array.dtype.kind in "fc" and not np.isfinite(array).all() else []
    if isinstance(result, Mapping):
        return [bad for key, value in result.items() for bad in not_finite(value, str(key), depth + 1)]
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        return not_finite(result._asdict(), name, depth)
    if isinstance(result, (list, tuple)):
        return [bad for value in result[:20] for bad in not_finite(value, name, depth + 1)]
    if type(result).__module__.partition(".")[0] in OURS and hasattr(result, "__dict__"):
        return not_finite(vars(result), name, depth + 1)
    return []
