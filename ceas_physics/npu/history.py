"""The recorded times of an anneal, at most 200 however long it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from .schedules import Array

MOST_TIMES = 200


@dataclass
class History:
    """Every `stride`-th read and the last one; the stride doubles when there are too many."""

    stride: int = 1
    seen: int = 0
    steps: list[int] = field(default_factory=list)
    rows: list[dict[str, Array]] = field(default_factory=list)
    latest: tuple[int, dict[str, Array]] | None = None

    def add(self, steps: int, row: dict[str, Array]) -> None:
        """Offer the read after that many steps."""
        self.seen += 1
        self.latest = (steps, row)
        if self.seen % self.stride:
            return
        self.steps.append(steps)
        self.rows.append(row)
        if len(self.rows) == MOST_TIMES:
            self.steps, self.rows, self.stride = self.steps[1::2], self.rows[1::2], 2 * self.stride

    def finish(self) -> tuple[list[int], list[dict[str, Array]]]:
        """The kept reads, the last one included."""
        if self.latest is not None and (not self.steps or self.steps[-1] != self.latest[0]):
            return [*self.steps, self.latest[0]], [*self.rows, self.latest[1]]
        return self.steps, self.rows
