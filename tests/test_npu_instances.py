import io
import json

import numpy as np
import pytest

import ising
from ceas_physics.npu.instances import read_coo, read_dimod, read_gset, read_instance, read_matrix_market
from ceas_physics.npu.problems import cut_weight

dimod = pytest.importorskip("dimod")

RING = "5 5\n1 2 1\n2 3 1\n3 4 1\n4 5 1\n5 1 1\n"
SYMMETRIC = "%%MatrixMarket matrix coordinate real symmetric\n% a comment\n3 3 2\n2 1 0.5\n3 1 -2\n"
GENERAL = "%%MatrixMarket matrix coordinate integer general\n3 3 4\n1 2 1\n2 1 1\n3 1 -2\n1 3 -2\n"
ARRAY = "%%MatrixMarket matrix array real symmetric\n3 3\n0\n0.5\n-2\n0\n0\n0\n"


def written(tmp_path, text, name="graph.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def every_configuration(n):
    return 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1


def test_gset(tmp_path):
    model = read_gset(written(tmp_path, RING))
    energies = model.energy(every_configuration(5))
    assert model.attrs["total_weight"] == 5
    assert cut_weight(model, energies.min()) == 4
    assert cut_weight(model, energies.max()) == 0
    weighted = read_gset(written(tmp_path, "# made by hand\n\n3 3 \n 1 2 3\n1 3 -1\n3 2\n"))
    assert weighted.lattice.bonds.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert weighted.couplings.tolist() == [-3, 1, -1]
    assert cut_weight(weighted, float(weighted.energy([1, -1, 1]))) == 4


def test_gset_equals_networkx(tmp_path):
    nx = pytest.importorskip("networkx")
    graph = nx.gnm_random_graph(12, 30, seed=3)
    lines = [f"{a + 1} {b + 1} {(-1) ** (a + b)}" for a, b in graph.edges]
    model = read_gset(written(tmp_path, "\n".join(["12 30", *lines])))
    rng = np.random.default_rng(1)
    for spins in rng.choice([-1, 1], (20, 12)):
        direct = sum((-1) ** (a + b) for a, b in graph.edges if spins[a] != spins[b])
        assert cut_weight(model, float(model.energy(spins))) == direct


@pytest.mark.parametrize("text", [SYMMETRIC, ARRAY])
def test_matrix_market(tmp_path, text):
    path = written(tmp_path, text, "matrix.mtx")
    cut, coupling = read_matrix_market(path), read_matrix_market(path, "coupling")
    assert cut.attrs["total_weight"] == -1.5
    spins = every_configuration(3)
    expected = ising.from_matrix([[0, 0.5, -2], [0.5, 0, 0], [-2, 0, 0]]).energy(spins)
    np.testing.assert_allclose(coupling.energy(spins), expected)
    np.testing.assert_allclose(cut.energy(spins), -expected)


def test_matrix_market_general_and_pattern(tmp_path):
    general = read_matrix_market(written(tmp_path, GENERAL), "coupling")
    assert dict(zip(map(tuple, general.lattice.bonds.tolist()), general.couplings)) == {(0, 1): 1, (0, 2): -2}
    pattern = read_matrix_market(written(tmp_path, "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 1\n3 1\n"))
    assert pattern.attrs["total_weight"] == 1


def random_bqm(vartype, labels):
    rng = np.random.default_rng(5)
    n = len(labels)
    bqm = dimod.BinaryQuadraticModel(vartype)
    for i, label in enumerate(labels):
        bqm.add_linear(label, round(float(rng.normal()), 6))
        for j in range(max(0, i - 3), i):
            bqm.add_quadratic(label, labels[j], round(float(rng.normal()), 6))
    bqm.offset = 0.25
    return bqm, every_configuration(n)


def serialized(bqm):
    with bqm.to_file() as file:
        return file.read()


def energies(bqm, labels, spins):
    values = spins if bqm.vartype is dimod.SPIN else (spins + 1) // 2
    return bqm.energies((values, labels))


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_coo_is_read_as_dimod_reads_it(tmp_path, vartype):
    from dimod.serialization import coo

    bqm, spins = random_bqm(vartype, [0, 2, 3, 7, 11])
    bqm.offset = 0.0
    model = read_coo(written(tmp_path, coo.dumps(bqm, vartype_header=True), "a.coo"))
    direct = energies(bqm, [0, 2, 3, 7, 11], spins)
    np.testing.assert_allclose(model.energy(spins) + model.attrs["offset"], direct, atol=1e-12)
    bare = written(tmp_path, coo.dumps(bqm))
    with pytest.raises(ValueError, match="vartype must be"):
        read_coo(bare)
    np.testing.assert_allclose(read_coo(bare, vartype).energy(spins), model.energy(spins))
    twice = read_coo(written(tmp_path, "0 1 1\n1 0 2\n0 0 1\n0 0 1\n"), "SPIN")
    assert twice.energy([1, 1]) == 5


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
@pytest.mark.parametrize("form", ["file", "json"])
def test_dimod_files(tmp_path, vartype, form):
    labels = ["x", 4, ("a", 1), "y", "z"]
    bqm, spins = random_bqm(vartype, labels)
    content = serialized(bqm) if form == "file" else json.dumps(bqm.to_serializable()).encode()
    model = read_dimod(written(tmp_path, content, "a.bqm"))
    order = list(dimod.BinaryQuadraticModel.from_file(io.BytesIO(serialized(bqm))).variables)
    np.testing.assert_allclose(model.energy(spins) + model.attrs["offset"], energies(bqm, order, spins), atol=1e-9)


def test_read_instance_goes_by_the_ending(tmp_path):
    assert read_instance(written(tmp_path, RING, "G99")).name == "gset"
    assert read_instance(written(tmp_path, SYMMETRIC, "a.mtx")).name == "matrix_market"
    assert read_instance(written(tmp_path, "# vartype=SPIN\n0 1 1\n", "a.coo")).name == "coo"
    assert read_instance(written(tmp_path, serialized(random_bqm("SPIN", [0, 1])[0]), "a.bqm")).name == "bqm"


def test_text_that_is_not_numbers_is_named_with_its_line(tmp_path):
    for text, words in (
        ("3 1\n1 2 1_0\n", "line 2: expected a number, got '1_0'"),
        ("# Gr\u00fc\u00dfe\n3 1\n1 \u0662 1\n", "line 3: not a text file of numbers"),
        ("3 2\n1 2 1e308\n1 3 1e308\n", "sum of all weights"),
    ):
        with pytest.raises(ValueError, match=words):
            read_gset(written(tmp_path, text))


MALFORMED = {
    "": "no numbers",
    "5\n": r"line 1: expected the two numbers N M, got '5'",
    "5 x\n": r"line 1: expected an integer >= 0, got 'x'",
    "3 2\n1 2 1\n": r"line 1: 2 entries are promised, the file has 1",
    "3 1\n1 2 1\n\n2 3 1\n": r"line 4: an entry more than the 1",
    "3 1\n1 4 1\n": r"line 2: indices must be in \[1, 3\], got 1 4",
    "3 1\n0 2 1\n": r"line 2: indices must be in",
    "3 1\n2 2 1\n": r"line 2: a self-loop at 2",
    "3 2\n1 2 1\n2 1 1\n": r"line 3: the entry \(1, 2\) is given twice|line 3: the entry \(2, 1\) is given twice",
    "3 1\n1 2 nan\n": r"line 2: numbers must be finite, got 'nan'",
    "3 1\n1 2 one\n": r"line 2: expected a number, got 'one'",
    "3 1\n1 2 1 1\n": r"line 2: expected i j value",
    "3 1\n1 -2 1\n": r"line 2: expected an integer >= 0, got '-2'",
    "3 99999999999999\n1 2 1\n": r"line 1: 99999999999999 entries are promised, but the file has only",
    "999999999999 1\n1 2 1\n": r"line 1: the number of sites must be in \[1, 100000000\]",
    "0 0\n": r"line 1: the number of sites must be in",
    b"\xff\xfe\x00": "not a text file",
}


@pytest.mark.parametrize("text", MALFORMED, ids=repr)
def test_malformed_gset(tmp_path, text):
    with pytest.raises(ValueError, match=MALFORMED[text]):
        read_gset(written(tmp_path, text))


MALFORMED_MATRICES = {
    "3 3 1\n1 2 1\n": "line 1: expected '%%MatrixMarket",
    "%%MatrixMarket matrix coordinate complex general\n1 1 0\n": "line 1",
    SYMMETRIC.replace("3 3 2", "3 4 2"): "line 3: a coupling matrix must be square, got 3 x 4",
    SYMMETRIC.replace("3 3 2", "3 3"): "line 3: expected 3 sizes",
    SYMMETRIC.replace("-2", "inf"): "line 5: numbers must be finite",
    SYMMETRIC.replace("3 1 -2", "3 3 -2"): "line 5: a self-loop at 3",
    GENERAL.replace("1 3 -2", "1 3 2"): r"not symmetric at \(3, 1\)",
    GENERAL.replace("4\n", "3\n").replace("1 3 -2\n", ""): r"not symmetric at \(3, 1\): -2.0, 0.0",
    ARRAY.replace("3 3\n", "4 4\n"): r"line 2: 10 entries are promised, the file ends before \(4, 2\)",
    ARRAY.replace("-2", "-2 1"): "line 5: expected one number",
    ARRAY + "1\n": "line 9: an entry more than the 6",
    ARRAY.replace("3 3\n", "99999 99999\n"): "line 2: 4999950000 entries are promised, but the file has only",
}


@pytest.mark.parametrize("text", MALFORMED_MATRICES, ids=repr)
def test_malformed_matrix_market(tmp_path, text):
    with pytest.raises(ValueError, match=MALFORMED_MATRICES[text]):
        read_matrix_market(written(tmp_path, text))


def test_malformed_coo(tmp_path):
    for text, words in (
        ("# vartype=SPIN\n0 1\n", "line 2: expected three numbers"),
        ("# vartype=SPIN\n0 a 1\n", "line 2: expected an integer"),
        ("# vartype=SPIN\n0 1 inf\n", "line 2: numbers must be finite"),
        ("# vartype=TRIT\n0 1 1\n", "vartype must be 'SPIN' or 'BINARY', got 'TRIT'"),
        ("# vartype=SPIN\n", "no line with a bias"),
    ):
        with pytest.raises(ValueError, match=words):
            read_coo(written(tmp_path, text))


def refusal(path):
    try:
        read_dimod(path)
    except ValueError as error:
        return str(error)
    return None


def test_every_damaged_byte_of_a_dimod_file_is_survived(tmp_path):
    """Wrong indices once killed the process inside a library; each change is read or refused with the file's name."""
    content = serialized(random_bqm("SPIN", list(range(4)))[0])
    rng = np.random.default_rng(0)
    refused = 0
    for position in range(8, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= int(rng.integers(1, 256))
        path = written(tmp_path, bytes(damaged))
        message = refusal(path)
        assert message is None or str(path) in message
        refused += message is not None
    assert refused > 100


@pytest.mark.parametrize("wrong", [99, 2**31 - 1, 2**40, -1, -7, 1.5, 10**30])
def test_wrong_indices_in_json(tmp_path, wrong):
    for end in ("quadratic_head", "quadratic_tail"):
        document = random_bqm("BINARY", list(range(4)))[0].to_serializable()
        document[end][0] = wrong
        with pytest.raises(ValueError, match=r"graph\.txt: damaged BQM"):
            read_dimod(written(tmp_path, json.dumps(document)))


def test_damaged_dimod_files(tmp_path):
    """Cut anywhere, or promising sizes that the file does not hold: refused, without a crash or a large allocation."""
    content = serialized(random_bqm("SPIN", list(range(6)))[0])
    for end in range(0, len(content) - 1, 7):
        if content[end:].strip():  # not only padding is missing
            with pytest.raises(ValueError, match=r"graph.txt.*BQM"):
                read_dimod(written(tmp_path, content[:end]))
    absurd = content.replace(b'"shape": [6, 12]', b'"shape": [6, 99999999999]')
    assert absurd != content
    with pytest.raises(ValueError, match="damaged BQM: its header promises"):
        read_dimod(written(tmp_path, absurd))
    with pytest.raises(ValueError, match="damaged BQM"):
        read_dimod(written(tmp_path, content[:60]))
    for text in (b"\xff\xfe1", "[" * 100_000):
        with pytest.raises(ValueError, match=r"graph\.txt: neither a BQM file of dimod nor JSON"):
            read_dimod(written(tmp_path, text))
    with pytest.raises(ValueError, match="line 2: neither a BQM file of dimod nor JSON"):
        read_dimod(written(tmp_path, '{"a":\n !}'))
    with pytest.raises(ValueError, match="damaged BQM"):
        read_dimod(written(tmp_path, "[1, 2]"))
