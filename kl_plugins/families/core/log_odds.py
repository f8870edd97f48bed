"""Pairs of families that are, perhaps after a logarithm, loc + scale·log(B/(1 − B)), B a beta variable."""

from __future__ import annotations

from kl_plugins.families.core.by_nodes import between, not_far_apart, within
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.formulas.log_odds import LogOdds, log_odds_divergence
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_is

_LEAST, _MOST = 0.001, 1e8
"""The least a and b whose tails the nodes resolve, and the largest."""


def by_log_odds(p: Univariate, q: Univariate, p_odds: LogOdds, q_odds: LogOdds, step: Array) -> Array:
    """KL of the pair, whose log-odds these are, the loc of p's less that of q's being `step`."""
    ops, shapes = p.ops, (*p_odds[:2], *q_odds[:2])
    conditions = between(_LEAST, _MOST, "shapes", shapes, ops)
    if not all(certainly_is(odds.scale, 1.0) for odds in (p_odds, q_odds)):  # else the places are logarithms
        conditions |= not_far_apart(p_odds.scale, q_odds.scale, step, ops)
    return within(p, q, log_odds_divergence(p_odds, q_odds, step, ops), conditions)
