"""Eight 64-bit words as one value inside Numba kernels: what LLVM turns into vector registers.

Numba has no vector type, and LLVM does not find the vectors in loops whose state must live in memory; with this type
the bit kernels run about five times faster. Width 8 is part of the definition of the random streams, not of the CPU: on
narrower units LLVM splits the operations and the numbers stay the same.

Inside a kernel: ``a ^ b``, ``a & b``, ``a | b``, ``a + b`` on two values, ``shift_left(a, 3)``, ``shift_right(a, 11)``
(literal counts), `splat`, `load`, `store`, `gather`, `scatter`, `any_bit`, `add_lanes`.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

WIDTH = 8
ONES = np.uint64(0xFFFFFFFFFFFFFFFF)

I32, I64 = ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(I64, WIDTH)
UNDEFINED = ir.Constant(VECTOR, ir.Undefined)


class WordsType(types.Type):
    """Numba's type of eight words."""

    def __init__(self) -> None:
        super().__init__(name="Words8")


words = WordsType()


@register_model(WordsType)
class WordsModel(models.PrimitiveModel):
    """Eight words are an LLVM vector."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, VECTOR)


def _define_operator(op: Any, method: str) -> None:
    @type_callable(op)
    def typer(context: Any) -> Any:
        return lambda a, b: words if a == words and b == words else None

    @lower_builtin(op, words, words)
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, method)(*arguments)


for _op, _method in ((operator.xor, "xor"), (operator.and_, "and_"), (operator.or_, "or_"), (operator.add, "add")):
    _define_operator(_op, _method)


def _element(array_type: Any, context: Any, builder: Any, array: Any, index: Any) -> Any:
    """Pointer to a flat element of a contiguous array."""
    if array_type.layout != "C":
        raise TypeError(f"the bit kernels address arrays flat and need C order, got {array_type}")
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


def _lane(k: int) -> Any:
    return ir.Constant(I32, k)


def _constant(value: int) -> Any:
    return ir.Constant(VECTOR, [ir.Constant(I64, value)] * WIDTH)


def _signed_indices(context: Any, builder: Any, array_type: Any, array: Any, start: Any) -> tuple[Any, Any]:
    """Eight int32 entries k from `start` as (k if k >= 0 else ~k, all ones where k < 0), both <8 x i64>."""
    pointer = _element(array_type, context, builder, array, start)
    eight = builder.load(builder.bitcast(pointer, ir.VectorType(I32, WIDTH).as_pointer()))
    eight.align = 4
    wide = builder.sext(eight, VECTOR)
    sign = builder.ashr(wide, _constant(63))
    return builder.xor(wide, sign), sign


@intrinsic
def shift_left(typing_context: Any, a: Any, count: Any) -> Any:
    """Each word shifted left by a literal count."""

    if not isinstance(count, types.IntegerLiteral):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.shl(arguments[0], _constant(signature.args[1].literal_value))

    return words(words, count), codegen


@intrinsic
def shift_right(typing_context: Any, a: Any, count: Any) -> Any:
    """Each word shifted right by a literal count, zeros moving in."""

    if not isinstance(count, types.IntegerLiteral):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.lshr(arguments[0], _constant(signature.args[1].literal_value))

    return words(words, count), codegen


@intrinsic
def splat(typing_context: Any, word: Any) -> Any:
    """The same word eight times."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = builder.insert_element(UNDEFINED, arguments[0], _lane(0))
        return builder.shuffle_vector(first, UNDEFINED, ir.Constant(ir.VectorType(I32, WIDTH), [0] * WIDTH))

    return words(types.uint64), codegen


@intrinsic
def load(typing_context: Any, array: Any, start: Any) -> Any:
    """Words start .. start + 7 of a contiguous uint64 array, counted flat."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _element(signature.args[0], context, builder, *arguments)
        value = builder.load(builder.bitcast(pointer, VECTOR.as_pointer()))
        value.align = 8
        return value

    return words(array, types.intp), codegen


@intrinsic
def store(typing_context: Any, array: Any, start: Any, value: Any) -> Any:
    """Write eight words to start .. start + 7 of a contiguous uint64 array, counted flat."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _element(signature.args[0], context, builder, *arguments[:2])
        builder.store(arguments[2], builder.bitcast(pointer, VECTOR.as_pointer())).align = 8
        return context.get_dummy_value()

    return types.none(array, types.intp, words), codegen


@intrinsic
def load_from(typing_context: Any, address: Any) -> Any:
    """Eight words at an address (``array.ctypes.data``): helpers that take addresses cost no reference counting."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(builder.inttoptr(arguments[0], VECTOR.as_pointer()))
        value.align = 8
        return value

    return words(types.intp), codegen


@intrinsic
def store_to(typing_context: Any, address: Any, value: Any) -> Any:
    """Write eight words to an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], VECTOR.as_pointer())).align = 8
        return context.get_dummy_value()

    return types.none(types.intp, words), codegen


def _gather(signed: bool) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        index, sign = _signed_indices(context, builder, signature.args[1], arguments[1], arguments[2])
        value = UNDEFINED
        for k in range(WIDTH):
            word = builder.load(builder.gep(base, [builder.extract_element(index, _lane(k))]))
            value = builder.insert_element(value, word, _lane(k))
        return builder.xor(value, sign) if signed else value

    return codegen


@intrinsic
def gather(typing_context: Any, array: Any, indices: Any, start: Any) -> Any:
    """Words array[k] for the eight int32 k = indices[start ..], counted flat; k < 0 gives the complement of array[~k].

    So a table of neighbours holds the sign of a +-J coupling in the sign of its entries.
    """
    return words(array, indices, types.intp), _gather(signed=True)


@intrinsic
def gather_unsigned(typing_context: Any, array: Any, indices: Any, start: Any) -> Any:
    """As `gather`, but k < 0 gives array[~k] itself."""
    return words(array, indices, types.intp), _gather(signed=False)


@intrinsic
def scatter(typing_context: Any, array: Any, indices: Any, start: Any, value: Any) -> Any:
    """Write word l to array[indices[start + l]] for l = 0 .. 7, in this order; indices >= 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        index, _ = _signed_indices(context, builder, signature.args[1], arguments[1], arguments[2])
        for k in range(WIDTH):
            word = builder.extract_element(arguments[3], _lane(k))
            builder.store(word, builder.gep(base, [builder.extract_element(index, _lane(k))]))
        return context.get_dummy_value()

    return types.none(array, indices, types.intp, words), codegen


@intrinsic
def any_bit(typing_context: Any, value: Any) -> Any:
    """Whether any bit of the eight words is set."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(I64, [VECTOR])
        reduce = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.or.v{WIDTH}i64")
        return builder.icmp_unsigned("!=", builder.call(reduce, [arguments[0]]), ir.Constant(I64, 0))

    return types.boolean(words), codegen


@intrinsic
def add_lanes(typing_context: Any, counts: Any, start: Any, word: Any, shift: Any) -> Any:
    """counts[start + k] += bit k of word << shift for k = 0 .. 63; counts int32, contiguous, counted flat."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.VectorType(I32, 64)
        pointer = builder.bitcast(_element(signature.args[0], context, builder, *arguments[:2]), wide.as_pointer())
        bits = builder.zext(builder.bitcast(arguments[2], ir.VectorType(ir.IntType(1), 64)), wide)
        shift32 = builder.trunc(arguments[3], I32)
        first = builder.insert_element(ir.Constant(wide, ir.Undefined), shift32, _lane(0))
        shifts = builder.shuffle_vector(first, ir.Constant(wide, ir.Undefined), ir.Constant(wide, [0] * 64))
        present = builder.load(pointer)
        present.align = 4
        builder.store(builder.add(present, builder.shl(bits, shifts)), pointer).align = 4
        return context.get_dummy_value()

    return types.none(counts, types.intp, types.uint64, types.intp), codegen


@njit(inline="always")
def next_words(a, b, c, counter):  # type: ignore[no-untyped-def]
    """Eight SFC64 generators (Doty-Humphrey) in step: eight random words and the next state (a, b, c, counter)."""
    out = a + b + counter
    rotated = shift_left(c, 24) | shift_right(c, 40)
    return out, b ^ shift_right(b, 11), c + shift_left(c, 3), rotated + out
