"""64 bytes or 64 node numbers as one value inside Numba kernels, and the bit operations that go with them.

Used by the cluster kernels; on CPUs without wide vectors LLVM splits the operations and the results stay the same.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
BITS = ir.VectorType(I1, 64)
BYTES = ir.VectorType(I8, 64)
NUMBERS = ir.VectorType(I32, 64)


def _pointer(array_type: Any, vector: Any, context: Any, builder: Any, array: Any, index: Any) -> Any:
    """Pointer to 64 consecutive elements of a contiguous array."""
    base = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(base, [index]), vector.as_pointer())


@intrinsic
def load_bits(typing_context: Any, values: Any, start: Any) -> Any:
    """Bit k of the result is bit 0 of byte start + k, for 64 bytes of a contiguous uint8 array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(_pointer(signature.args[0], BYTES, context, builder, *arguments))
        loaded.align = 1
        return builder.bitcast(builder.trunc(loaded, BITS), I64)

    return types.uint64(values, types.uint64), codegen


@intrinsic
def store_bits(typing_context: Any, values: Any, start: Any, word: Any) -> Any:
    """Byte start + k becomes bit k of a word, for 64 bytes of a contiguous uint8 array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(signature.args[0], BYTES, context, builder, *arguments[:2])
        builder.store(builder.zext(builder.bitcast(arguments[2], BITS), BYTES), pointer).align = 1
        return context.get_dummy_value()

    return types.none(values, types.uint64, types.uint64), codegen


@intrinsic
def count_ones(typing_context: Any, word: Any) -> Any:
    """Number of one bits."""
    return types.uint64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Position of the lowest one bit; word != 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(I1, 1))

    return types.uint64(types.uint64), codegen


@intrinsic
def attach_alone(typing_context: Any, parent: Any, upper: Any, lower: Any, active: Any) -> Any:
    """For 64 pairs (upper + k, lower + k) at once: parent[u] = parent[l] where bit k is active and parent[u] == u.

    Returns the active lanes in which u had a parent already and it is not parent[l]. Needs upper - lower >= 64, so that
    no lane reads what another writes; parent is uint32.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start_upper, start_lower, active = arguments
        mine_at = _pointer(signature.args[0], NUMBERS, context, builder, array, start_upper)
        other_at = _pointer(signature.args[0], NUMBERS, context, builder, array, start_lower)
        mine, other = builder.load(mine_at), builder.load(other_at)
        mine.align = other.align = 4
        undefined = ir.Constant(NUMBERS, ir.Undefined)
        first = builder.insert_element(undefined, builder.trunc(start_upper, I32), ir.Constant(I32, 0))
        nodes = builder.shuffle_vector(first, undefined, ir.Constant(NUMBERS, [0] * 64))
        nodes = builder.add(nodes, ir.Constant(NUMBERS, list(range(64))))
        lanes = builder.bitcast(active, BITS)
        alone = builder.icmp_unsigned("==", mine, nodes)
        builder.store(builder.select(builder.and_(lanes, alone), other, mine), mine_at).align = 4
        differs = builder.and_(builder.not_(alone), builder.icmp_unsigned("!=", mine, other))
        return builder.bitcast(builder.and_(lanes, differs), I64)

    return types.uint64(parent, types.uint64, types.uint64, types.uint64), codegen
