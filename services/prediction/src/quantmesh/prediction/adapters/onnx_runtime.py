"""What serves a trained model. onnxruntime is loaded with the first model, so that an idle service stays small."""

from typing import Any

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.panel import Windows


class OnnxSession:
    """One model, on one thread: a single window takes some 0.06 ms, less than waking a second one."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime  # on first use: it takes 0.3 s and 40 MB

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def predict(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Location and scale in units of the naive scale, each of shape (n,), for windows (n, WINDOW, features)."""
        location, scale = self._session.run(["location", "scale"], {"windows": windows})
        return location.astype(np.float64), scale.astype(np.float64)
