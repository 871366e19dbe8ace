import numpy as np
import pytest

from quantmesh.prediction.adapters.onnx_export import LstmWeights, export_checked
from quantmesh.prediction.adapters.onnx_runtime import OnnxSession
from quantmesh.prediction.core.errors import ExportDiffers
from quantmesh.prediction.core.panel import Windows

UNITS, FEATURES, STEPS = 4, 3, 6


def weights() -> LstmWeights:
    random = np.random.default_rng(0)

    def normal(*shape: int) -> Windows:
        return random.standard_normal(shape).astype(np.float32)

    return LstmWeights(
        normal(FEATURES, 4 * UNITS), normal(UNITS, 4 * UNITS), normal(4 * UNITS), normal(UNITS, 2), normal(2), 0.1
    )


def probe() -> Windows:
    return np.random.default_rng(1).standard_normal((7, STEPS, FEATURES)).astype(np.float32)


def lstm_by_its_formula(w: LstmWeights, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Hochreiter and Schmidhuber's cell with a forget gate, gates in Keras's order, in double precision."""

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return np.asarray(1.0 / (1.0 + np.exp(-x)))

    hidden = np.zeros((len(windows), UNITS))
    cell = np.zeros((len(windows), UNITS))
    for step in range(windows.shape[1]):
        gates = windows[:, step].astype(np.float64) @ w.kernel + hidden @ w.recurrent + w.bias
        enter, forget, candidate, leave = np.split(gates, 4, axis=1)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(candidate)
        hidden = sigmoid(leave) * np.tanh(cell)
    answer = hidden @ w.head + w.head_bias
    return w.location_gain * answer[:, 0], np.exp(answer[:, 1])


def test_the_graph_computes_the_lstm_of_the_formula() -> None:
    expected = lstm_by_its_formula(weights(), probe())
    answered = OnnxSession(export_checked(weights(), probe(), expected)).predict(probe())
    np.testing.assert_allclose(answered[0], expected[0], atol=1e-6)
    np.testing.assert_allclose(answered[1], expected[1], rtol=1e-6)


def test_one_window_and_many_give_the_same() -> None:
    session = OnnxSession(export_checked(weights(), probe(), lstm_by_its_formula(weights(), probe())))
    many = session.predict(probe())
    one = session.predict(probe()[3:4])
    assert (one[0][0], one[1][0]) == pytest.approx((many[0][3], many[1][3]), rel=1e-6)


@pytest.mark.parametrize("wrong_by", [2e-5, float("nan")])
def test_an_export_that_differs_is_refused(wrong_by: float) -> None:
    location, scale = lstm_by_its_formula(weights(), probe())
    location[2] += wrong_by
    with pytest.raises(ExportDiffers):
        export_checked(weights(), probe(), (location, scale))
