"""The categorical distribution, and the multinomial one that counts its outcomes."""

from __future__ import annotations

from typing import cast

from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.names import from_pymc
from kl_plugins.formulas.discrete import counts_divergence, x_log_x
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array, ArrayOperations, Conditions, SymbolicOperations
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.declarations import COUNT, PROBABILITY, parameter
from kl_plugins.parameters.shapes import Shape

_TOLERANCE = 1e-6
"""So far the sum of probabilities may be from 1; the error of a divergence is of its square."""


def sums_to_one(p: Array, ops: ArrayOperations) -> Conditions:
    """Yield the condition that vectors of probabilities have to meet, with its message."""
    far = ops.absolute(ops.sum_last(p) - 1.0) > _TOLERANCE
    yield ops.logical_not(far), "p must sum to 1"


def _check_vector(shape: Shape) -> None:
    if not shape or shape[-1] == 0:
        raise ValueError(f"p must hold the probabilities of at least one outcome, got shape {shape}")


def _vectors_divergence(p: Array, q: Array, ops: ArrayOperations) -> Array:
    """The divergence of vectors of probabilities; what one of them lacks at its end has probability 0."""
    of_p, of_q = ops.shape(p)[-1], ops.shape(q)[-1]
    if of_p is None or of_q is None or of_p == of_q:
        return ops.sum_last(counts_divergence(p, q, ops))
    common = min(of_p, of_q)
    value = ops.sum_last(counts_divergence(p[..., :common], q[..., :common], ops))
    rest = ops.sum_last((p if of_p > common else q)[..., common:])
    if of_q > common:
        return value + rest
    return value + ops.where(rest > 0.0, float("inf"), rest)  # rest: 0 or NaN


class Categorical(Discrete):
    """The whole numbers from zero on, with probabilities p.

    Parameters
    ----------
    p : array_like or TensorVariable, shape (..., K)
        The probabilities, which sum to 1; zeros are allowed.

    Raises
    ------
    ValueError
        If a probability is not between 0 and 1, or they do not sum to 1.

    Examples
    --------
    >>> from kl_plugins import kl
    >>> from kl_plugins.families.categorical import Categorical
    >>> kl(Categorical([0.5, 0.5, 0.0]), Categorical([0.25, 0.25, 0.5])).round(6)
    np.float64(0.693147)
    >>> kl(Categorical([0.25, 0.25, 0.5]), Categorical([0.5, 0.5, 0.0]))
    np.float64(inf)
    """

    p: Array = parameter(PROBABILITY, core_ndim=1)
    find_backend = staticmethod(array_backend_of)

    def check_shapes(self) -> None:
        _check_vector(self.ops.shape(self.p))

    def further_conditions(self) -> Conditions:
        yield from sums_to_one(self.p, self.ops)

    def broadcast(self, value: Array) -> Array:
        return value + self.ops.zero_or_nan(self.ops.sum_last(self.p))

    def widened(self) -> Discrete:
        return self

    def standard_ends(self) -> tuple[Array, Array]:
        length = self.ops.shape(self.p)[-1]
        return 0.0, float(length - 1) if length is not None else self.p.shape[-1] - 1.0

    def log_pmf(self, k: Array) -> Array:
        ops, log_p = self.ops, self.ops.known_log(self.p)
        if log_p is not None:
            return ops.take_along_last(log_p, k)
        p = ops.take_along_last(self.p, k)
        return ops.where(ops.equal(p, 0.0), -float("inf"), ops.log(ops.where(ops.equal(p, 0.0), 1.0, p)))

    def entropy(self) -> Array:
        return -self.ops.sum_last(x_log_x(self.p, self.ops))


@closed_form(Categorical, Categorical, "O(K) for K outcomes")
def categorical_categorical(p: Categorical, q: Categorical) -> Array:
    """Σ q − p − p log(q/p), none of which is negative; 0 log 0 = 0.

    Lengths that only a running graph knows have to be the same: padding is for those that are known.
    """
    ops, of_p = p.ops, p.p
    if ops.symbolic and of_p is not q.p and None in (ops.shape(of_p)[-1], ops.shape(q.p)[-1]):
        graphs = cast(SymbolicOperations, ops)
        families = p.describe(), q.describe()
        of_p = graphs.of_same_lengths(of_p, (of_p.shape[-1],), (q.p.shape[-1],), families)
    return _vectors_divergence(of_p, q.p, ops)


class Multinomial(Distribution):
    """How often each of K outcomes came up in n independent draws with probabilities p.

    Parameters
    ----------
    n : array_like or TensorVariable
        The number of draws.
    p : array_like or TensorVariable, shape (..., K)
        The probabilities, which sum to 1; zeros are allowed.

    Raises
    ------
    ValueError
        If n is no whole number, a probability is not between 0 and 1, or they do not sum to 1.
    """

    n: Array = parameter(COUNT, static=True)
    p: Array = parameter(PROBABILITY, core_ndim=1)
    find_backend = staticmethod(array_backend_of)

    def check_shapes(self) -> None:
        _check_vector(self.ops.shape(self.p))
        super().check_shapes()

    def further_conditions(self) -> Conditions:
        yield from sums_to_one(self.p, self.ops)

    @property
    def event_shape(self) -> Shape:
        return self.ops.shape(self.p)[-1:]

    def runtime_event_shape(self) -> tuple[Array, ...]:
        return (self.p.shape[-1],)


@kl_rules.register(Multinomial, Multinomial, cost="O(K) for K outcomes")
def multinomial_multinomial(p: Multinomial, q: Multinomial) -> Array:
    """n times the divergence of one draw; +∞ where the numbers of draws differ, the sums of all counts."""
    ops = p.ops
    draw = ops.sum_last(counts_divergence(p.p, q.p, ops))
    value = p.n * draw
    if ops.same(p.n, q.n) and is_literal(p.n) and p.n > 0.0:
        return value
    zero = 0.0 * draw if is_literal(p.n) else p.n * ops.zeros_like(draw)
    n_p, n_q = (ops.asarray(n, "n") for n in (p.n, q.n))
    value = ops.where(ops.equal(n_p, 0.0), zero, value)
    return ops.where(ops.equal(n_p, n_q), value, float("inf")) + ops.zero_or_nan(n_p) + ops.zero_or_nan(n_q)


from_pymc("CategoricalRV")(Categorical)
from_pymc("MultinomialRV")(Multinomial)
