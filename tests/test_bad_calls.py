"""Calls with bad arguments of every public function and command: an error names the argument, or the result is sound.

The calls are drawn by Hypothesis and made in worker processes: see `torture/bad_calls.py`, which also runs by itself.
"""

import logging

import bad_calls
import pytest


def assert_none_wrong(count, seed):
    done = bad_calls.run(count, seed)
    figures = bad_calls.report(done)
    logging.getLogger(__name__).info(figures)
    assert len(done) == count
    assert not any(one.verdict.wrong for one in done), figures


def test_a_few_bad_calls():
    assert_none_wrong(300, 0)


@pytest.mark.torture
def test_ten_thousand_bad_calls():
    assert_none_wrong(10_000, 1)
