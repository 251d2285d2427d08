"""Vectors of doubles and small integers as values inside Numba kernels: what `words.py` is for bits.

`Doubles8` are eight doubles, `Doubles64` sixty-four: a local field for each chain of a word. A bit mask chooses lanes,
bit k lane k. Multiply-adds are rounded once (`fma`) and every operation rounds as IEEE says, so that the numbers are
the same on every CPU.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from .words import VECTOR, words

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
DOUBLE = ir.DoubleType()
INT16 = ir.VectorType(I32, 16)


class DoublesType(types.Type):
    """Numba's type of a vector of doubles."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.vector = ir.VectorType(DOUBLE, width)
        super().__init__(name=f"Doubles{width}")


eight, sixty_four = DoublesType(8), DoublesType(64)


@register_model(DoublesType)
class DoublesModel(models.PrimitiveModel):
    """An LLVM vector."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, fe_type.vector)


def _define_operator(op: Any, method: str) -> None:
    @type_callable(op)
    def typer(context: Any) -> Any:
        return lambda a, b: a if isinstance(a, DoublesType) and a == b else None

    @lower_builtin(op, DoublesType, DoublesType)
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, method)(*arguments)


for _op, _method in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define_operator(_op, _method)


def _splat(builder: Any, value: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count))


def _constants(vector: Any, value: Any) -> Any:
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def _lanes(builder: Any, mask: Any, count: int) -> Any:
    """The low bits of an int64 as a vector of booleans."""
    low = mask if count == 64 else builder.trunc(mask, ir.IntType(count))
    return builder.bitcast(low, ir.VectorType(ir.IntType(1), count))


def _bits(builder: Any, chosen: Any) -> Any:
    """A vector of booleans as the low bits of an int64."""
    packed = builder.bitcast(chosen, ir.IntType(chosen.type.count))
    return packed if chosen.type.count == 64 else builder.zext(packed, I64)


def _call(builder: Any, name: str, *arguments: Any) -> Any:
    """An LLVM intrinsic whose arguments and result have one type."""
    kind = arguments[0].type
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * len(arguments)), name)
    return builder.call(function, arguments)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, start: Any, vector: Any) -> Any:
    base = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(base, [start]), vector.as_pointer())


def _load(context: Any, builder: Any, array_type: Any, array: Any, start: Any, vector: Any) -> Any:
    value = builder.load(_pointer(context, builder, array_type, array, start, vector))
    value.align = 8 if vector.element == DOUBLE else 4
    return value


@intrinsic
def splat8(typing_context: Any, value: Any) -> Any:
    """The same double eight times."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[0], eight.vector)

    return eight(types.float64), codegen


@intrinsic
def splat64(typing_context: Any, value: Any) -> Any:
    """The same double sixty-four times."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(builder, arguments[0], sixty_four.vector)

    return sixty_four(types.float64), codegen


@intrinsic
def load8(typing_context: Any, array: Any, start: Any) -> Any:
    """Doubles start .. start + 7 of a contiguous array, counted flat."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _load(context, builder, signature.args[0], arguments[0], arguments[1], eight.vector)

    return eight(array, types.intp), codegen


@intrinsic
def store(typing_context: Any, array: Any, start: Any, value: Any) -> Any:
    """Write the doubles of `value` to array[start ..], contiguous, counted flat."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1], signature.args[2].vector)
        builder.store(arguments[2], pointer).align = 8
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def add_where(typing_context: Any, total: Any, mask: Any, value: Any) -> Any:
    """Add value in the lanes of the mask; value is a vector, or one double for all."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = signature.args[0].vector
        added = arguments[2] if isinstance(signature.args[2], DoublesType) else _splat(builder, arguments[2], vector)
        chosen = _lanes(builder, arguments[1], vector.count)
        return builder.select(chosen, builder.fadd(arguments[0], added), arguments[0])

    return total(total, types.uint64, value), codegen


@intrinsic
def negative_where_not(typing_context: Any, value: Any, mask: Any) -> Any:
    """Value in the lanes of the mask, -value in the others: value times the spins of the mask."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = _constants(eight.vector, -0.0)
        chosen = _lanes(builder, arguments[1], 8)
        return builder.select(chosen, arguments[0], builder.fsub(zero, arguments[0]))

    return eight(eight, types.uint64), codegen


@intrinsic
def less(typing_context: Any, a: Any, b: Any) -> Any:
    """Mask of the lanes with a < b."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _bits(builder, builder.fcmp_ordered("<", *arguments))

    return types.uint64(eight, eight), codegen


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """A b + c, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "llvm.fma.v8f64", *arguments)

    return eight(eight, eight, eight), codegen


@intrinsic
def to_doubles(typing_context: Any, value: Any) -> Any:
    """Eight words < 2^53 as doubles, exactly."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sitofp(arguments[0], eight.vector)

    return eight(words), codegen


@intrinsic
def as_words(typing_context: Any, value: Any) -> Any:
    """The bits of eight doubles."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], VECTOR)

    return words(eight), codegen


@intrinsic
def as_doubles(typing_context: Any, value: Any) -> Any:
    """The doubles that have these bits."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], eight.vector)

    return eight(words), codegen


@intrinsic
def store_floor(typing_context: Any, array: Any, start: Any, value: Any) -> Any:
    """Write floor(value), held within the range of int32, to eight entries of a contiguous int32 array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(I32, 8)
        low, high = _constants(eight.vector, -2147483648.0), _constants(eight.vector, 2147483647.0)
        value = _call(builder, "llvm.floor.v8f64", arguments[2])
        value = builder.select(builder.fcmp_ordered(">", value, low), value, low)
        value = builder.select(builder.fcmp_ordered("<", value, high), value, high)
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1], kind)
        builder.store(builder.fptosi(value, kind), pointer).align = 4
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def greater16(typing_context: Any, a: Any, b: Any, start: Any) -> Any:
    """Mask of a[k] > b[k] for the sixteen k from start on; contiguous int32 arrays."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (_load(context, builder, signature.args[k], arguments[k], arguments[2], INT16) for k in (0, 1))
        return _bits(builder, builder.icmp_signed(">", a, b))

    return types.uint64(a, b, types.intp), codegen


@intrinsic
def signed_greater16(typing_context: Any, a: Any, b: Any, start: Any, mask: Any) -> Any:
    """Mask of (a[k] where the mask is set, else -a[k]) > b[k] for the sixteen k from start on; int32 arrays."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (_load(context, builder, signature.args[k], arguments[k], arguments[2], INT16) for k in (0, 1))
        signed = builder.select(_lanes(builder, arguments[3], 16), a, builder.sub(_constants(INT16, 0), a))
        return _bits(builder, builder.icmp_signed(">", signed, b))

    return types.uint64(a, b, types.intp, types.uint64), codegen


@intrinsic
def add_row16(typing_context: Any, total: Any, rows: Any, start: Any, row_start: Any, up: Any) -> Any:
    """total[start ..] += or -= rows[row_start ..] for sixteen int32 entries, counted flat."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a = _load(context, builder, signature.args[0], arguments[0], arguments[2], INT16)
        b = _load(context, builder, signature.args[1], arguments[1], arguments[3], INT16)
        sign = _splat(builder, builder.trunc(arguments[4], I32), INT16)  # 0 or -1
        change = builder.sub(builder.xor(b, sign), sign)
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[2], INT16)
        builder.store(builder.add(a, change), pointer).align = 4
        return context.get_dummy_value()

    return types.none(total, rows, types.intp, types.intp, types.intp), codegen


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Position of the lowest set bit of a word that is not zero."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), codegen


@intrinsic
def count_bits(typing_context: Any, word: Any) -> Any:
    """Number of set bits of a word."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.intp(types.uint64), codegen
