"""What a good call is: a public function, arguments it accepts, and what its refusals may call them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, eq=False)
class Call:
    """One good call.

    Attributes
    ----------
    run
        The public function, or a function of the same arguments that also uses its result.
    arguments
        Good arguments by name; each is replaced by bad values in turn.
    words
        Argument -> another word for it that a refusal may use.
    undefined
        Documented: names of results that may be NaN or infinite without a warning; * for all.
    counts
        Arguments that set how long the call runs: large ones are legitimate.
    """

    run: Callable[..., Any]
    arguments: Mapping[str, Any]
    words: Mapping[str, str] = field(default_factory=dict)
    undefined: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()


class Table(dict[str, Call]):
    """Good calls by name."""

    def add(
        self,
        name: str,
        run: Callable[..., Any],
        /,
        *,
        words: Mapping[str, str] | None = None,
        undefined: str = "",
        counts: str = "",
        **arguments: Any,
    ) -> None:
        """One more; `undefined` and `counts` are names with spaces between them."""
        self[name] = Call(run, arguments, words or {}, frozenset(undefined.split()), frozenset(counts.split()))


def in_folder(function: Callable[..., Any], files: Mapping[str, str | bytes] | None = None) -> Callable[..., Any]:
    """The function, called in a new folder that holds these files: bad paths leave nothing elsewhere."""

    def call(**arguments: Any) -> Any:
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                for name, content in (files or {}).items():
                    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
                return function(**arguments)
            finally:
                os.chdir(before)

    return call
