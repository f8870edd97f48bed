"""Families of one variable, X = loc + sign·scale·Z, Z the standard variable of the family."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.shapes import Shape

EVERYWHERE = (-math.inf, math.inf)


class Univariate(Distribution):
    """A family of distributions of one variable, X = loc + sign·scale·Z.

    A subclass declares its parameters and says where Z lives (``ends``); what its
    parameters must satisfy beside their domains is in ``further_conditions``.
    """

    ends: ClassVar[tuple[float, float]] = EVERYWHERE
    loc = 0.0
    scale = 1.0
    sign = 1.0

    @property
    def event_shape(self) -> Shape:
        return ()

    def standard_ends(self) -> tuple[Array, Array]:
        """The ends of the support of Z; floats where they are the same for all parameters."""
        return self.ends

    def batch_slice(self, piece: slice) -> Self:
        """Those of a vector of distributions that are in a slice."""
        state = self.__getstate__()
        for name, core_ndim in self.cores():
            if not is_literal(value := state[name]) and value.ndim > core_ndim and len(value) > 1:
                state[name] = value[piece]
        for name in self.parts:
            state[name] = state[name].batch_slice(piece)
        return self.unchecked(self.ops, **state, inside=self.inside)

    def moved(self, loc: Array, scale: Array) -> Self | None:
        """The distributions of loc + scale·X; None where the family does not have them."""
        state = self.__getstate__()
        if not {"loc", "scale"} <= state.keys():
            return None
        sign = np.sign(scale)
        if np.any(sign < 0.0):
            if "sign" not in state or np.any(sign > 0.0):
                return None
            state["sign"] = -state["sign"]
        state["loc"], state["scale"] = loc + scale * state["loc"], abs(scale) * state["scale"]
        return type(self)(**state)

    def broadcast(self, value: Array) -> Array:
        """`value`, broadcast against all parameters, and NaN where one of them is."""
        if self.ops.scalar and not self.may_hold_nan:
            return value
        parameters = [getattr(self, name) for name in self.parameters]
        if type(value) is np.ndarray and value.dtype == np.float64 and self.has_no_nan():
            shapes = [parameter.shape for parameter in parameters if not is_literal(parameter)]
            if all(shape in (value.shape, ()) for shape in shapes):
                return value
        for parameter in parameters:
            if is_literal(parameter):
                value = value if parameter == parameter else value + parameter
            else:
                value = value + self.ops.zero_or_nan(parameter)
        return value
