"""How much components of mixtures overlap: log ∫ fˢgᵗ, in closed form where that is known.

The exponents s and t are arrays: many along a first axis, then as many of length 1 as there are batch axes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_infinite
from kl_plugins.rules import RuleTable

_overlaps = RuleTable("overlaps", "kl_plugins.families")
"""Functions of (f, g, s, t, balanced), by the types of f and g; None where they do not know it."""

_Formula = Callable[[Any, Any, Array, Array, bool], Array]


def overlap_of(p_type: type, q_type: type) -> Callable[[_Formula], _Formula]:
    """Register the decorated function for log ∫ fˢgᵗ + (s + t − 1) H(f) of two families.

    It is one of (f, g, s, t, balanced), the last of which is whether s + t = 1.
    """
    return _overlaps.register(p_type, q_type, cost="O(1)")


def overlap(p: Distribution, q: Distribution, s: Array, t: Array, balanced: bool) -> Array | None:
    """That of each pair of a batch, or an upper bound on it; None where nothing is known."""
    rule = _overlaps.find(p, q)
    value = None if rule is None else rule.function(p, q, s, t, balanced)
    if value is None and not balanced:
        return None
    value = 0.0 * s if value is None else value
    disjoint = apart(p, q)
    return value if disjoint is False else p.ops.where(disjoint, -float("inf"), value)


_ratio_means = RuleTable("ratio_means", "kl_plugins.families")
"""Functions of (f, (g_c, g_b), power), by the types of f and of both others."""


def ratio_mean_of(p_type: type, q_type: type) -> Callable[[Any], Any]:
    """Register the decorated function of (f, g_c, g_b, power) for log E_f[(g_c/g_b)^power]."""
    return _ratio_means.register(p_type, q_type, cost="O(1)")


def ratio_mean(p: Distribution, c: Distribution, b: Distribution, power: Array) -> Array | None:
    """log E_f[(g_c/g_b)^power] of each three of a batch, or an upper bound; None where it is not known."""
    rule = _ratio_means.find(p, c)
    return None if rule is None else rule.function(p, c, b, power)


_references = RuleTable("references", "kl_plugins.families")
"""Functions of (p, weights of p, q, weights of q), groups of components, by their types."""


def references_of(p_type: type, q_type: type) -> Callable[[Any], Any]:
    """Register the decorated function of (p, w, q, v) for a pair of references of two groups of components.

    They are of one component each, as near as may be to the two mixtures, and the mean of powers of the ratio
    of their densities has to be known.
    """
    return _references.register(p_type, q_type, cost="O(k)")


def references(p: Distribution, w: Array, q: Distribution, v: Array) -> tuple[Any, Any] | None:
    """A distribution that is like the mixture p, and one that is like q; None where none are known."""
    rule = _references.find(p, q)
    return None if rule is None else rule.function(p, w, q, v)


def apart(p: Distribution, q: Distribution) -> Array:
    """Whether the supports of two distributions have nothing in common: False, or an array."""
    if not (isinstance(p, Univariate) and isinstance(q, Univariate)):
        return False
    found: Array = False
    for first, second in ((p, q), (q, p)):
        end, start = _ends(first)[1], _ends(second)[0]
        if certainly_infinite(end) or certainly_infinite(start):
            continue
        end, start = first.scale * end, (second.loc - first.loc) + second.scale * start
        before = end <= start if _touching_is_apart(p) else end < start
        found = before if found is False else p.ops.logical_or(found, before)
    return found


def _touching_is_apart(p: Distribution) -> bool:
    """Whether an end that two supports share has no mass, as of continuous families."""
    from kl_plugins.families.core.continuous import Continuous

    return isinstance(p, Continuous)


def _ends(p: Univariate) -> tuple[Array, Array]:
    """Of the support of (X − loc) / scale, which is not rounded as that of X is."""
    low, high = p.standard_ends()
    return (-high, -low) if p.sign == -1.0 else (low, high)
