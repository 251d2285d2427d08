"""Every reader of files with a good file of its format; damaged copies take its place."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from calls_of_ceas import TEXT, TINY
from good_calls import Table
from model_files import BERT, LLAMA, gguf_name, llama_metadata, random_parameters, write_bert, write_gguf, write_onnx

import ceas_physics as ceas
import ising
from ceas_physics import models, scaling_files, training
from ceas_physics.npu.instances import read_instance

KINDS = ("cut", "flip", "flips", "swap", "zeros", "ones", "grow", "digit")
NUMBERS = b"0123456789"


class Content(bytes):
    """The bytes of a good file."""

    __slots__ = ()


def damaged(name: str, good: bytes) -> bytes:
    """A damaged copy, by its name: a kind and a seed."""
    kind, _, number = name.partition(" ")
    rng, data = np.random.default_rng([KINDS.index(kind), int(number)]), bytearray(good)
    reach = len(data) if int(number) % 2 else min(len(data), 600)  # every other one near the start, where headers are
    at, length = int(rng.integers(reach)), int(rng.integers(1, 9))
    if kind == "cut":
        del data[at:]
    elif kind == "swap":
        data[at : at + length], data[:length] = data[:length], data[at : at + length]
    elif kind in ("zeros", "ones"):
        data[at : at + length] = (b"\0" if kind == "zeros" else b"\xff") * length
    elif kind == "grow":
        data[at:at] = bytes(rng.integers(0, 256, length, dtype=np.uint8))
    elif kind == "digit":
        places = [k for k, byte in enumerate(data[:5_000]) if byte in NUMBERS] or [at]
        data[places[int(rng.integers(len(places)))]] = 57
    else:
        for place in rng.integers(0, reach, 1 if kind == "flip" else 5):
            data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def reader(read: Callable[[Path], Any], name: str, beside: Path | None = None) -> Callable[[bytes], Any]:
    """A function of the bytes of a file, which is read in a folder of its own with what belongs beside it."""

    def call(content: bytes) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            for other in beside.iterdir() if beside else ():
                (Path(folder) / other.name).write_bytes(other.read_bytes())
            path = Path(folder) / name
            path.write_bytes(content)
            return read(path)

    return call


def table() -> Table:
    calls = Table()
    folder = Path(tempfile.mkdtemp())
    files: dict[str, tuple[Callable[[Path], Any], Path, Path | None]] = {}
    bert = write_bert(folder / "bert", random_parameters(BERT, 0))
    files["safetensors"] = models.load, bert / "model.safetensors", bert
    files["config.json"] = lambda path: models.load(path.parent), bert / "config.json", bert
    llama = random_parameters(LLAMA, 0)
    tensors = {gguf_name(name): (array.shape, 0, array.tobytes()) for name, array in llama.items()}  # 0: F32
    write_gguf(folder / "model.gguf", llama_metadata(), tensors)
    files["gguf"] = models.load, folder / "model.gguf", None
    write_onnx(folder / "model.onnx", random_parameters(BERT, 0), BERT)
    files["onnx"] = models.load, folder / "model.onnx", None
    run = ising.sample(ising.ferromagnet(ising.square(4)), [0.3, 0.4], ising.Schedule(5, 40), chains=4, progress=False)
    run.to_netcdf(folder / "run.nc")
    larger = ising.sample(
        ising.ferromagnet(ising.square(6)), [0.3, 0.4], ising.Schedule(5, 40), chains=4, progress=False
    )
    larger.to_netcdf(folder / "larger.nc")
    files["netcdf"] = lambda path: scaling_files.read_sizes([path, folder / "larger.nc"]), folder / "run.nc", None
    ceas.train(TINY, TEXT, seed=1, steps=6, progress=False, checkpoint=folder / "checkpoint.npz")
    files["checkpoint"] = training.recover, folder / "checkpoint.npz", None
    texts = {
        "graph.txt": "3 2\n1 2 1\n2 3 -1\n",
        "graph.mtx": "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n2 1 1.5\n3 2 -1\n",
        "graph.coo": "# vartype=SPIN\n0 1 1.0\n1 2 -0.5\n",
    }
    for name, content in texts.items():
        (folder / name).write_text(content)
        files[name] = read_instance, folder / name, None
    for name, (read, path, beside) in files.items():
        good = Content(path.read_bytes())
        words = {"content": "BERT|Llama|file|model|graph|run|checkpoint|config|tensor|vocab"}
        calls.add(f"file {name}", reader(read, path.name, beside), content=good, words=words, undefined="*")
    return calls
