"""Results larger than memory: analysis reads them piece by piece, and says what it says of arrays in memory."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr

import analysis
from analysis import autocorrelation, pooling, samples

SHAPE = 6, 8  # beta, chain
CALLS = {
    "summarize": lambda data: analysis.summarize(data),
    "reweight": lambda data: analysis.reweight(data, [0.41, 0.42]),
    "fisher_zeros": lambda data: analysis.fisher_zeros(data),
    "bootstrap": lambda data: analysis.bootstrap(data, "binder"),
    "log_binning": lambda data: analysis.log_binning(data),
    "r_hat": lambda data: analysis.r_hat(data.energy[3]),
    "autocorrelation_time": lambda data: analysis.autocorrelation_time(data.magnetization[3]),
    "dynamic_exponent": lambda data: analysis.dynamic_exponent(
        [data.assign_coords(L=L, n_sites=L**2) for L in (16, 32)], 0.41, "magnetization_squared"
    ),
}


def write(path, n_draws, seed=1):
    """Random energies at the levels of a square lattice, and magnetizations."""
    rng = np.random.default_rng(seed)
    beta = np.linspace(0.40, 0.43, SHAPE[0])
    shape = (*SHAPE, n_draws)
    level = 1024 * (-1.1 - 8 * (beta - 0.4))[:, np.newaxis, np.newaxis]
    e = 4 * np.round((level + 50 * rng.normal(size=shape)) / 4) / 1024
    m = np.round(512 * 0.3 * rng.normal(size=shape)) / 512
    dims = ("beta", "chain", "draw")
    data = xr.Dataset({"energy": (dims, e), "magnetization": (dims, m)}, {"beta": beta, "n_sites": 1024})
    chunks = {"chunksizes": (1, 1, min(n_draws, 8192))}
    data.assign_attrs(dimension=2).to_netcdf(
        path, engine="h5netcdf", encoding={"energy": chunks, "magnetization": chunks}
    )
    return path


def small_pieces(monkeypatch, size=1000):
    """Everything is read and summed in pieces of so many values."""
    monkeypatch.setattr(samples, "AT_ONCE", 0)
    monkeypatch.setattr(samples, "SUMMED", size)
    monkeypatch.setattr(pooling, "PIECE", size)
    monkeypatch.setattr(samples.pieces, "__defaults__", (size,))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_pieces_give_the_bits_of_the_whole(call, tmp_path, monkeypatch):
    """In memory and from a file, whole and in pieces of a thousand values."""
    with xr.open_dataset(write(tmp_path / "run.nc", 700), engine="h5netcdf", cache=False) as data:
        whole = call(data.load())
    with xr.open_dataset(tmp_path / "run.nc", engine="h5netcdf", cache=False) as data:
        small_pieces(monkeypatch)
        found = call(data)
    assert found.identical(whole) if isinstance(whole, xr.Dataset) else found == whole


def test_overlaps_in_pieces(monkeypatch):
    """Pairs of chains stay together."""
    rng = np.random.default_rng(2)
    dims = ("disorder", "beta", "chain", "draw")
    e, m = rng.normal(size=(2, 3, 2, 6, 200))
    pair = (*dims[:2], "pair", "draw")
    data = xr.Dataset(
        {"energy": (dims, e), "magnetization": (dims, m), "overlap": (pair, rng.normal(size=(3, 2, 3, 200)))},
        {"beta": [0.1, 0.2], "n_sites": 8},
    )
    whole = analysis.summarize(data), analysis.summarize(data.isel(disorder=0))
    small_pieces(monkeypatch, 500)
    assert analysis.summarize(data).identical(whole[0])
    assert analysis.summarize(data.isel(disorder=0)).identical(whole[1])


def test_long_sums_have_the_bits_of_numpy(monkeypatch):
    rng = np.random.default_rng(3)
    monkeypatch.setattr(samples, "SUMMED", 500)
    for shape in ((1, 12_345), (7, 1001), (64, 129)):
        chains = rng.normal(size=shape) + 1e3
        assert autocorrelation._sum(chains, lambda values: values - 1e3) == np.sum(chains - 1e3)
        read = samples.flat(lambda low, high, chains=chains: chains[low:high], shape[1])
        assert samples.pairwise_sum(read, 0, chains.size) / chains.size == chains.mean()


def test_a_value_that_is_not_finite_is_found_in_any_piece(monkeypatch, tmp_path):
    with xr.open_dataset(write(tmp_path / "run.nc", 700), engine="h5netcdf") as data:
        broken = data.load().copy(deep=True)
    broken["magnetization"][3, 5, 600] = np.nan
    small_pieces(monkeypatch)
    with pytest.raises(ValueError, match="magnetization must be finite"):
        analysis.summarize(broken)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("by", "n_draws", "cells"), [("energy", 700, 8_000), ("size", 4_000, 33_000)])
def test_binned_energies_move_nothing_by_more_than_a_fraction_of_its_error(by, n_draws, cells, monkeypatch, tmp_path):
    """With so few cells allowed that energies (and |M|) are binned, a tenth of an error; fewer bins move more."""
    with xr.open_dataset(write(tmp_path / "run.nc", n_draws), engine="h5netcdf") as data:
        run = data.load()

    def look():
        if by == "size":
            table = analysis.lee_yang_zeros(run, [0.41])
            return np.ravel(table.field_imag), np.ravel(table.field_imag_error)
        table = analysis.reweight(run, [0.405, 0.415, 0.425])
        names = ("energy", "specific_heat", "magnetization_abs", "binder", "entropy")
        return np.ravel([table[name] for name in names]), np.ravel([table[f"{name}_error"] for name in names])

    exact, error = look()
    monkeypatch.setattr(pooling, "MOST_CELLS", cells)
    fine = np.abs(look()[0] - exact) / error
    assert 0 < fine.max() < 0.1
    monkeypatch.setattr(pooling, "MOST_CELLS", 700)
    assert (np.abs(look()[0] - exact) / error).max() > fine.max()


@pytest.mark.filterwarnings("ignore")
def test_memory_is_bounded(tmp_path, monkeypatch):
    """Two variables of 3.8 MB, read in pieces of 128 KB: no call takes as much memory as both."""
    with xr.open_dataset(write(tmp_path / "run.nc", 10_000), engine="h5netcdf", cache=False) as data:
        small_pieces(monkeypatch, 2**14)
        peaks = {}
        for name in ("summarize", "reweight", "r_hat"):
            tracemalloc.start()
            CALLS[name](data)
            peaks[name] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert max(peaks.values()) < 2 * data.energy.nbytes, peaks
        tracemalloc.start()
        analysis.summarize(data.load())  # control: all in memory
        assert tracemalloc.get_traced_memory()[1] > 2 * data.energy.nbytes
        tracemalloc.stop()
