"""The LSTM as an ONNX graph, built from Keras's weights, and refused where it computes anything else."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from quantmesh.prediction.adapters.onnx_runtime import OnnxSession
from quantmesh.prediction.core.errors import ExportDiffers
from quantmesh.prediction.core.panel import Windows

LARGEST_DIFFERENCE: Final = 1e-5
_OPSET: Final = 17
_IR_VERSION: Final = 9
"""The least that opset 17 needs, so that older runtimes read the file too."""

Array = npt.NDArray[np.float32]
Answer = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class LstmWeights:
    """As Keras keeps them, gates in the order input, forget, cell, output: kernel (features, 4 units), recurrent
    (units, 4 units), bias (4 units,), head (units, 2), head_bias (2,)."""

    kernel: Array
    recurrent: Array
    bias: Array
    head: Array
    head_bias: Array
    location_gain: float


def export_checked(weights: LstmWeights, probe: Windows, expected: Answer) -> bytes:
    """The graph's bytes. Raises ExportDiffers where it answers `probe` otherwise than `expected`."""
    content = build_graph(weights).SerializeToString()
    answered = OnnxSession(content).predict(probe)
    difference = max(float(np.max(np.abs(ours - theirs))) for ours, theirs in zip(answered, expected, strict=True))
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportDiffers(difference, LARGEST_DIFFERENCE)
    return content


def build_graph(weights: LstmWeights) -> onnx.ModelProto:
    """From "windows" (n, window, features) to "location" and "scale", each (n,)."""
    units = weights.recurrent.shape[0]
    features = weights.kernel.shape[0]
    # ONNX has a second bias, on the recurrent side, which Keras folds into the first.
    bias = np.concatenate([_reordered(weights.bias[None]), np.zeros((1, 4 * units), np.float32)], axis=1)
    gains = np.array([weights.location_gain, 1.0], np.float32)
    constants = {
        "kernel": _reordered(weights.kernel).T[None],
        "recurrent": _reordered(weights.recurrent).T[None],
        "bias": bias,
        "head": weights.head * gains,
        "head_bias": weights.head_bias * gains,
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["windows"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps", "kernel", "recurrent", "bias"], ["", "last"], hidden_size=units),
        helper.make_node("Squeeze", ["last", "first"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "head", "head_bias"], ["answer"]),
        helper.make_node("Split", ["answer"], ["location_column", "log_scale_column"], axis=1),
        helper.make_node("Squeeze", ["location_column", "second"], ["location"]),
        helper.make_node("Squeeze", ["log_scale_column", "second"], ["log_scale"]),
        helper.make_node("Exp", ["log_scale"], ["scale"]),
    ]
    graph = helper.make_graph(
        nodes,
        "lstm",
        [helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["n", "window", features])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("location", "scale")],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _reordered(weights: Array) -> Array:
    """From Keras's order of gates (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    enter, forget, cell, leave = np.split(weights, 4, axis=1)
    return np.concatenate([enter, leave, forget, cell], axis=1)
