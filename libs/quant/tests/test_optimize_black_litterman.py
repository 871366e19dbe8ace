"""Black and Litterman's posterior against the tables of He and Litterman (1999), Bayes' rule, and its limits."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize import Constraints

# He and Litterman, The Intuition Behind Black-Litterman Model Portfolios, 1999, tables 1 and 2: Australia, Canada,
# France, Germany, Japan, United Kingdom, United States, in per cent.
VOLATILITY = np.array([16.0, 20.3, 24.8, 27.1, 21.0, 20.0, 18.7]) / 100
MARKET = np.array([1.6, 2.2, 5.2, 5.5, 11.6, 12.4, 61.5]) / 100
IMPLIED = [3.9, 6.9, 8.4, 9.0, 4.3, 6.8, 7.6]
ABOVE_DIAGONAL = [0.488, 0.478, 0.515, 0.439, 0.512, 0.491, 0.664, 0.655, 0.310, 0.608, 0.779]
ABOVE_DIAGONAL += [0.861, 0.355, 0.783, 0.668, 0.354, 0.777, 0.653, 0.405, 0.306, 0.652]
CORRELATION = np.eye(7)
CORRELATION[np.triu_indices(7, 1)] = ABOVE_DIAGONAL
CORRELATION += np.triu(CORRELATION, 1).T
MATRIX = CORRELATION * np.outer(VOLATILITY, VOLATILITY)
GERMANY = [0.0, 0.0, -0.295, 1.0, 0.0, -0.705, 0.0]
CANADA = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0]


def per_cent(values: ArrayLike) -> list[float]:
    return [round(100 * float(value), 1) for value in np.asarray(values)]


def test_one_view_gives_the_published_returns_and_weights() -> None:
    """Their table 4: Germany beats the rest of Europe by 5 per cent."""
    posterior = optimize.black_litterman(MATRIX, MARKET, views=[GERMANY], view_returns=[0.05])
    assert per_cent(posterior.implied_return) == IMPLIED
    assert per_cent(posterior.expected_return) == [4.3, 7.6, 9.3, 11.0, 4.5, 7.0, 8.1]
    weights = np.linalg.solve(2.5 * posterior.covariance, posterior.expected_return)
    # The table has -4.0 for France, from inputs with more digits than it prints.
    assert per_cent(weights) == pytest.approx([1.5, 2.1, -4.0, 35.4, 11.0, -9.5, 58.6], abs=0.11)
    assert posterior.uncertainty[0, 0] / 0.05 == pytest.approx(0.021, abs=5e-4)


def test_two_views_give_the_published_returns_and_weights() -> None:
    """Their table 5: Canada also beats the United States by 3 per cent."""
    posterior = optimize.black_litterman(MATRIX, MARKET, views=[GERMANY, CANADA], view_returns=[0.05, 0.03])
    assert per_cent(posterior.expected_return) == [4.4, 8.7, 9.5, 11.2, 4.6, 7.0, 7.5]
    weights = np.linalg.solve(2.5 * posterior.covariance, posterior.expected_return)
    assert per_cent(weights) == pytest.approx([1.5, 41.9, -3.4, 33.6, 11.0, -8.2, 18.8], abs=0.11)
    assert np.diagonal(posterior.uncertainty) / 0.05 == pytest.approx([0.021, 0.017], abs=5e-4)


def test_the_posterior_is_that_of_bayes_in_precisions() -> None:
    """The form with inverses: precision 1/(tau C) of the prior and P' omega^-1 P of the views."""
    omega = np.array([[0.002, 0.0005], [0.0005, 0.003]])
    views = np.array([GERMANY, CANADA])
    posterior = optimize.black_litterman(
        MATRIX, MARKET, views=views, view_returns=[0.02, -0.01], uncertainty=omega, tau=0.1, risk_aversion=3.0
    )
    prior, certainty = np.linalg.inv(0.1 * MATRIX), np.linalg.inv(omega)
    spread = np.linalg.inv(prior + views.T @ certainty @ views)
    mean = spread @ (prior @ (3.0 * MATRIX @ MARKET) + views.T @ certainty @ np.array([0.02, -0.01]))
    np.testing.assert_allclose(posterior.expected_return, mean, rtol=1e-10)
    np.testing.assert_allclose(posterior.covariance, MATRIX + spread, rtol=1e-10)
    weights = np.linalg.solve(3.0 * MATRIX, posterior.expected_return)
    np.testing.assert_allclose(weights, MARKET + views.T @ posterior.tilt, atol=1e-12)


def test_without_conviction_the_market_stays_and_with_certainty_the_view_holds() -> None:
    views, opinion = [GERMANY], [0.05]
    vague = optimize.black_litterman(MATRIX, MARKET, views=views, view_returns=opinion, uncertainty=[1e12])
    np.testing.assert_allclose(vague.expected_return, vague.implied_return, rtol=1e-9)
    certain = optimize.black_litterman(MATRIX, MARKET, views=views, view_returns=opinion, confidence=[1.0])
    assert np.dot(GERMANY, certain.expected_return) == pytest.approx(0.05, abs=1e-14)
    none = optimize.black_litterman(MATRIX, MARKET, views=np.zeros((0, 7)), view_returns=[])
    np.testing.assert_array_equal(none.expected_return, none.implied_return)
    np.testing.assert_allclose(none.covariance, 1.05 * MATRIX)


def test_confidence_is_the_part_of_the_way_to_certainty() -> None:
    certain, part = (
        optimize.black_litterman(MATRIX, MARKET, views=[GERMANY], view_returns=[0.05], confidence=[level])
        for level in (1.0, 0.3)
    )
    np.testing.assert_allclose(part.tilt, 0.3 * certain.tilt, rtol=1e-12)


def test_the_market_is_the_answer_of_an_investor_without_views() -> None:
    prior = optimize.black_litterman(MATRIX, MARKET, views=np.zeros((0, 7)), view_returns=[])
    answer = optimize.maximum_sharpe(prior.expected_return, prior.covariance)
    np.testing.assert_allclose(answer.weights, MARKET, atol=1e-10)
    utility = optimize.mean_variance(prior.expected_return, MATRIX, Constraints(), risk_aversion=2.5)
    np.testing.assert_allclose(utility.weights, MARKET, atol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"views": [[1.0, 0.0]]}, "views"),
        ({"views": [[np.nan] * 7]}, "views"),
        ({"views": [GERMANY, GERMANY], "view_returns": [0.1, 0.2], "confidence": [1.0, 1.0]}, "views"),
        ({"view_returns": [0.1, 0.2]}, "view_returns"),
        ({"uncertainty": [-1.0]}, "uncertainty"),
        ({"uncertainty": [[1.0, 0.0]]}, "uncertainty"),
        ({"confidence": [0.0]}, "confidence"),
        ({"confidence": [1.1]}, "confidence"),
        ({"confidence": [0.5], "uncertainty": [0.1]}, "confidence"),
        ({"tau": 0.0}, "tau"),
        ({"risk_aversion": -1.0}, "risk_aversion"),
        ({"market_weights": [1.0]}, "market_weights"),
    ],
)
def test_what_is_no_view_is_refused_by_its_name(arguments: dict[str, object], argument: str) -> None:
    given: dict[str, object] = {"market_weights": MARKET, "views": [GERMANY], "view_returns": [0.05], **arguments}
    with pytest.raises(DomainError) as caught:
        optimize.black_litterman(MATRIX, **given)  # type: ignore[arg-type]
    assert caught.value.argument == argument
