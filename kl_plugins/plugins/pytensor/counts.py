"""The negative binomial, whose probability PyMC computes of a mean."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op
from pytensor.scalar.basic import Log, Sub
from pytensor.scalar.math import Sigmoid
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.random.basic import NegBinomialRV

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops import pytensor as ops
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.random_variables import family


@family.register(NegBinomialRV)
def _(op: Op, n: Variable, p: Variable, *, batch: Array) -> Distribution:
    made: Distribution = family.dispatch(Op)(op, n, _with_checked_mean(ops.asarray(p, "p")), batch=batch)
    return made


def _with_checked_mean(p: Variable) -> Variable:
    """The same probability, but 0 where it is computed of a negative mean: no valid one, so checks refuse it.

    From PyMC 6 on p is sigmoid(log n − log mu), NaN where mu is negative. It would pass all checks, as NaN
    that was put in does.
    """
    if p.owner is not None and isinstance(p.owner.op, DimShuffle):
        return p.owner.op(_with_checked_mean(p.owner.inputs[0]))
    difference = _inputs(p, Sigmoid)
    logs = difference and _inputs(difference[0], Sub)
    if not logs:
        return p
    # Each by itself: the logarithm of a constant may be a float32 beside a float64.
    log_n, log_mu = (ops.asarray(x, "p") for x in logs)
    mu = _argument_of_log(log_mu)
    if mu is None or _argument_of_log(log_n) is None:
        return p
    return pt.sigmoid(log_n - pt.switch(mu < 0.0, np.inf, log_mu))


def _inputs(variable: Variable, scalar_op: type) -> list[Variable] | None:
    """What the operation that made the variable was given, if it is an elementwise one of this class."""
    node = variable.owner
    if node is None or not (isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, scalar_op)):
        return None
    inputs: list[Variable] = node.inputs
    return inputs


def _argument_of_log(variable: Variable) -> Variable | None:
    """The variable that this one is the logarithm of, with the dimensions of this one; else None."""
    if variable.owner is not None and isinstance(variable.owner.op, DimShuffle):
        inner = _argument_of_log(variable.owner.inputs[0])
        return None if inner is None else variable.owner.op(inner)
    found = _inputs(variable, Log)
    return None if found is None else found[0]
