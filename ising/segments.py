"""A unit carried in segments: from a checkpoint to the next, in any process, with the bits of an unbroken run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .driver import MAX_FINAL_SPINS, chunks, strides
from .engine import Block
from .observables import PAIR_OBSERVABLES
from .plan import Plan

Arrays = dict[str, NDArray[Any]]


class UnitRun:
    """A unit under way.

    Parameters
    ----------
    plan
        The run.
    block
        The part of it.
    checkpoint
        What `checkpoint` gave earlier, here or elsewhere; None to start.

    Attributes
    ----------
    warmup, draws
        Sweeps of the warm-up and draws that are done.
    swept
        Sweeps of the next draw that are done.
    """

    def __init__(self, plan: Plan, block: Block, checkpoint: Mapping[str, Any] | None = None) -> None:
        self.plan, self.block, self.unit = plan, block, plan.workshop.unit(block)
        self.warmup, self.draws, self.swept = 0, 0, 0
        self._pieces: list[Arrays] = []
        if checkpoint is not None:
            self.unit.restore(checkpoint["unit"])
            self.warmup, self.draws = int(checkpoint["warmup"]), int(checkpoint["draws"])
            self.swept = int(checkpoint.get("swept", 0))

    def steps(self) -> Iterator[int]:
        """Carry it to the end of the run, about 0.1 s at a time; yields the sweeps done."""
        plan, schedule = self.plan, self.plan.schedule
        for n in chunks(self.warmup, schedule.warmup):
            self.unit.warm_up(n)
            self.warmup += n
            yield n
        for stride in strides(schedule, self.draws, self.swept, plan.configurations):
            piece = self._draw(stride.draws, stride.sweeps)
            self.swept = 0 if stride.whole else self.swept + stride.sweeps
            if stride.whole:
                self._pieces.append(piece)
                self.draws += stride.draws
                if plan.configurations and self.draws % plan.configurations == 0:
                    piece["configurations"] = self._spins()[..., None, :]
            yield stride.draws * stride.sweeps

    @property
    def position(self) -> tuple[int, int, int]:
        """Sweeps of the warm-up, draws, and sweeps of the next draw that are done."""
        return self.warmup, self.draws, self.swept

    @property
    def size(self) -> int:
        """Bytes measured since the last `take`."""
        return sum(array.nbytes for piece in self._pieces for array in piece.values())

    def take(self) -> Arrays:
        """What was measured since the last call, (disorder, beta, chain or pair, draw); no disorder for one model."""
        axis = 2 if self.plan.single else 3  # of draws and of configurations alike
        joined = {}
        for name in {name for piece in self._pieces for name in piece}:
            joined[name] = np.concatenate([piece[name] for piece in self._pieces if name in piece], axis=axis)
        self._pieces = []
        return joined

    def checkpoint(self) -> dict[str, Any]:
        """From here the unit goes on exactly; copies, so that it may."""
        arrays = {name: array.copy() for name, array in self.unit.checkpoint().items()}
        return {"unit": arrays, "warmup": self.warmup, "draws": self.draws, "swept": self.swept}

    def result(self) -> Arrays:
        """What is measured once, at the end: the final spins, if there is room, and what exchange counted."""
        plan, last = self.plan, Arrays()
        if has_final_spins(plan):
            last["spins"] = self._spins()
        for name, (_, values) in (self.unit.statistics() if plan.exchange else {}).items():
            lanes = values[: len(self.block.disorder)] if plan.workshop.in_lanes else values[None]
            last[name] = lanes[0] if plan.single else lanes
        return last

    def _draw(self, n: int, sweeps: int) -> Arrays:
        plan, block = self.plan, self.block
        shape = (len(block.disorder), len(block.beta))
        values = {
            name: np.empty((*shape, len(block.pair if name in PAIR_OBSERVABLES else block.chain), n))
            for name in plan.observables
        }
        lanes = [
            {name: _Window(array[k], block, name in PAIR_OBSERVABLES) for name, array in values.items()}
            for k in range(shape[0])
        ]
        self.unit.draw(lanes if plan.workshop.in_lanes else lanes[0], 0, n, sweeps)
        return {name: array[0] if plan.single else array for name, array in values.items()}

    def _spins(self) -> NDArray[np.int8]:
        block = self.block
        shape = (len(block.disorder), len(block.beta), len(block.chain), self.plan.n_sites)
        spins = np.empty(shape, np.int8)
        for b, first, found in self.unit.configurations():
            at = first - block.chain.start
            lanes = found[: shape[0]] if self.plan.workshop.in_lanes else found
            spins[:, b - block.beta.start, at : at + found.shape[-2]] = lanes
        return spins[0] if self.plan.single else spins


class _Window:
    """Takes what a unit writes at the indices of the whole run into an array of its own block."""

    def __init__(self, array: NDArray[np.float64], block: Block, pairs: bool) -> None:
        self.array, self.beta = array, block.beta.start
        self.chain = block.pair.start if pairs else block.chain.start

    def __setitem__(self, index: tuple[Any, Any, slice], values: NDArray[np.float64]) -> None:
        beta, chain, draws = index
        here = beta - self.beta if isinstance(beta, int) else [b - self.beta for b in beta]
        if isinstance(chain, slice):
            self.array[here, chain.start - self.chain : chain.stop - self.chain, draws] = values
        else:
            self.array[here, chain - self.chain, draws] = values


def has_final_spins(plan: Plan) -> bool:
    """Whether there is room for the final spins."""
    return len(plan.models) * len(plan.betas) * plan.chains * plan.n_sites <= MAX_FINAL_SPINS
