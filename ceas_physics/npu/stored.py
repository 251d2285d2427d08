"""`anneal` with a store: the machines now and then, and the result at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .call import KIND, OPEN, Arrays, Settings, refuse_function, variables

if TYPE_CHECKING:
    import xarray as xr

    from ising.store.whole import WholeRun


@contextmanager
def open_store(
    folder: str | Path | None, call: tuple[Settings, Arrays], total: int | None
) -> Iterator[WholeRun | None]:
    """The store of a call, made if it is not there; None without a folder.

    Raises
    ------
    ValueError
        A folder with another run or other files, or a schedule that is a function.
    StoreError
        The disk refuses, another process writes, or the store is damaged.
    """
    if folder is None:
        yield None
        return
    import xarray as xr

    from ising.store.whole import WholeRun

    settings, arrays = call
    refuse_function(settings, "a store cannot hold this run")
    settings = settings | {"total_sweeps": "open" if total is None else "given"}
    known = xr.Dataset(variables(arrays))
    with WholeRun(folder, KIND, settings, known, OPEN if total is None else total, "total_sweeps") as store:
        yield store


def stored(store: WholeRun, total: int | None) -> xr.Dataset | None:
    """The result in the store, if the run is over."""
    result = store.result()
    if result is None or result.attrs["stopped_by"] in ("target", "time limit") or result.attrs["steps"] == total:
        return result
    result.close()
    return None


def put_away(store: WholeRun, result: xr.Dataset) -> xr.Dataset:
    """Write the result of a run that is over; KeyboardInterrupt if Ctrl-C ended it."""
    if result.attrs["stopped_by"] == "interrupt":
        raise store.stopped()
    return store.finish(result, int(result.attrs["steps"]))
