"""Divergences and probabilities of counts, without cancellation and with 0·log 0 = 0."""

from __future__ import annotations

from kl_plugins.formulas.beta import log1p_ratio
from kl_plugins.formulas.cancellation_free import exp_minus_tangent, log_ratio_value
from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.ops.gamma_residues import log_gamma_residue, stirling_rest
from kl_plugins.ops.protocol import Array, Operations

_NEAR = 0.18
"""Up to this difference of their logarithms two probabilities are compared by a series."""

_TINY = 1e-300
"""Smaller expected numbers may underflow, to +∞ in place of next to nothing."""

_INFINITY = float("inf")


def counts_divergence(p: Array, q: Array, ops: Operations) -> Array:
    """q − p − p log(q/p) for p, q ≥ 0, never negative: q where p is 0, +∞ where only q is 0.

    The divergence of Poisson distributions; summed over two vectors of probabilities, theirs. A small error
    in the sum of either vector changes that by its square only. In a graph that computes them from logits
    it is taken from these, and is finite with its derivatives where they underflow.
    """
    if ops.symbolic:
        log_p, log_q = ops.known_log(p), ops.known_log(q)
        if log_p is not None:
            return outcome_divergence(log_p, ops.log(q) if log_q is None else log_q, ops)
        if log_q is not None:
            return _count_beside_log(p, log_q, ops)
    return ops.elementwise(_counts_divergence, _counts_divergence_gradient, p, q)


def _counts_divergence(p: Array, q: Array, ops: Operations) -> Array:
    return _of_step(p, q, q - p, ops)


def _of_step(p: Array, q: Array, step: Array, ops: Operations) -> Array:
    """`counts_divergence`, where the step from p to q is known better than to the rounding of the two."""
    none = ops.equal(p, 0.0)
    start = ops.where(none, 1.0, p)
    is_near = ops.absolute(step) <= 0.2 * start
    value = ops.choose(is_near, _step_near, _step_far, start, q, step)
    return ops.where(none, q, value)


def _step_near(p: Array, q: Array, step: Array, ops: Operations) -> Array:
    return p * identity_minus_log1p(step / p)


def _step_far(p: Array, q: Array, step: Array, ops: Operations) -> Array:
    return step + p * log_ratio_value(p, q, ops)


def _counts_divergence_gradient(p: Array, q: Array, ops: Operations) -> tuple[Array, Array]:
    return log_ratio_value(p, q, ops), (q - p) / ops.where(q > 0.0, q, 1.0)


def bernoulli_divergence(p: Array, p_failure: Array, q: Array, q_failure: Array, ops: Operations) -> Array:
    """KL of one trial, from the probabilities of success and of failure: those of small ones are exact."""
    if ops.symbolic and (ops.known_log(p) is not None or ops.known_log(q) is not None):
        return counts_divergence(p, q, ops) + counts_divergence(p_failure, q_failure, ops)
    return ops.elementwise(_bernoulli_divergence, _bernoulli_divergence_gradient, p, p_failure, q, q_failure)


def _bernoulli_divergence(p: Array, p_failure: Array, q: Array, q_failure: Array, ops: Operations) -> Array:
    step = ops.where(p <= 0.5, q - p, p_failure - q_failure)
    return _of_step(p, q, step, ops) + _of_step(p_failure, q_failure, -step, ops)


def _bernoulli_divergence_gradient(
    p: Array, p_failure: Array, q: Array, q_failure: Array, ops: Operations
) -> tuple[Array, Array, Array, Array]:
    by_success = _counts_divergence_gradient(p, q, ops)
    by_failure = _counts_divergence_gradient(p_failure, q_failure, ops)
    return by_success[0], by_failure[0], by_success[1], by_failure[1]


def outcome_divergence(log_p: Array, log_q: Array, ops: Operations) -> Array:
    """`counts_divergence` of the probabilities of one outcome, from their logarithms."""
    return ops.elementwise(_outcome_divergence, _outcome_divergence_gradient, log_p, log_q)


def _outcome_divergence(log_p: Array, log_q: Array, ops: Operations) -> Array:
    q = ops.exp(log_q)
    value = ops.select(
        ops.absolute(log_q - log_p) <= _NEAR,
        lambda log_p, log_q: ops.exp(log_p) * exp_minus_tangent(log_q - log_p, ops),
        lambda log_p, log_q: q - ops.exp(log_p) * (1.0 + log_q - log_p),
        log_p,
        log_q,
    )
    value = ops.where(ops.equal(log_q, -_INFINITY), _INFINITY, value)
    return ops.where(ops.equal(log_p, -_INFINITY), q, value)


def _count_beside_log(p: Array, log_q: Array, ops: Operations) -> Array:
    """`counts_divergence` of a number, which may be 0, and of one that is known by its logarithm."""
    return ops.elementwise(_beside_log, _beside_log_gradient, p, log_q)


def _beside_log(p: Array, log_q: Array, ops: Operations) -> Array:
    return _outcome_divergence(ops.log(p), log_q, ops)


def _beside_log_gradient(p: Array, log_q: Array, ops: Operations) -> tuple[Array, Array]:
    return ops.log(p) - log_q, ops.exp(log_q) - p


def _outcome_divergence_gradient(log_p: Array, log_q: Array, ops: Operations) -> tuple[Array, Array]:
    p, q = ops.exp(log_p), ops.exp(log_q)
    return ops.where(p > 0.0, p * (log_p - log_q), 0.0), q - p


def x_log_x(x: Array, ops: Operations) -> Array:
    """x log x, 0 at 0."""
    return x * ops.log(ops.where(ops.equal(x, 0.0), 1.0, x))


def trial_entropy(p: Array, failure: Array, ops: Operations) -> Array:
    """−p log p − failure log failure, where the larger one's logarithm is that of 1 less the other."""
    return -(_x_log_x_beside(p, failure, ops) + _x_log_x_beside(failure, p, ops))


def _x_log_x_beside(x: Array, rest: Array, ops: Operations) -> Array:
    is_most = rest < 0.5
    positive = ops.where(ops.logical_or(is_most, ops.equal(x, 0.0)), 1.0, x)
    return x * ops.where(is_most, ops.log1p(-ops.where(is_most, rest, 0.0)), ops.log(positive))


def log_poisson(k: Array, mean: Array, ops: Operations) -> Array:
    """Logarithm of the Poisson distribution's probability of k.

    C. Loader, Fast and accurate computation of binomial probabilities, 2000.
    """
    return -counts_divergence(k, mean, ops) - _stirling_excess(k, ops)


def bernstein_bound(variance: Array, nats: Array, ops: Operations) -> Array:
    """What a Poisson variable exceeds its mean by with a probability of at most exp(−nats).

    So does a difference of two, of both their variances: exp(−t) − 1 + t ≤ exp(t) − 1 − t for t ≥ 0 in the
    logarithm of the moment generating function. Bernstein's inequality:
    https://en.wikipedia.org/wiki/Bernstein_inequalities_(probability_theory).
    """
    third = nats / 3.0
    return third + ops.sqrt(third * third + 2.0 * nats * variance)


def log_binomial(k: Array, rest: Array, p: Array, failure: Array, ops: Operations) -> Array:
    """Logarithm of the probability of k successes, and as many failures as `rest`; the same source."""
    n = k + rest
    ways = _stirling_excess(n, ops) - _stirling_excess(k, ops) - _stirling_excess(rest, ops)
    return ways - _from_expected(k, n, p, ops) - _from_expected(rest, n, failure, ops)


def log_beta_binomial(k: Array, rest: Array, a: Array, b: Array, ops: Operations) -> Array:
    """The same, where the probability of success is a beta(a, b) variable.

    Of the large parts of ln Γ is left how far k : rest and a : b are from their sums, a + k : b + rest.
    """
    total = a + b
    whole = total + (k + rest)
    p, failure = (a + k) / whole, (b + rest) / whole
    shares = ops.maximum(total * p, _TINY), ops.maximum(total * failure, _TINY)
    apart = counts_divergence(a, shares[0], ops) + counts_divergence(b, shares[1], ops)
    beyond = _rest_of_rise(a, k, ops) + _rest_of_rise(b, rest, ops) - _rest_of_rise(total, k + rest, ops)
    return log_binomial(k, rest, p, failure, ops) - apart + beyond


def failures(n: Array, k: Array, ops: Operations) -> Array:
    """n − k in one node of a graph: what makes (b + n) − k of b + (n − k) loses a small b."""
    return ops.elementwise(_failures, _failures_gradient, n, k)


def _failures(n: Array, k: Array, ops: Operations) -> Array:
    return n - k


def _failures_gradient(n: Array, k: Array, ops: Operations) -> tuple[Array, Array]:
    return 1.0 + 0.0 * n, -1.0 + 0.0 * k


def _rest_of_rise(x: Array, step: Array, ops: Operations) -> Array:
    """How much log Γ(x) − (x log x − x) rises in a step; small where x is large."""
    return stirling_rest(x + step, ops) - stirling_rest(x, ops) - 0.5 * log1p_ratio(step, x, ops)


def _from_expected(k: Array, n: Array, p: Array, ops: Operations) -> Array:
    """`counts_divergence` of k and of the number n p that is expected."""
    log_p = ops.known_log(p)
    if log_p is None:
        return counts_divergence(k, n * p, ops)
    return _count_beside_log(k, ops.log(n) + log_p, ops)


def _stirling_excess(k: Array, ops: Operations) -> Array:
    """log k! − (k log k − k)."""
    none = ops.equal(k, 0.0)
    positive = ops.where(none, 1.0, k)
    return ops.where(none, 0.0, log_gamma_residue(positive, ops) + ops.log(positive))
