"""PyMC's Weibull distribution, whose power is positive where that of the family may be negative."""

from __future__ import annotations

from pymc.distributions.continuous import WeibullBetaRV
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.graph import constant_of
from kl_plugins.plugins.pytensor.random_variables import family


@family.register(WeibullBetaRV)
def _(op: Op, alpha: Variable, beta: Variable, *, batch: Array) -> Distribution:
    """A negative power would be a reciprocal's, another distribution, and its divergence a wrong number."""
    known = constant_of(alpha)
    if known is None:
        alpha = ops.asarray(alpha, "alpha")
        alpha = ops.guard(alpha, [(ops.logical_not(alpha <= 0.0), "alpha must be positive")])
    elif known <= 0.0:
        raise ValueError("alpha must be positive")
    made: Distribution = family.dispatch(Op)(op, alpha, beta, batch=batch)
    return made
