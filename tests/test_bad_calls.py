"""Calls with bad arguments of every public function and command: an error names the argument, or the result is sound.

The calls are drawn by Hypothesis and made in worker processes: see `torture/bad_calls.py`, which also runs by itself.
"""

import logging

import bad_calls
import pytest
import reach

import ising


def assert_none_wrong(count, seed):
    done = bad_calls.run(count, seed)
    figures = bad_calls.report(done)
    logging.getLogger(__name__).info(figures)
    assert len(done) == count
    assert not any(one.verdict.wrong for one in done), figures


def test_every_public_name_argument_and_option_is_reached():
    assert not any(reach.left_out(bad_calls.good_table())), reach.shares(bad_calls.good_table())
    assert not reach.unknown(bad_calls.good_table())


def test_a_new_name_or_argument_is_missed(monkeypatch):
    def wishes(strength: float) -> float:
        """A new function."""
        return strength

    def square(L: int, twist: int = 0) -> ising.Lattice:
        """A new argument."""
        return ising.chain(L * (twist + 1))

    monkeypatch.setattr(ising, "wishes", wishes, raising=False)
    monkeypatch.setattr(ising, "square", square)
    monkeypatch.setattr(ising, "__all__", [*ising.__all__, "wishes"])
    for function in (wishes, square):
        function.__module__ = "ising.flat"
    names, arguments, *_ = reach.left_out(bad_calls.good_table())
    assert (names, arguments) == (["ising.wishes"], ["ising.square(twist)"])


def test_a_few_bad_calls():
    assert_none_wrong(300, 0)


@pytest.mark.torture
def test_ten_thousand_bad_calls():
    assert_none_wrong(10_000, 1)
