"""How the tests decide: z-scores from independent chains, one bound per number, one joint chi-square over all."""

import numpy as np
from scipy import stats


def z_score(chain_means, exact):
    """(..., chain) independent chain means -> z of their average; zero spread must mean exact agreement."""
    chain_means = np.asarray(chain_means, dtype=float)
    error = chain_means.std(axis=-1, ddof=1) / np.sqrt(chain_means.shape[-1])
    distance = chain_means.mean(axis=-1) - exact
    exactly = np.abs(distance) < 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(exactly, 0.0, distance / error)


def joint_p(z, n_chains):
    """p-value of the joint chi-square of independent z-scores whose errors come from n_chains chains."""
    z = np.asarray(z, dtype=float).ravel()
    z = z[z != 0]
    gaussian = stats.norm.isf(stats.t.sf(z, df=n_chains - 1))  # Student t -> standard normal
    return float(stats.chi2.sf((gaussian**2).sum(), df=z.size))
