"""`Plan`: a checked call of `sample`, all that decides its numbers and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import as_choice, as_flag, as_kind
from .checks import (
    check_beta,
    check_initial,
    check_models,
    check_moves,
    check_observables,
    choose_update,
    default_chains,
)
from .engine import Block, Workshop, choose_kernel
from .integers import as_integer
from .model import IsingModel
from .schedule import Schedule
from .streams import check_seed


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run simulates and measures; the arguments of `sample`, checked.

    Attributes
    ----------
    models, single
        The realisations; `single` if one model was given, so that results have no dimension `disorder`.
    betas, schedule, chains, seed, exchange, isoenergetic, lanes, configurations
        As in `sample`.
    asked, update, reason, kernel
        The update asked for, the one that runs, why, and the kernel family.
    observables
        What is measured.
    initial
        ``"random"``, ``"up"`` or spins (beta, chain, site).
    """

    models: Sequence[IsingModel]
    single: bool
    betas: NDArray[np.float64]
    schedule: Schedule
    asked: str
    update: str
    reason: str
    kernel: str
    chains: int
    seed: int
    exchange: bool
    isoenergetic: int
    lanes: str
    observables: list[str]
    configurations: int
    initial: Any

    @property
    def n_sites(self) -> int:
        """Sites of the lattice."""
        return self.models[0].lattice.n_sites

    @cached_property
    def blocks(self) -> list[Block]:
        """What its units carry."""
        return list(self.workshop.blocks())

    @cached_property
    def workshop(self) -> Workshop:
        """Where its units are made."""
        return Workshop(
            self.models, self.betas, self.chains, self.update, self.seed, self.initial, self.kernel, self.exchange,
            self.isoenergetic,
        )  # fmt: skip


def make_plan(
    model: IsingModel | Sequence[IsingModel],
    beta: ArrayLike,
    schedule: Schedule | None = None,
    update: str = "auto",
    chains: int | None = None,
    seed: int = 0,
    exchange: bool = False,
    observables: Iterable[str] | None = None,
    configurations: int = 0,
    initial: Any = "random",
    isoenergetic: int = 0,
    lanes: str = "chains",
) -> Plan:
    """Check the arguments of `sample`, named as there.

    Raises
    ------
    ValueError
        Impossible arguments.
    """
    schedule = as_kind("schedule", Schedule() if schedule is None else schedule, Schedule, "ising.Schedule(100, 500)")
    exchange = as_flag("exchange", exchange)
    models = list(model) if isinstance(model, Sequence) else [model]
    check_models(models)
    betas = check_beta(beta, increasing=exchange)
    isoenergetic = as_integer("isoenergetic", isoenergetic, 0)
    ran, reason, kernel, chains = choose(models, update, chains, exchange, isoenergetic, lanes)
    check_moves(models, chains, ran, kernel, exchange, isoenergetic, lanes)
    names = check_observables(models, chains, observables, ran)
    every = as_integer("configurations", configurations, 0)
    start = check_initial(initial, len(betas), chains, models[0].lattice.n_sites)
    single = isinstance(model, IsingModel)
    return Plan(
        models, single, betas, schedule, update, ran, reason, kernel, chains, check_seed(seed), exchange, isoenergetic,
        lanes, names, every, start,
    )  # fmt: skip


def choose(
    models: Sequence[IsingModel], update: str, chains: int | None, exchange: bool, isoenergetic: int, lanes: str
) -> tuple[str, str, str, int]:
    """Update, the reason for it, kernel and number of chains."""
    if chains is not None:
        chains = as_integer("chains", chains, 1)
    as_choice("lanes", lanes, ("chains", "disorder"))
    moves = exchange or isoenergetic > 0
    ran, reason = choose_update(models, update, moves or lanes == "disorder")
    kernel = choose_kernel(models, ran, lanes, chains, moves)
    return ran, reason, kernel, default_chains(kernel) if chains is None else chains
