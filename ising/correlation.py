"""Correlations without momentum: C(r) by distance along bonds, C(i, j) from one site, and the eigenmode proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import as_spins, refuse
from .integers import as_integer
from .kernels_correlation import add_products, keep, shells
from .lattice import Lattice, as_lattice
from .streams import check_seed

if TYPE_CHECKING:
    import xarray as xr

ALL_SOURCES_UP_TO = 1_024
SAMPLED_SOURCES = 64
LEADING_DIMS = ("beta", "chain", "configuration")


def correlations(
    lattice: Lattice,
    spins: ArrayLike | xr.DataArray,
    sites: ArrayLike | None = None,
    sources: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """C(r) = mean of s_i s_j over the pairs at distance r along bonds, without subtraction of <m>^2.

    Pairs are ordered, (source, site): with all sites as sources every pair counts twice, with a sample of them the
    sources are drawn once, without replacement, and serve every configuration.

    Parameters
    ----------
    lattice
        Any lattice; pairs that no path joins belong to no r.
    spins
        (..., n_sites), +1 and -1, such as ``data.configurations`` or ``data.spins``, whose other dimensions stay. The
        axes of a plain array are taken for the last of (beta, chain, configuration). Spins do not say which lattice
        they belong to: only the number of sites is checked.
    sites
        Both ends lie in this part of the lattice: (n_sites,) bool, or site numbers, each once; distances stay those of
        the whole lattice. Boundary-boundary and bulk-bulk correlations of an open tiling, for example.
    sources
        Number of sources; by default all up to 1,024 sites, else 64.
    seed
        Of the sample of sources.

    Returns
    -------
    xarray.Dataset
        ``correlation`` (..., distance), ``pairs`` (distance,).

    Raises
    ------
    ValueError
        If spins do not fit the lattice or are not +-1, sites are none, repeated or out of range, or sources too many.

    Examples
    --------
    >>> from ising import chain
    >>> table = correlations(chain(4), [[1, 1, 1, -1]])
    >>> table.correlation.values.tolist(), table.pairs.values.tolist()
    ([[1.0, 0.0, 0.0]], [4, 8, 4])
    """
    import xarray as xr

    dims, shape, coords, flat = _as_rows(lattice, spins)
    wanted = _mask(lattice, sites)
    chosen = _sources(np.flatnonzero(wanted), sources, seed)
    sums, pairs = _sum_over_pairs(lattice, flat, wanted, chosen)
    with np.errstate(invalid="ignore"):
        mean = sums / pairs  # (configuration, distance)
    words = {
        "long_name": "correlation by distance along bonds",
        "units": "1",
        "formula": "mean of s_i s_j at distance r",
    }
    count = {"long_name": "pairs (source, site) at the distance", "units": "1"}
    distance = ("distance", np.arange(len(pairs)), {"long_name": "distance along bonds", "units": "bonds"})
    return xr.Dataset(
        {"correlation": ((*dims, "distance"), mean.reshape(*shape, -1), words), "pairs": ("distance", pairs, count)},
        coords | {"distance": distance},
        {"lattice": lattice.name, "sources": len(chosen), "seed": seed},
    )


def correlation_from(lattice: Lattice, spins: ArrayLike | xr.DataArray, site: int = 0) -> xr.DataArray:
    """C(i, j) = <s_i s_j> for one site i and every site j, without subtraction of <s_i> <s_j>.

    On an open patch site 0 is the centre (the first site of the central face), and C(0, j) makes a picture with
    ``analysis.plots.disk``.

    Parameters
    ----------
    lattice
        Any lattice.
    spins
        As for `correlations`; a dimension ``configuration`` is averaged over, the others stay, so that the spread over
        ``chain`` gives the error.
    site
        The site i.

    Returns
    -------
    xarray.DataArray
        ``correlation`` (..., site).

    Raises
    ------
    ValueError
        If spins do not fit the lattice or are not +-1, or there is no such site.

    Examples
    --------
    >>> from ising import chain
    >>> correlation_from(chain(4), [[1, 1, 1, -1], [1, 1, -1, -1]]).values.tolist()
    [1.0, 1.0, 0.0, -1.0]
    """
    import xarray as xr

    if as_integer("site", site, 0) >= as_lattice(lattice).n_sites:
        raise ValueError(f"site must be a number in [0, {lattice.n_sites}), got {site}")
    dims, shape, coords, flat = _as_rows(lattice, spins)
    products = xr.DataArray((flat * flat[:, [site]]).reshape(*shape, -1), coords, (*dims, "site"), "correlation")
    words = {"long_name": "correlation with one site", "units": "1", "formula": "<s_i s_j>"}
    mean = products.mean("configuration" if "configuration" in dims else [])
    return mean.assign_attrs(words, lattice=lattice.name, from_site=site)


def eigenmode_correlation_length(lattice: Lattice, spins: ArrayLike | xr.DataArray) -> xr.Dataset:
    """xi_G = sqrt((chi_0 / chi_1 - 1) / mu_1), the second-moment formula with the second modes of A for k_min.

    chi_0 = N <m^2>, chi_1 = <(phi . s)^2> averaged over an orthonormal basis phi of the modes of lambda_2, and
    mu_1 = q - lambda_2 with the largest degree q. On a torus these modes are the plane waves of the smallest momentum,
    mu_1 = (2 sin(k_min / 2))^2 where all axes have one length, and xi_G is the second-moment correlation length.

    On an expander (closed hyperbolic, random regular, complete) xi_G is no length: mu_1 and chi_1 stay of order one as
    N grows, so that xi_G ~ sqrt(chi_0) ~ N^(1/4) at beta_c, where the decay length of C(r) is finite and distances are
    of order ln N. Use U4, chi / N^(1/2) and <|m|> N^(1/4) there.

    Parameters
    ----------
    lattice
        Connected.
    spins
        As for `correlations`; a dimension ``configuration`` is averaged over, the others stay.

    Returns
    -------
    xarray.Dataset
        ``xi_G``, ``chi_0``, ``chi_1`` with the dimensions that stay; attributes ``mu_1``, ``degeneracy``. xi_G is 0
        where chi_1 exceeds chi_0.
    """
    import xarray as xr

    from .spectrum import second_modes

    dims, shape, coords, flat = _as_rows(lattice, spins)
    eigenvalue, modes = second_modes(lattice)
    mu = float(lattice.degree.max()) - eigenvalue
    amplitudes = np.mean((flat @ modes) ** 2, axis=1)  # (configuration, site) x (site, mode) -> (configuration,)
    table = xr.Dataset(
        {
            "chi_0": (dims, (flat.sum(axis=1, dtype=np.int64) ** 2 / lattice.n_sites).reshape(shape)),
            "chi_1": (dims, amplitudes.reshape(shape)),
        },
        coords,
    )
    if "configuration" in dims:
        table = table.mean("configuration")
    table["xi_G"] = np.sqrt(np.maximum(table["chi_0"] / table["chi_1"] - 1, 0.0) / mu)
    table["xi_G"].attrs = {"long_name": "eigenmode proxy xi_G", "units": "1", "formula": "sqrt((chi_0/chi_1 - 1)/mu_1)"}
    return table.assign_attrs(lattice=lattice.name, mu_1=mu, degeneracy=modes.shape[1])


def _as_rows(
    lattice: Lattice, spins: ArrayLike | xr.DataArray
) -> tuple[tuple[str, ...], tuple[int, ...], dict[str, Any], NDArray[np.int8]]:
    """Leading dimensions, their lengths and coordinates, and the spins as (row, site) int8."""
    import xarray as xr

    as_lattice(lattice)
    if not isinstance(spins, xr.DataArray):
        values = as_spins("spins", spins)
        if not 1 <= values.ndim <= len(LEADING_DIMS) + 1:
            raise ValueError(f"spins must have 1 to {len(LEADING_DIMS) + 1} axes, got shape {values.shape}")
        leading = LEADING_DIMS[len(LEADING_DIMS) + 1 - values.ndim :]
        spins = xr.DataArray(values, dims=(*leading, "site"))
    if "site" not in spins.dims or spins.sizes["site"] != lattice.n_sites:
        raise ValueError(f"spins must have a dimension site of {lattice.n_sites}, got {dict(spins.sizes)}")
    dims = tuple(str(dim) for dim in spins.dims if dim != "site")
    spins = spins.transpose(*dims, "site")
    flat = as_spins("spins", spins.values).reshape(-1, lattice.n_sites)
    coords = {dim: spins.coords[dim] for dim in dims if dim in spins.coords}
    return dims, spins.shape[:-1], coords, np.ascontiguousarray(flat, dtype=np.int8)


def _mask(lattice: Lattice, sites: ArrayLike | None) -> NDArray[np.bool_]:
    """The part of the lattice in which both ends lie: (n_sites,) bool."""
    if sites is None:
        return np.ones(lattice.n_sites, dtype=np.bool_)
    try:
        given = np.asarray(sites)
    except Exception:  # ragged, or a foreign object, which may raise anything
        refuse("sites", "bool or site numbers", sites)
    if given.dtype == np.bool_ and given.shape == (lattice.n_sites,):
        mask = given
    elif np.issubdtype(given.dtype, np.integer) and given.size and 0 <= given.min() <= given.max() < lattice.n_sites:
        mask = np.isin(np.arange(lattice.n_sites), given)
    else:
        raise ValueError(
            f"sites must be ({lattice.n_sites},) bool or numbers in [0, {lattice.n_sites}), "
            f"got {given.dtype} of shape {given.shape}"
        )
    if not mask.any():
        raise ValueError("sites must name at least one site, got none")
    if given.dtype != np.bool_ and mask.sum() < given.size:
        raise ValueError(
            f"sites must name every site once, got {given.size} numbers for {mask.sum()} sites; a mask must be bool"
        )
    return mask


def _sources(allowed: NDArray[np.intp], sources: int | None, seed: int) -> NDArray[np.intp]:
    if sources is None:
        sources = len(allowed) if len(allowed) <= ALL_SOURCES_UP_TO else SAMPLED_SOURCES
    if as_integer("sources", sources, 1) > len(allowed):
        raise ValueError(f"sources must be at most the {len(allowed)} sites, got {sources}")
    return np.sort(np.random.default_rng(check_seed(seed)).choice(allowed, sources, replace=False))


def _sum_over_pairs(
    lattice: Lattice, spins: NDArray[np.int8], wanted: NDArray[np.bool_], sources: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums of s_i s_j (configuration, distance) and numbers of pairs (distance,)."""
    seen = np.empty(lattice.n_sites, dtype=np.bool_)
    order, starts = np.empty(lattice.n_sites, dtype=np.int32), np.empty(lattice.n_sites + 1, dtype=np.int32)
    sums, pairs = np.zeros((len(spins), 1), dtype=np.int64), np.zeros(1, dtype=np.int64)
    for source in sources:
        n_shells = shells(lattice.neighbors, source, seen, order, starts)
        keep(order, starts, n_shells, wanted)
        if n_shells > len(pairs):
            sums, pairs = np.pad(sums, ((0, 0), (0, n_shells - len(pairs)))), np.pad(pairs, (0, n_shells - len(pairs)))
        add_products(spins, source, order, starts, n_shells, sums)
        pairs[:n_shells] += np.diff(starts[: n_shells + 1])
    return sums, pairs
