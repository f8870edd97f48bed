"""Pairs of normal, t, logistic, hyperbolic secant and log-gamma variables that are sums over fixed nodes."""

from __future__ import annotations

import math
from typing import Any

from kl_plugins.families.core.by_nodes import QUADRATURE, between, by_nodes, not_far_apart, within
from kl_plugins.families.core.closed_forms import closed_form, infinite
from kl_plugins.families.core.continuous import by_statistics
from kl_plugins.families.log_gamma import LogGamma
from kl_plugins.families.logistic import HyperbolicSecant, Logistic
from kl_plugins.families.normal import Normal
from kl_plugins.families.student_t import (
    BEYOND_DF,
    LEAST_DF,
    MOST_DF,
    Cauchy,
    HeavyTailed,
    StudentT,
    df_of,
    sigma_of,
)
from kl_plugins.formulas.fixed_nodes import Side, unlike_divergence
from kl_plugins.formulas.log_gamma_side import log_gamma_side
from kl_plugins.formulas.log_odds import symmetric_side
from kl_plugins.formulas.student_t import student_t_side
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is

_LEAST_WITH_MEAN = 1.1
"""The least degrees of freedom for which the nodes reach as far as the mean of |x| goes."""

_LEAST_SHAPE, _MOST_SHAPE = 0.001, 1e4
"""Of log-gamma variables; beyond, these are normal ones but for the digits."""


_HEAVY = 2.5
"""With fewer degrees of freedom q reaches so far beyond p that nodes are for p alone."""


@by_nodes(Normal, Logistic)
@by_nodes(Normal, HyperbolicSecant)
@by_nodes(StudentT, Logistic)
@by_nodes(StudentT, HyperbolicSecant)
@by_nodes(Logistic, StudentT)
@by_nodes(Logistic, Cauchy)
@by_nodes(HyperbolicSecant, StudentT)
@by_nodes(HyperbolicSecant, Cauchy)
@by_nodes(LogGamma, StudentT)
@by_nodes(LogGamma, Cauchy)
@by_nodes(LogGamma, HyperbolicSecant)
def unlike_on_the_line(p: Any, q: Any) -> Array:
    """E_p[q/p − 1 − log(q/p)] over nodes around both; +∞ where it takes a mean that diverges."""
    ops, light = p.ops, isinstance(q, Logistic | HyperbolicSecant)
    step = p.loc - q.loc
    conditions = not_far_apart(_width(p), _width(q), step, ops)
    p_df = df_of(p)
    has_mean: Array = True
    if isinstance(p, StudentT):
        conditions |= between(LEAST_DF, MOST_DF, "degrees of freedom", (p_df,), ops, BEYOND_DF)
        if light:
            has_mean = p_df > 1.0
            resolved = ops.logical_or(p_df <= 1.0, p_df >= _LEAST_WITH_MEAN)
            conditions[f"its quadrature is for {_LEAST_WITH_MEAN:g} degrees of freedom and more"] = resolved
            p_df = ops.where(p_df >= _LEAST_WITH_MEAN, p_df, 2.0)
    if isinstance(p, LogGamma):
        conditions |= between(_LEAST_SHAPE, _MOST_SHAPE, "shapes", (p.concentration,), ops)
        p_side, centre = log_gamma_side(p.concentration, p.scale, p.sign, p.level, ops)
        step = step + centre
    else:
        p_side = _symmetric_side(p, p_df, 1.0 if light else 0.0)
    one_sided: Array = 0.0
    if isinstance(q, HeavyTailed):
        conditions |= between(LEAST_DF, MOST_DF, "degrees of freedom", (q.df,), ops, BEYOND_DF)
        one_sided = ops.where(q.df < _HEAVY, 1.0, 0.0)
    value = unlike_divergence(p_side, _symmetric_side(q, df_of(q), 0.0), step, one_sided, ops)
    value = value if has_mean is True else ops.where(has_mean, value, math.inf)
    return within(p, q, value, conditions)


def _symmetric_side(x: Any, df: Array, moments: float) -> Side:
    if isinstance(x, Logistic):
        return symmetric_side(1.0, x.scale, x.ops)
    if isinstance(x, HyperbolicSecant):
        return symmetric_side(0.5, 0.5 * x.scale, x.ops)
    return student_t_side(df, sigma_of(x), moments, x.ops)


def _width(x: Any) -> Array:
    return sigma_of(x) if isinstance(x, HeavyTailed | Normal) else x.scale


@closed_form(Cauchy, Logistic)
@closed_form(Cauchy, HyperbolicSecant)
def no_mean(p: Cauchy, q: Logistic | HyperbolicSecant) -> Array:
    """+∞, as p has no mean."""
    return infinite(p, q)


def _is_gumbel_of_one_scale(p: Any, q: Any) -> bool:
    return certainly_is(p.concentration, 1.0) and certainly_equal(p.scale, q.scale, p.ops)


@by_nodes(LogGamma, Logistic, lambda p, q: "O(1)" if _is_gumbel_of_one_scale(p, q) else QUADRATURE)
def log_gamma_logistic(p: LogGamma, q: Logistic) -> Array:
    """By statistics for a Gumbel variable of the same scale, else over nodes."""
    if _is_gumbel_of_one_scale(p, q):
        return by_statistics(p, q)
    return unlike_on_the_line(p, q)
