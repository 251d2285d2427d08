"""The state of a training run: one step, what is recorded of it, and its way into a checkpoint and back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..text import Corpus
from ..thermostat import Observables, Thermostat, zeta
from ..transformer import Layer, TransformerConfig, head_observables
from .head_control import HeadControl, head_levels
from .knobs import Knobs
from .learner import Learner
from .observe import head_rows, measure_heads, projection_norms, scale_to_gap, spread_sequences

HEADS_EVERY = 64  # steps between measurements of the heads
LOSS_EVERY = 16  # steps between points of the loss curves
CHECKPOINT_EVERY = 256  # steps
MEASURED_SEQUENCES = 8  # validation sequences on which the heads are measured
LOSS_SEQUENCES = 64  # and on which the validation loss is taken
MOST_SPIKES = 3  # after one checkpoint
COUNTS = ("steps", "tokens", "spikes", "validation_loss", "recent")


def call_settings(
    config: TransformerConfig, thermostat: Thermostat | None, knobs: Knobs, seed: int, steps: int
) -> dict[str, str | int]:
    """The attributes of a trace that say how ``train`` was called."""
    parts = {"config": asdict(config), "thermostat": asdict(thermostat) if thermostat else None, "knobs": asdict(knobs)}
    return {"steps": steps, "seed": seed} | {name: json.dumps(part) for name, part in parts.items()}


class Run:
    """Everything that changes during a training run.

    Attributes
    ----------
    steps, tokens : int
        Taken so far.
    budget : int
        Tokens after which the run ends.
    """

    def __init__(
        self,
        config: TransformerConfig,
        data: Corpus,
        thermostat: Thermostat | None,
        knobs: Knobs,
        seed: int,
        steps: int,
    ) -> None:
        self.config, self.data = config, data
        self.settings = call_settings(config, thermostat, knobs, seed, steps)
        self.settings |= {"characters": json.dumps(data.characters), "text_sha256": data.digest}
        self.steps, self.tokens, self.budget = 0, 0, steps * config.batch_size * config.context
        initialisation, batches, *others = np.random.SeedSequence(seed).spawn(4)
        self.batches = np.random.default_rng(batches)
        streams = [np.random.default_rng(stream) for stream in (initialisation, *others)]
        self.learner = Learner(config, len(data.characters), knobs, streams)
        if knobs.initial_gap is not None:
            tokens = self._sequences(data.training, MEASURED_SEQUENCES)[:, :-1]
            scale_to_gap(self.learner, tokens, knobs.initial_gap)
        self.initial = self.learner.vector.copy()
        self.control: HeadControl | None = None
        if thermostat is not None:
            self.control = HeadControl(thermostat, config, self._measured_rows()[0])
            self.learner.beta = self.control.controller.beta
        self.spikes, self.since_snapshot = 0, 0
        self.validation_loss: float | None = None  # measured since the guard last judged
        self.recent: dict[str, list[float]] = {"loss": [], "heads_loss": [], "pruned": []}
        self.records: dict[str, dict[str, list[ArrayLike]]] = {"step": {}, "loss_step": {}}
        start = self.learner.loss(self._sequences(data.training, LOSS_SEQUENCES))
        self._record_losses(start)
        self._record_heads(start)
        self.snapshot = self._model_state()

    @property
    def at_checkpoint(self) -> bool:
        """Whether a checkpoint is due."""
        return self.steps % CHECKPOINT_EVERY == 0 or self.tokens >= self.budget

    def batch(self) -> np.ndarray:
        """Random sequences of the training text, (batch size, context + 1)."""
        size = self.learner.tuning.batch_size(self.config.batch_size)
        starts = self.batches.integers(0, len(self.data.training) - self.config.context, size)
        return self.data.training[starts[:, None] + np.arange(self.config.context + 1)]

    @np.errstate(over="ignore", invalid="ignore")  # a diverged run is reported by its loss, with the step
    def step(self) -> None:
        """One step of Adam; then, in this order, the records, the knobs and the thermostat.

        Raises
        ------
        FloatingPointError
            The loss, the parameters or the validation loss are not finite, or the guard has met too many spikes after
            one checkpoint.
        """
        sequences, control = self.batch(), self.control
        keep, frozen = (control.keep(self.steps), control.frozen) if control else (None, None)
        loss, gradient, layers = self.learner.gradient(self.steps, sequences, keep, frozen)
        self.steps += 1
        self.tokens += sequences[:, 1:].size
        verdict = control.judge(self.steps, loss, self.validation_loss) if control else "ok"
        self.validation_loss = None
        broken = not math.isfinite(loss)
        if verdict != "spike" and not broken:
            self.learner.adam.step(self.learner.vector, gradient)
            broken = not np.isfinite(self.learner.vector).all()
            verdict = "spike" if broken and control and control.guard else verdict
        if verdict == "spike":
            self._go_back(math.inf if broken else loss)
        elif broken:
            raise FloatingPointError(f"the loss is not finite at step {self.steps}; lower learning_rate")
        last = self.tokens >= self.budget
        self._record(loss, last)
        if verdict != "spike" and not last:
            self._move(sequences, layers)
        if self.at_checkpoint:
            self.snapshot, self.since_snapshot = self._model_state(), 0

    def _go_back(self, loss: float) -> None:
        """The model as of the last snapshot; the batches, and what was spent, go on."""
        self.spikes += 1
        self.since_snapshot += 1
        if self.since_snapshot > MOST_SPIKES:
            raise FloatingPointError(
                f"the loss is {loss:.3g} at step {self.steps}, spike {self.since_snapshot} after one checkpoint; "
                "lower learning_rate"
            )
        self._restore_model(self.snapshot)

    def _move(self, sequences: np.ndarray, layers: list[Layer]) -> None:
        """Knobs, then the thermostat, for the next step."""
        self.learner.move_knobs(self.steps, sequences)
        if self.control is not None:
            self.learner.beta = self.control.step(Observables(*head_observables(layers)))

    def _record(self, loss: float, last: bool) -> None:
        self.recent["pruned"].append(self.learner.pruned)
        for name in ("loss", "heads_loss"):
            self.recent[name].append(loss)
        if self.steps % LOSS_EVERY == 0 or last:
            self._record_losses(float(np.mean(self.recent["loss"])))
            self.recent["loss"], self.recent["pruned"] = [], []
        if self.steps % HEADS_EVERY == 0 or last:
            self._record_heads(float(np.mean(self.recent["heads_loss"])))
            self.recent["heads_loss"] = []

    def _record_losses(self, loss: float) -> None:
        """The losses, what was spent, and where the knobs are."""
        sequences = self._sequences(self.data.validation, LOSS_SEQUENCES)
        self.validation_loss = self.learner.loss(sequences)
        if not math.isfinite(self.validation_loss):
            raise FloatingPointError(f"the validation loss is not finite after step {self.steps}; lower learning_rate")
        record: dict[str, ArrayLike] = {"loss_step": self.steps, "tokens": self.tokens, "flops": self.learner.flops}
        record |= {"training_curve": loss, "validation_curve": self.validation_loss}
        record |= self.learner.tuning.readings()
        if self.control is not None:
            record |= self.control.readings(self.steps)
            if self.control.gate:
                record["pruned_fraction"] = float(np.mean(self.recent["pruned"] or [0.0]))
                record["validation_gated"] = self.learner.loss(sequences, self.control.keep(self.steps, counted=False))
            if self.control.guard:
                record["spikes"] = self.spikes
        _append(self.records["loss_step"], record)

    def _record_heads(self, loss: float) -> None:
        """Measure the heads, after the losses; tell the thermostat."""
        scores, beta = self._measured_rows()
        heads = measure_heads(scores, beta)
        if self.config.scaling == "fixed":
            heads["beta"] = self.learner.beta.copy()
        if self.control is not None:
            self.control.measured(scores, heads["beta_c"])
        heads |= head_levels(self.control, self.config)
        settings = self.control.controller.thermostat if self.control else Thermostat()
        heads["zeta"] = zeta(heads["beta"], heads["beta_c"], settings.u_min, settings.nu)
        heads["log_gauge"] = np.log(heads["beta"] * projection_norms(self.learner.parameters, self.config))
        validation = self.records["loss_step"]["validation_curve"][-1]
        _append(self.records["step"], {"step": self.steps, "loss": loss, "validation_loss": validation, **heads})

    def _sequences(self, tokens: np.ndarray, count: int) -> np.ndarray:
        return spread_sequences(tokens, count, self.config.context)

    def _measured_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Unscaled scores (layer, head, rows, key) and beta (layer, head, rows) of the measured validation rows."""
        tokens = self._sequences(self.data.validation, MEASURED_SEQUENCES)[:, :-1]
        return head_rows(self.learner.forward(tokens)[1])

    def _model_state(self) -> dict[str, Any]:
        """The learner and what controls its heads."""
        return {"learner": self.learner.state(), "control": self.control.state() if self.control else None}

    def _restore_model(self, state: dict[str, Any]) -> None:
        self.learner.restore(state["learner"])
        if self.control is not None:
            self.control.restore(state["control"])

    def state(self) -> dict[str, Any]:
        """Numbers, strings and arrays from which the run goes on exactly, and from which its trace is made."""
        counts = {name: getattr(self, name) for name in COUNTS}
        return counts | {
            "settings": self.settings,
            "flops": self.learner.flops,
            "batches": self.batches.bit_generator.state,
            "initial": self.initial,
            "model": self._model_state(),
            "records": {axis: _columns(records) for axis, records in self.records.items()},
        }

    def restore(self, state: dict[str, Any], path: Path) -> None:
        """Continue from the ``state()`` in a checkpoint; ValueError if it is of a run with other settings."""
        theirs = state["settings"]
        other = [name for name in self.settings if theirs.get(name) != self.settings[name]]
        if other:
            raise ValueError(f"{path} is the checkpoint of a run with another {', '.join(other)}; give another file")
        for name in COUNTS:
            setattr(self, name, state[name])
        self.learner.flops = state["flops"]
        self.batches.bit_generator.state = state["batches"]
        self.records = {
            axis: {name: list(values) for name, values in columns.items()} for axis, columns in state["records"].items()
        }
        self._restore_model(state["model"])
        self.snapshot, self.since_snapshot = state["model"], 0


def _append(records: dict[str, list[ArrayLike]], record: dict[str, Any]) -> None:
    for name, value in record.items():
        records.setdefault(name, []).append(value)


def _columns(records: dict[str, list[ArrayLike]]) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in records.items()}
