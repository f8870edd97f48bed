"""Log densities of PyMC's random variables, by pm.logp, as functions of arrays that are compiled once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorConstant

from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pytensor.not_random import is_random
from kl_plugins.recognition import as_written

MODE = Mode(linker="py", optimizer="fast_run").excluding("fusion", "inplace")
"""Elementwise operations on long arrays are as fast in NumPy, and there is nothing to wait for."""


def log_density_of(variable: Variable) -> Callable[[FloatArray], FloatArray]:
    """The log density at points along the first axis, compiled when it is first asked for."""
    log_prob, value = _log_prob(variable)
    compiled = cache(lambda: _compiled(variable, log_prob, value))
    return lambda x: compiled()(x)


def _log_prob(variable: Variable) -> tuple[Variable, Variable]:
    """The graph of the log density, and the variable for the point; ValueError where it is random itself.

    Components of mixtures and innovations of random walks are random variables that are no parameters: their
    densities take their places in it.
    """
    value = variable.type("value")
    try:
        found = pm.logp(variable, value, warn_rvs=False)  # they are looked for below
    except NotImplementedError as error:
        raise TypeError(f"{as_written(variable)} has no density: {error}") from error
    if any(map(is_random, ancestors([found]))):
        name = type(variable.owner.op).__name__
        raise ValueError(f"{name} has a parameter that is random itself: estimates need numbers")
    return _in_doubles(found, variable), value


def _in_doubles(log_prob: Variable, variable: Variable) -> Variable:
    """The same with small constants as float64: PyTensor makes int8 of 3, and float32 of its logarithm."""
    small = [
        source
        for source in ancestors(variable.owner.inputs)
        if isinstance(source, TensorConstant) and source.dtype != "float64" and source.dtype[0] in "uif"
    ]
    larger = {constant: pt.constant(constant.data.astype(np.float64)) for constant in small}
    try:
        replaced = clone_replace(log_prob, larger, rebuild_strict=False)
    except Exception:  # one of them is a length or an index, and its operation refuses it in its own way
        return log_prob
    return replaced


def _compiled(variable: Variable, log_prob: Variable, value: Variable) -> Callable[[FloatArray], FloatArray]:
    values = pt.tensor("values", dtype=variable.dtype, shape=(None, *variable.type.shape))
    try:
        many = pytensor.function([values], vectorize_graph(log_prob, {value: values}), mode=MODE)
    # A graph that cannot be vectorised, of which operations and compilers raise what they like: one point
    # after the other, which raises again what is wrong with the graph itself.
    except Exception:
        one = pytensor.function([value], log_prob, mode=MODE)
        return lambda x: np.stack([one(point) for point in x.astype(variable.dtype)])
    return lambda x: np.asarray(many(x.astype(variable.dtype)), np.float64)
