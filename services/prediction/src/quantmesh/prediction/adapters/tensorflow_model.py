"""The LSTM in TensorFlow, for training alone.

Only the worker imports this module: TensorFlow takes seconds and half a gigabyte.
"""

import os
from typing import Final

import numpy as np
import numpy.typing as npt

# Read by TensorFlow while it is imported: errors only, and kernels whose sums do not depend on the CPU's extensions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import tensorflow as tf

from quantmesh.prediction.adapters.onnx_export import LstmWeights, export_checked
from quantmesh.prediction.core.features import FEATURES
from quantmesh.prediction.core.panel import WINDOW, Windows

UNITS: Final = 8
_LEARNING_RATE: Final = 1e-3
_HEAD_SPREAD: Final = 0.01
"""The head starts near zero, so that the untrained network is the naive forecast."""

LOCATION_GAIN: Final = 0.1
"""Expected returns are small beside their scale: the head's first output is damped by this."""


class TensorFlowLstm:
    """One LSTM layer and a Gaussian head, fitted by maximum likelihood. Deterministic for a seed."""

    def __init__(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        tf.config.experimental.enable_op_determinism()
        inputs = keras.Input((WINDOW, len(FEATURES)))
        # Unrolled, since a loop inside the graph costs more than these twenty small steps.
        self._lstm = keras.layers.LSTM(UNITS, unroll=True)
        self._head = keras.layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(stddev=_HEAD_SPREAD))
        self._network = keras.Model(inputs, self._head(self._lstm(inputs)))
        self._optimizer = keras.optimizers.Adam(_LEARNING_RATE)
        self._optimizer.build(self._network.trainable_variables)
        windows = tf.TensorSpec((None, WINDOW, len(FEATURES)), tf.float32)
        self._step = tf.function(self._descend, input_signature=[windows, tf.TensorSpec((None,), tf.float32)])
        self._answer = tf.function(self._network, input_signature=[windows])
        # Traced here, as part of the loading: seconds that the first step would otherwise take.
        self._step.get_concrete_function()

    def step(self, windows: Windows, targets: npt.NDArray[np.float32]) -> float:
        return float(self._step(tf.constant(windows), tf.constant(targets)))

    def predict(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        answer = self._answer(tf.constant(windows)).numpy().astype(np.float64)
        return LOCATION_GAIN * answer[:, 0], np.exp(answer[:, 1])

    def export(self, probe: Windows) -> bytes:
        kernel, recurrent, bias = self._lstm.get_weights()
        head, head_bias = self._head.get_weights()
        weights = LstmWeights(kernel, recurrent, bias, head, head_bias, LOCATION_GAIN)
        return export_checked(weights, probe, self.predict(probe))

    def _descend(self, windows: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """One step on the Gaussian negative log-likelihood, up to its constant."""
        with tf.GradientTape() as tape:
            answer = self._network(windows, training=True)
            location, log_scale = LOCATION_GAIN * answer[:, 0], answer[:, 1]
            loss = tf.reduce_mean(log_scale + 0.5 * tf.square((targets - location) * tf.exp(-log_scale)))
        variables = self._network.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss
