"""Names, units and formulas of what is measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float64]]
PAIR_OBSERVABLES = ("overlap", "link_overlap", "overlap_k")

IMPROVED_OBSERVABLES = ("improved_m2", "improved_structure_factor")

VARIABLES = {
    "energy": ("energy per site", "J", "H / n_sites"),
    "magnetization": ("magnetization per site, signed", "1", "sum_i s_i / n_sites"),
    "staggered_magnetization": (
        "staggered magnetization per site, signed",
        "1",
        "sum_i sign_i s_i / n_sites, sign_i = +-1 opposite at the ends of every bond",
    ),
    "structure_factor": (
        "structure factor at the smallest momentum, mean over axes",
        "1",
        "|sum_j s_j exp(i k_min x_j)|^2 / n_sites",
    ),
    "overlap": ("overlap of chains (2k, 2k + 1)", "1", "sum_i s_i^a s_i^b / n_sites"),
    "link_overlap": ("link overlap of chains (2k, 2k + 1)", "1", "sum_<ij> s_i^a s_j^a s_i^b s_j^b / n_bonds"),
    "overlap_k": (
        "overlap structure factor at k_min",
        "1",
        "|sum_j s_j^a s_j^b exp(i k_min x_j)|^2 / n_sites",
    ),
    "improved_m2": (
        "m^2, mean over the coin tosses of a cluster step",
        "1",
        "sum_c (sum_{i in c} s_i)^2 / n_sites^2",
    ),
    "improved_structure_factor": (
        "structure factor, mean over the coin tosses of a cluster step",
        "1",
        "sum_c |sum_{j in c} s_j exp(i k_min x_j)|^2 / n_sites",
    ),
}

STATISTICS = {
    "swap_acceptance": (("beta_pair", "chain"), "accepted share of the exchanges between neighbouring betas"),
    "round_trips": (("chain",), "trips of replicas from the lowest to the highest beta and back"),
}

SPINS = {
    "configurations": (("beta", "chain", "configuration", "site"), "spins of every k-th draw"),
    "spins": (("beta", "chain", "site"), "final spins"),
}
