"""Probabilities that a graph computes from logits, where they underflow to 0 or are rounded to 1."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from graphs import AS_WRITTEN, value
from kl_plugins import kl

pytestmark = pytest.mark.filterwarnings("error")

LOGITS = pt.tensor("logits", dtype="float64", shape=(3,))
OTHERS = pt.tensor("others", dtype="float64", shape=(3,))
LOGIT, OTHER = pt.dscalars("logit", "other")
GIVEN = [0.2, 0.2, 0.6]

VECTORS = [[-750.0, 0.0, 0.0], [-744.0, 0.0, 0.0], [0.3, -1.2, 800.0], [0.4, 0.1, -0.7], [900.0, -900.0, 1.0]]
ODDS = [-800.0, -720.0, -40.0, 0.3, 36.0, 715.0, 900.0]


def probabilities(logits):
    weights = [mp.exp(x) for x in logits]
    return [x / mp.fsum(weights) for x in weights]


def judged(p, q):
    """The divergence of two vectors of probabilities, and its derivatives by the logits of either."""
    value = mp.fsum(x * mp.log(x / y) for x, y in zip(p, q, strict=True))
    by_p = [x * (mp.log(x / y) - value) for x, y in zip(p, q, strict=True)]
    return [np.array(x, float) for x in (value, by_p, [y - x for x, y in zip(p, q, strict=True)])]


def softmaxes(x):
    """Ways to write the probabilities of logits."""
    return {
        "softmax": pm.math.softmax(x, axis=-1),
        "exp(log_softmax)": pt.exp(pt.special.log_softmax(x, axis=-1)),
    }


BY_VECTOR = {
    "logit_p": pm.Categorical.dist(logit_p=LOGITS),
    **{name: pm.Categorical.dist(p=p) for name, p in softmaxes(LOGITS).items()},
}


@pytest.mark.parametrize("name", BY_VECTOR)
def test_categorical_from_logits(name):
    """Either side, and both."""
    made = BY_VECTOR[name]
    given, other = pm.Categorical.dist(p=GIVEN), pm.Categorical.dist(logit_p=OTHERS)
    divergences = [kl(made, given), kl(given, made), kl(made, other)]
    gradients = [
        *[pytensor.grad(graph, LOGITS) for graph in divergences],
        pytensor.grad(divergences[2], OTHERS),
    ]
    found = pytensor.function([LOGITS, OTHERS], divergences + gradients, mode=AS_WRITTEN)
    with mp.workdps(800):  # exp(−1800) has to be seen beside 1
        for i, point in enumerate(VECTORS):
            far = VECTORS[i - 1]
            here, there = probabilities(point), probabilities(far)
            truths = judged(here, GIVEN), judged(GIVEN, here), judged(here, there)
            got = found(point, far)
            np.testing.assert_allclose(got[:3], [value for value, _, _ in truths], rtol=1e-12, atol=1e-300)
            slopes = [truths[0][1], truths[1][2], *truths[2][1:]]
            np.testing.assert_allclose(got[3:], slopes, rtol=1e-9, atol=1e-14)


SIGMOID = pm.math.sigmoid(LOGIT)
COINS = {
    "bernoulli": (pm.Bernoulli.dist(logit_p=LOGIT), 1),
    "sized": (pm.Bernoulli.dist(logit_p=LOGIT, shape=(2,)), 1),
    "complement": (pm.Bernoulli.dist(p=1.0 - pm.math.sigmoid(-LOGIT)), 1),
    "binomial": (pm.Binomial.dist(5, SIGMOID), 5),
    "multinomial": (pm.Multinomial.dist(5, pm.math.softmax(pt.stack([LOGIT, 0.0]))), 5),
    "stacked": (pm.Categorical.dist(p=pt.stack([SIGMOID, pm.math.sigmoid(-LOGIT)])), 1),
}


@pytest.mark.parametrize("name", COINS)
def test_coins_from_logits(name):
    made, n = COINS[name]
    like = {
        "binomial": lambda p: pm.Binomial.dist(n, p),
        "multinomial": lambda p: pm.Multinomial.dist(n, pt.stack([p, 1.0 - p])),
        "stacked": lambda p: pm.Categorical.dist(p=pt.stack([p, 1.0 - p])),
    }.get(name, pm.Bernoulli.dist)
    given, other = like(pt.constant(0.3)), like(pm.math.sigmoid(OTHER))
    divergences = [kl(*pair).ravel()[0] for pair in ((made, given), (given, made), (made, other))]
    gradients = [
        *pytensor.grad(sum(divergences[:2]), [LOGIT]),
        *pytensor.grad(divergences[2], [LOGIT, OTHER]),
    ]
    found = pytensor.function([LOGIT, OTHER], divergences + gradients, mode=AS_WRITTEN)
    known = [mp.mpf(0.3), 1 - mp.mpf(0.3)]
    with mp.workdps(800):
        for i, point in enumerate(ODDS):
            far = ODDS[i - 1]
            here, there = probabilities([point, 0]), probabilities([far, 0])
            truths = judged(here, known), judged(known, here), judged(here, there)
            got = np.array(found(point, far)) / n
            np.testing.assert_allclose(got[:3], [value for value, _, _ in truths], rtol=1e-12, atol=1e-300)
            slopes = [truths[0][1][0] + truths[1][2][0], truths[2][1][0], truths[2][2][0]]
            np.testing.assert_allclose(got[3:], slopes, rtol=1e-9, atol=1e-14)


@pytest.mark.slow
def test_sums_over_outcomes_take_logits_too():
    """A binomial of other trials, whose smallest probability underflows, and a categorical beside it."""
    binomial, vector = pm.Binomial.dist(2, pm.math.sigmoid(LOGIT)), pm.Categorical.dist(logit_p=LOGITS)
    divergences = [
        kl(pm.Binomial.dist(1, 0.4), binomial),
        kl(binomial, pm.Binomial.dist(3, 0.4)),
        kl(pm.Binomial.dist(2, 0.4), vector),
        kl(vector, pm.Binomial.dist(2, 0.4)),
    ]
    gradients = [
        *pytensor.grad(divergences[0] + divergences[1], [LOGIT]),
        *pytensor.grad(divergences[2] + divergences[3], [LOGITS]),
    ]
    point = {LOGIT: -800.0, LOGITS: [-800.0, 0.0, 0.0]}
    *values, by_logit, by_logits = value([*divergences, *gradients], point)
    # p = 0 in all but name: 0.4·800 less the entropy and the two ways that one success of two has
    wanted = [
        0.4 * 800.0 - 0.4 * np.log(2.0) + 0.4 * np.log(0.4) + 0.6 * np.log(0.6),
        -3.0 * np.log(0.6),
        0.36 * (800.0 + np.log(0.36)) + 0.48 * np.log(0.48) + 0.16 * np.log(0.16) + np.log(2.0),
        np.log(0.5) - 0.5 * np.log(0.48 * 0.16),
    ]
    np.testing.assert_allclose(values, wanted, rtol=1e-12)
    np.testing.assert_allclose(by_logit, -0.4, rtol=1e-12)
    half = 0.5 * (np.log(0.5) - 0.5 * np.log(0.25) + 0.5 * np.log(0.16 / 0.48))
    np.testing.assert_allclose(by_logits, [-0.36, 0.02 + half, 0.34 - half], rtol=1e-12)


def test_logarithms_of_means():
    """A log link whose mean underflows: counts that are zero for certain, and a slope of 0."""
    made = pm.Poisson.dist(pt.exp(LOGIT))
    divergence = kl(made, pm.Poisson.dist(2.0))
    values = value([divergence, pytensor.grad(divergence, LOGIT)], {LOGIT: -800.0})
    np.testing.assert_allclose(values, [2.0, 0.0])
    divergence = kl(pm.Poisson.dist(2.0), made)
    values = value([divergence, pytensor.grad(divergence, LOGIT)], {LOGIT: -800.0})
    np.testing.assert_allclose(values, [2.0 * np.log(2.0) + 1600.0 - 2.0, -2.0])


def test_second_derivatives_from_logits():
    """At saturation nothing bends any more."""
    divergence = kl(BY_VECTOR["logit_p"], pm.Categorical.dist(p=GIVEN))
    divergence = divergence + kl(pm.Categorical.dist(p=GIVEN), BY_VECTOR["logit_p"])
    gradient = pytensor.grad(divergence, LOGITS)
    rows = pt.stack([pytensor.grad(gradient[i], LOGITS) for i in range(3)])
    np.testing.assert_allclose(value(rows, {LOGITS: [0.0, 0.0, 800.0]}), np.zeros((3, 3)), atol=1e-14)
    bent = value(rows, {LOGITS: [-750.0, 0.0, 0.0]})
    np.testing.assert_allclose(bent[0], np.zeros(3), atol=1e-14)
    np.testing.assert_allclose(bent[1:, 1:], np.array([[1.0, -1.0], [-1.0, 1.0]]) * bent[1, 1], rtol=1e-12)
