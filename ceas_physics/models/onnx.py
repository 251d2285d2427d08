"""Reader of BERT encoders in ONNX files: protocol-buffer fields, named tensors, and the graph nodes that use them.

Exporters keep the names of tables, norms and biases but rename the transposed matrices; the name of the node that
multiplies with a matrix says which one it is. Field numbers are those of onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .bert import BertShape

TYPES = {1: "<f4", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}
ROOTS = ("embeddings.", "encoder.")


class Node(NamedTuple):
    """A node of the graph: name, operation, names of its inputs and outputs, attributes by name."""

    name: str
    operation: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, dict[int, list[Any]]]


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        place, value, shift = place + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, place


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """(field number, value) of a message; IndexError if it ends too soon."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        if key & 7 == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if key & 7 == 2:
            size, place = _varint(data, place)
        elif key & 7 in (1, 5):
            size = 8 if key & 7 == 1 else 4
        else:
            raise IndexError(f"unknown kind of field {key & 7}")
        if place + size > len(data):
            raise IndexError("a field ends after the file")
        yield key >> 3, data[place : place + size]
        place += size


def _message(data: memoryview) -> dict[int, list[Any]]:
    fields: dict[int, list[Any]] = {}
    for number, value in _fields(data):
        fields.setdefault(number, []).append(value)
    return fields


def _text(fields: dict[int, list[Any]], number: int) -> str:
    return str(fields[number][0], "utf-8") if number in fields else ""


def _array(tensor: dict[int, list[Any]]) -> np.ndarray:
    """Array of a TensorProto with raw data; KeyError without it (external data)."""
    shape = tuple(tensor.get(1, []))
    array = np.frombuffer(tensor[9][0], TYPES[tensor[2][0]])
    if array.size != prod(shape):
        raise IndexError(f"tensor {_text(tensor, 8)} has {array.size} numbers for the shape {shape}")
    return array.reshape(shape)


def _node(data: memoryview) -> Node:
    node = _message(data)
    attributes = {_text(attribute, 1): attribute for attribute in map(_message, node.get(5, []))}
    inputs, outputs = ([str(value, "utf-8") for value in node.get(number, [])] for number in (1, 2))
    return Node(_text(node, 3), _text(node, 4), inputs, outputs, attributes)


def _bert_name(name: str) -> str | None:
    """The part of a name from `embeddings.` or `encoder.` on; None for names without it."""
    places = [name.find(root) for root in ROOTS if root in name]
    return name[min(places) :] if places else None


def read_onnx(path: Path) -> tuple[BertShape, dict[str, np.ndarray]]:
    """Sizes and parameters of a BERT encoder in an ONNX file, in single precision.

    Raises
    ------
    ValueError
        The file is truncated, not ONNX, not a BERT encoder, or its data lie in other files.
    """
    try:
        graph = _message(_message(np.memmap(path, mode="r").data)[7][0])
        nodes = [_node(data) for data in graph[1]]
        arrays = {_text(tensor, 8): _array(tensor) for tensor in map(_message, graph[5])}
    except (IndexError, KeyError, ValueError, AttributeError, TypeError):
        raise ValueError(f"{path} is not a whole ONNX file with its tensors inside; fetch it again") from None
    parameters = {_bert_name(name) or name: array for name, array in arrays.items()}
    for node in nodes:
        matrix = [arrays[name] for name in node.inputs if name in arrays]
        place = _bert_name(node.name.replace("/", "."))
        if node.operation == "MatMul" and matrix and place:
            parameters[place.removesuffix(".MatMul") + ".weight"] = np.ascontiguousarray(matrix[0].T)
    try:
        return _shape(nodes, parameters), parameters
    except (KeyError, StopIteration, IndexError):
        raise ValueError(
            f"{path} is not a BERT encoder with the names of its modules; give the model as safetensors, "
            "or measure arrays of q and k from your own framework"
        ) from None


def _shape(nodes: list[Node], parameters: dict[str, np.ndarray]) -> BertShape:
    """Sizes from the tensors; d_k from the square root by which the graph divides the scores of its first layer."""
    vocabulary, d_model = parameters["embeddings.word_embeddings.weight"].shape
    layers = {name.split(".")[2] for name in parameters if name.startswith("encoder.layer.")}
    constants = {node.outputs[0]: node for node in nodes if node.operation == "Constant"}
    division = next(node for node in nodes if node.operation == "Div" and "attention/self" in node.name)
    root = float(_array(_message(constants[division.inputs[1]].attributes["value"][5][0])))
    norm = next(node for node in nodes if node.operation == "LayerNormalization")
    epsilon = float(np.frombuffer(norm.attributes["epsilon"][2][0], "<f4")[0])
    return BertShape(
        n_layers=len(layers),
        n_heads=round(d_model / root**2),
        d_model=d_model,
        d_ff=len(parameters["encoder.layer.0.intermediate.dense.bias"]),
        vocabulary=vocabulary,
        positions=len(parameters["embeddings.position_embeddings.weight"]),
        epsilon=epsilon,
    )
