"""kl and its kin: recognise both sides, match a rule, compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kl_plugins.backends import backend_of
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.distribution import Distribution, kl_rules
from kl_plugins.recognition import load_plugins_of, recognise
from kl_plugins.rules import Rule

_foreign_rules = False
"""Whether a rule was registered for a class that is not one of our families."""


@dataclass(frozen=True)
class Explanation:
    """How a divergence is computed: what the two sides are, which rule applies and what it costs."""

    p: str
    q: str
    rule: str
    cost: str

    def __str__(self) -> str:
        return f"KL({self.p} ‖ {self.q}) by {self.rule}, {self.cost}"


def kl(p: Any, q: Any) -> Any:
    """Kullback-Leibler divergence KL(p‖q) = E_p[log p − log q], in nats.

    Parameters
    ----------
    p, q : distributions
        Frozen ``scipy.stats`` distributions, PyMC or PyTensor random variables, fitted PyMC
        approximations, `MultivariateNormal`, or objects of any class that is registered.

    Returns
    -------
    numpy scalar, numpy.ndarray or TensorVariable
        Shape: the broadcast batch shapes of `p` and `q`; event dimensions are consumed. Symbolic if
        either side is. Never negative, exactly 0.0 where all parameters are equal, ``inf`` where `p` is
        not absolutely continuous with respect to `q`, NaN only where a parameter is NaN.

    Raises
    ------
    TypeError
        If a side is not a distribution that is understood.
    ValueError, numpy.linalg.LinAlgError
        If a parameter is out of its domain or shapes do not fit. In a graph, invalid values raise
        PyMC's ``ParameterValueError`` when it runs.
    NoClosedFormError
        If no closed form is known for the pair.

    Notes
    -----
    For Gaussians with Σ = LLᵀ, M = Lq⁻¹Lp and w = Lq⁻¹(μp − μq) the divergence is
    ½ [Σᵢ (Mᵢᵢ² − 1 − 2 ln Mᵢᵢ) + Σ_{i≠j} Mᵢⱼ² + wᵀw], a sum of non-negative terms
    (https://statproofbook.github.io/P/mvn-kl, rearranged).

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import kl
    >>> kl(stats.norm(0, 1), stats.norm(1, 1))
    np.float64(0.5)
    >>> kl(stats.norm([0.0, 2.0], 1.0), stats.norm(0, 1))
    array([0., 2.])
    >>> p = stats.multivariate_normal([0, 0], [[1.0, 0.5], [0.5, 1.0]])
    >>> round(float(kl(p, stats.multivariate_normal([0, 0]))), 6)
    0.143841
    """
    rule, p, q = _match(p, q)
    return _compute(rule, p, q)


def jeffreys(p: Any, q: Any) -> Any:
    """Jeffreys divergence KL(p‖q) + KL(q‖p), in nats: symmetric in its arguments.

    Parameters
    ----------
    p, q : distributions
        As in `kl`.

    Returns
    -------
    numpy scalar, numpy.ndarray or TensorVariable
        Shape: the broadcast batch shapes of `p` and `q`.

    Raises
    ------
    TypeError, ValueError, NoClosedFormError
        As `kl` does.

    References
    ----------
    H. Jeffreys, An invariant form for the prior probability in estimation problems, 1946.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import jeffreys
    >>> jeffreys(stats.norm(0, 1), stats.norm(1, 1))
    np.float64(1.0)
    """
    return kl(p, q) + kl(q, p)


def entropy(p: Any) -> Any:
    """Differential entropy −E_p[log p] in nats (Shannon entropy of a discrete distribution).

    Parameters
    ----------
    p : distribution
        As in `kl`.

    Returns
    -------
    numpy scalar, numpy.ndarray or TensorVariable
        Shape: the batch shape of `p`.

    Raises
    ------
    TypeError, ValueError
        As `kl` does.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import entropy
    >>> round(float(entropy(stats.norm(0, 2))), 6)
    2.112086
    """
    p = recognised(p, "p")
    if p.ops.symbolic:
        return _guarded(p.entropy(), p.ops, p=p)
    with p.ops.quiet():
        return p.ops.result(p.entropy())


def cross_entropy(p: Any, q: Any) -> Any:
    """Cross-entropy −E_p[log q] = H(p) + KL(p‖q), in nats.

    Parameters
    ----------
    p, q : distributions
        As in `kl`.

    Returns
    -------
    numpy scalar, numpy.ndarray or TensorVariable
        Shape: the broadcast batch shapes of `p` and `q`.

    Raises
    ------
    TypeError, ValueError, NoClosedFormError
        As `kl` does.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import cross_entropy
    >>> round(float(cross_entropy(stats.norm(0, 1), stats.norm(0, 1))), 6)
    1.418939
    """
    return entropy(p) + kl(p, q)


def explain(p: Any, q: Any) -> Explanation:
    """Say how ``kl(p, q)`` is computed, without computing it.

    Parameters
    ----------
    p, q : distributions
        As in `kl`.

    Returns
    -------
    Explanation
        With the fields ``p`` and ``q`` (family and covariance structure), ``rule`` and ``cost``.

    Raises
    ------
    TypeError, ValueError, NoClosedFormError
        As `kl` does.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import explain
    >>> p = stats.multivariate_normal([0, 0, 0], [1.0, 2.0, 3.0])
    >>> q = stats.multivariate_normal([0, 0, 0], 2.0)
    >>> explained = explain(p, q)
    >>> explained.p, explained.q, explained.cost
    ('MultivariateNormal(Diagonal)', 'MultivariateNormal(Isotropic)', 'O(d)')
    """
    rule, p, q = _match(p, q)
    names, cost = rule.explain(p, q)
    return Explanation(_described(p), _described(q), " → ".join(names), cost)


def register_kl(
    p_type: type, q_type: type, *, cost: str = "not stated"
) -> Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]]:
    """Register the decorated function as the closed form of KL(p‖q) for a pair of classes.

    Parameters
    ----------
    p_type, q_type : type
        Any two classes: our families, or anybody's own. The function receives the objects of the
        classes it was registered for: a foreign object as it is, ours as it was recognised.
    cost : str, optional
        What `explain` says of the cost, for example ``"O(d)"``.

    Returns
    -------
    decorator
        Returns the function unchanged.

    Raises
    ------
    TypeError
        If `p_type` or `q_type` is not a class.

    Examples
    --------
    >>> from kl_plugins import kl, register_kl
    >>> class Coin:
    ...     def __init__(self, heads):
    ...         self.heads = heads
    >>> @register_kl(Coin, Coin, cost="O(1)")
    ... def coin_coin(p, q):
    ...     return 0.0 if p.heads == q.heads else float("inf")
    >>> kl(Coin(1.0), Coin(1.0))
    0.0
    """
    global _foreign_rules
    for kind in (p_type, q_type):
        if not isinstance(kind, type):
            raise TypeError(f"register_kl takes two classes, got {kind!r}")
        _foreign_rules |= not issubclass(kind, Distribution)
    return kl_rules.register(p_type, q_type, cost=cost)


def independent(p: Any, ndims: int = 1) -> Distribution:
    """Turn the last `ndims` batch dimensions of `p` into event dimensions.

    Parameters
    ----------
    p : distribution
        As in `kl`.
    ndims : int
        How many of the trailing batch dimensions become part of the event.

    Returns
    -------
    Distribution
        A batch of normals becomes a diagonal `MultivariateNormal`.

    Raises
    ------
    ValueError
        If `p` has fewer than `ndims` batch dimensions, or `ndims` is negative.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import independent, kl
    >>> p, q = stats.norm([0.0, 1.0, 2.0], 1.0), stats.norm([0.0, 0.0, 0.0], 1.0)
    >>> kl(p, q)
    array([0. , 0.5, 2. ])
    >>> kl(independent(p), independent(q))
    np.float64(2.5)
    """
    made = recognised(p, "p")
    if ndims < 0 or ndims > len(made.batch_shape):
        raise ValueError(
            f"ndims must be between 0 and the number of batch dimensions, here "
            f"{len(made.batch_shape)} (batch shape {made.batch_shape}), got {ndims}"
        )
    for _ in range(ndims):
        made = made.independent()
    return made


def _match(p: Any, q: Any) -> tuple[Rule, Any, Any]:
    """The rule for the pair, and the pair as the rule wants it."""
    for side in (p, q):
        load_plugins_of(type(side))  # what it registers may be this very pair
    if _foreign_rules:
        rule = kl_rules.find(p, q)
        if rule is not None and not (isinstance(p, Distribution) and isinstance(q, Distribution)):
            return rule, p, q
        if rule is None:
            found = _match_half_foreign(p, q)
            if found is not None:
                return found
    ours_p, ours_q = recognised(p, "p"), recognised(q, "q")
    ours_p.check_against(ours_q)
    rule = kl_rules.find(ours_p, ours_q)
    if rule is None:
        names = ours_p.describe(), ours_q.describe()
        raise NoClosedFormError(
            f"no closed form of KL(p‖q) is known for p: {names[0]} and q: {names[1]}; "
            "if you have one, register it with kl_plugins.register_kl"
        )
    if ours_p.ops is not ours_q.ops:
        values = [*ours_p.values(), *ours_q.values()]
        ops = backend_of(*values)
        ours_p, ours_q = ours_p.to(ops, values), ours_q.to(ops, values)
    return rule, ours_p, ours_q


def _match_half_foreign(p: Any, q: Any) -> tuple[Rule, Any, Any] | None:
    """A rule registered for a foreign class on one side and one of our families on the other."""
    for raw_p, raw_q in ((True, False), (False, True)):
        try:
            pair = p if raw_p else recognise(p), q if raw_q else recognise(q)
        except (TypeError, ValueError):
            continue  # that side is not a (valid) distribution of ours; the full match will say so
        rule = kl_rules.find(*pair)
        if rule is not None and (pair[0] is not p or pair[1] is not q):
            return (rule, *pair)
    return None


def recognised(obj: Any, side: str) -> Distribution:
    """The family of an object; an error says which side it is."""
    if isinstance(obj, Distribution):
        return obj
    try:
        return recognise.dispatch(type(obj))(obj)
    except (TypeError, ValueError) as error:
        if type(error) in (TypeError, ValueError, np.linalg.LinAlgError):
            raise type(error)(f"{side}: {error}") from error
        raise


def _described(side: Any) -> str:
    return side.describe() if isinstance(side, Distribution) else type(side).__qualname__


def _compute(rule: Rule, p: Any, q: Any) -> Any:
    if not (isinstance(p, Distribution) and isinstance(q, Distribution)):
        return rule(p, q)
    ops = p.ops
    if ops.symbolic:
        return _guarded(rule(p, q), ops, p=p, q=q)
    with ops.quiet():
        return ops.result(rule(p, q))


def _guarded(value: Any, ops: Any, **sides: Distribution) -> Any:
    """The symbolic `value`, with the conditions of each side checked when the graph runs."""
    conditions = [
        (holds, f"{side}: {message}")
        for side, distribution in sides.items()
        for holds, message in distribution.conditions()
    ]
    return ops.guard(value, conditions)
