"""Answers that are too large for the caches are stored past them: no line is read there before it is overwritten."""

from typing import Any

# llvmlite ships no type information.
from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import for_range
from numba.extending import intrinsic

from quantmesh.quant._elementary_kernels import INLINE

_SMALLEST_SIZE = 1 << 20
_LANES = 4
_ALIGNMENT = 8 * _LANES


def _streams(outputs: Any) -> bool:
    """Whether the rows of `outputs` are large, and each begins where a vector may."""
    aligned = outputs.shape[1] % _LANES == 0 and outputs.ctypes.data % _ALIGNMENT == 0
    return bool(aligned and outputs.size >= _SMALLEST_SIZE)


def _stream(_typing_context: Any, outputs: Any, row: Any, start: Any, source: Any, offset: Any, count: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer, vector = ir.IntType(64), ir.VectorType(ir.DoubleType(), _LANES)
        matrix = context.make_array(signature.args[0])(context, builder, arguments[0])
        column = context.make_array(signature.args[3])(context, builder, arguments[3])
        row_bytes = builder.extract_value(matrix.strides, 0)

        def address(data: Any, *parts: Any) -> Any:
            found = builder.ptrtoint(data, integer)
            for part in parts:
                found = builder.add(found, part)
            return builder.inttoptr(found, vector.as_pointer())

        past_caches = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        width, size = ir.Constant(integer, _ALIGNMENT), ir.Constant(integer, 8)
        in_row, to = builder.mul(arguments[1], row_bytes), builder.mul(arguments[2], size)
        since = builder.mul(arguments[4], size)
        vectors = builder.udiv(arguments[5], ir.Constant(integer, _LANES))
        with for_range(builder, vectors) as loop:
            done = builder.mul(loop.index, width)
            value = builder.load(address(column.data, since, done), align=8)
            builder.store(value, address(matrix.data, in_row, to, done), align=_ALIGNMENT).set_metadata(
                "nontemporal", past_caches
            )
        return context.get_dummy_value()

    return types.void(outputs, row, start, source, offset, count), generate


def _settle(_typing_context: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


streams = njit(**INLINE)(_streams)
# outputs[row, start : start + count] = source[offset : offset + count]; start and count are multiples of the lanes.
stream: Any = intrinsic(_stream)
# After it, other threads see what was streamed.
settle: Any = intrinsic(_settle)
