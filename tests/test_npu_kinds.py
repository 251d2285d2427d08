"""Arguments of the wrong kind: a ValueError that names something, from every public function beside `anneal`."""

import numpy as np
import pytest

import ising
from ceas_physics import npu

SQUARE = ising.ferromagnet(ising.square(4))
CUBE = np.ones((2, 2, 2))
EMPTY: list[float] = []
WRONG = [None, "a", -1, np.nan, True, EMPTY, {}, object(), 1j, CUBE, b"x", lambda: 1]
CALLS = {
    "memory_model": (npu.memory.memory_model, {"lattice": SQUARE.lattice, "patterns": np.ones((2, 16))}),
    "relax": (npu.memory.relax, {"model": SQUARE, "spins": np.ones(16)}),
    "retrieval": (npu.memory.retrieval, {"lattice": SQUARE.lattice, "n_patterns": [1], "overlap": 1.0}),
    "mean_field_overlap": (npu.memory.mean_field_overlap, {"load": 0.1}),
    "token_field": (npu.dictionary.token_field, {"embedding": [0.1], "beta": 1.0}),
    "lorentz": (npu.dictionary.lorentz, {"a": 0.1, "theta": 0.1}),
    "attention_step": (
        npu.dictionary.attention_step, {"x": [1.0, 2.0], "keys": np.ones((3, 2)), "beta": 1.0, "dt": 0.5},
    ),
    "amplitude_control": (npu.dictionary.amplitude_control, {"x": [1.0], "time": 1.0, "scope": "all"}),
    "hidden_energy": (
        npu.dictionary.hidden_energy,
        {"visible": [1.0, 2.0], "weights": np.ones((3, 2)), "biases": np.ones(3), "beta": 1.0},
    ),
    "gradient_share": (npu.dictionary.gradient_share, {"jacobian": np.eye(2)}),
    "torus": (npu.ground_states.torus_ground_state, {"model": SQUARE}),
    "tts": (npu.tts, {"seconds": 1.0, "probability": 0.5, "goal": 0.9}),
    "film": (npu.film.film, {"model": SQUARE, "beta": [0.3], "sweeps": 1}),
    "max_cut": (npu.max_cut, {"graph": None}),
    "from_qubo": (npu.from_qubo, {"linear": [1.0, 2.0], "pairs": [(0, 1)], "quadratic": [1.0], "offset": 0.0}),
    "number_partitioning": (npu.number_partitioning, {"numbers": [1, 2]}),
    "couplings_of": (npu.couplings_of, {"model": SQUARE, "realism": npu.Realism()}),
    "useful_bits": (npu.useful_bits.useful_bits, {"models": {4: SQUARE}, "beta": 0.2}),
}  # fmt: skip
FINE = {  # what is not wrong there
    ("couplings_of", "realism"): [None],
    ("from_qubo", "offset"): [-1],
    ("lorentz", "theta"): [-1],
    ("token_field", "embedding"): [EMPTY],
    ("attention_step", "x"): [CUBE],
    ("attention_step", "keys"): [CUBE],
    ("amplitude_control", "x"): [-1, CUBE],
    ("hidden_energy", "visible"): [CUBE],
    ("tts", "probability"): [CUBE],
    ("tts", "seconds"): WRONG,
    ("film", "beta"): [CUBE],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CALLS)
def test_wrong_kinds_are_refused(name):
    function, good = CALLS[name]
    for argument in good:
        fine = FINE.get((name, argument), [])
        for wrong in WRONG:
            if not any(wrong is value for value in fine):
                check(function, good | {argument: wrong})


def check(function, arguments):
    with pytest.raises(ValueError, match=r"\w{3}") as refusal:
        function(**arguments)
    assert "truth value" not in str(refusal.value)
