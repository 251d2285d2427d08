"""Claims C by hand, the rules on made-up numbers, and that verdicts follow from the claimed numbers alone."""

import math

import pytest

from ceas_physics import claims
from ceas_physics.claims import rules

ARITHMETIC = ("C-beta", "C-all", "C1", "C2", "C3", "C4")


def verdicts(data):
    return dict(zip(data.claim.values.tolist(), data.verdict.values.tolist()))


def ledger(*ids, claimed=None, **options):
    return claims.run(ids, progress=False, claimed=claimed, **options)


def test_every_claim_of_the_list_has_a_test_and_numbers():
    wanted = [*(f"A{k}" for k in range(1, 8)), *(f"B{k}" for k in range(1, 8)), "C-beta", "C-all"]
    wanted += [*(f"C{k}" for k in range(1, 5)), *(f"D{k}" for k in range(1, 7))]
    assert list(claims.claimed_numbers()) == wanted
    assert set(claims.REGISTRY) == set(wanted)


def test_savings_by_hand():
    """9k parameters, beta alone: worst corner W = 0.25, all low; best corner W = 0.35, all high."""
    low = 1 - (0.55 / 2.4 * 0.25 + 0.78 * 0.75)
    high = 1 - (0.45 / 3.2 * 0.35 + 0.70 * 0.65)
    row = ledger("C-beta/9k")
    assert row.number.item() == pytest.approx(low, abs=1e-12)
    assert row.number_high.item() == pytest.approx(high, abs=1e-12)
    assert (low, high) == pytest.approx((0.3577, 0.4958), abs=1e-4)
    assert row.verdict.item() == "inconsistent"  # 52 % is more than the inputs allow
    assert verdicts(ledger("C-beta"))["C-beta/GPT-3"] == "reproduced"


def test_costs_clusters_and_allocations_by_hand():
    found = ledger("C1", "C2", "C3", "C4").set_index(claim="claim")
    assert found.sel(claim="C1").number.item() == pytest.approx(1 - (0.7 / 2.3 * 0.3 + 0.8 / 1.25 * 0.7))
    assert found.sel(claim="C2/GPT-3").number.item() == pytest.approx(6 * 175e9 * 300e9 / (200e12 * 3600))
    assert found.sel(claim="C2/GPT-1").number.item() == pytest.approx(0.975)
    assert found.sel(claim="C3/GPT-3 factor 5").number.item() == 103
    assert found.sel(claim="C3/GPT-5 class factor 5").number.item() == 820
    assert found.sel(claim="C4/printed coefficients product").number.item() == pytest.approx(0.1715 * 5.8316)
    said = {name: found.sel(claim=name).verdict.item() for name in ("C1", "C2/GPT-1", "C2/GPT-3", "C2/GPT-4 class")}
    assert list(said.values()) == ["inconsistent", "inconsistent", "reproduced", "not testable here"]


def changes(edit):
    """Entries whose verdict changes when ``edit`` changes the claimed numbers."""
    before, numbers = verdicts(ledger(*ARITHMETIC)), claims.claimed_numbers()
    edit(numbers)
    after = verdicts(ledger(*ARITHMETIC, claimed=numbers))
    assert before.keys() == after.keys()
    return {name: after[name] for name in after if after[name] != before[name]}


def test_an_input_changes_the_verdicts_that_depend_on_it_and_no_other():
    def speedup(numbers):
        numbers["C1"]["inputs"]["s_warm"] = 20.0

    def claimed_saving(numbers):
        numbers["C-all"]["rows"]["9k"]["low"] = 0.47

    def parameters(numbers):
        numbers["C2"]["rows"]["GPT-3"]["parameters"] = 350e9

    def exponent(numbers):
        numbers["C4"]["rows"]["DeepSeek early data"]["b"] = 0.45

    assert changes(speedup) == {"C1": "reproduced"}
    assert changes(claimed_saving) == {"C-all/9k": "reproduced"}
    assert changes(parameters) == {"C2/GPT-3": "inconsistent"}
    assert changes(exponent) == {"C4": "inconsistent", "C4/DeepSeek early data": "inconsistent"}
    assert changes(lambda numbers: None) == {}


def test_rules():
    assert rules.in_range(0.30, 0.35, 0.52, 0.04) == rules.NOT_REPRODUCED
    assert rules.in_range(0.34, 0.35, 0.52, 0.04) == rules.NOT_TESTABLE  # the interval reaches into the range
    assert rules.in_range(0.36, 0.35, 0.52, 0.04) == rules.REPRODUCED
    assert rules.in_range(0.36, 0.35, 0.52, 0.40) == rules.NOT_TESTABLE
    assert rules.in_range(0.10, 0.0, math.inf, 0.2) == rules.NOT_TESTABLE
    assert rules.in_range(math.nan, 0.0, 1.0, 0.0) == rules.NOT_TESTABLE
    assert rules.in_range(0.5, 0.0, 1.0, math.nan) == rules.NOT_TESTABLE
    assert rules.equal(0.1379, 0.0001, 0.1380) == rules.REPRODUCED
    assert rules.equal(0.1379, 0.00003, 0.1380) == rules.NOT_REPRODUCED
    assert rules.joined(["reproduced", "not testable here"]) == "not testable here"
    assert rules.joined(["not testable here", "not reproduced"]) == "not reproduced"
    assert rules.joined(["reproduced", "reproduced"]) == "reproduced"
    with pytest.raises(ValueError, match="low <= high"):
        rules.in_range(0.5, 1.0, 0.0, 0.1)


def test_bad_ids_are_named():
    with pytest.raises(ValueError, match=r"claims are .*C-beta.*got 'E9'"):
        ledger("E9")
    with pytest.raises(ValueError, match="rows of C2 are GPT-1"):
        ledger("C2/GPT-9")
