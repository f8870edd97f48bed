"""Families of one variable, X = loc + sign·scale·Z, Z the standard variable of the family."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import is_literal, known_zero
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

    place: ClassVar[str] = "loc"
    """The name of the parameter that is the location."""

    width: ClassVar[str] = "scale"
    """The name of the parameter that multiplies a variable of location zero."""

    symmetric: ClassVar[bool] = False
    """Whether −Z has the distribution of Z."""

    @property
    def event_shape(self) -> Shape:
        return ()

    def standard_ends(self) -> tuple[Array, Array]:
        """The ends of the support of Z; floats where they are the same for all parameters."""
        return self.ends

    def for_decisions(self) -> Self:
        """The same, in operations that decide whether there is a closed form of numbers."""
        return self

    def batch_slice(self, piece: slice) -> Self:
        """Those of a vector of distributions that are in a slice."""
        state = self.__getstate__()
        for name, core_ndim in self.cores():
            if not is_literal(value := state[name]) and value.ndim > core_ndim and len(value) > 1:
                state[name] = value[piece]
        for name in self.parts:
            state[name] = state[name].batch_slice(piece)
        return self.unchecked(self.ops, **state, inside=self.inside)

    def moved(self, loc: Array, scale: Array, sign: float | None) -> Self | None:
        """The distributions of loc + scale·X; None where the family does not have them.

        `sign` is that of every scale; None where they differ, or are not known yet, which does not matter to
        symmetric families.
        """
        own = self if self.symmetric or sign == 1.0 else self.mirrored() if sign == -1.0 else None
        if own is None:
            return None
        state = own.__getstate__()
        if self.place not in state or not (self.width in state or self.ops.literal(scale) == 1.0):
            return None
        factor = scale if own is self else -scale
        place = state[self.place]
        state[self.place] = loc if known_zero(place, self.ops) else loc + factor * place
        if self.width in state:
            size = factor if sign == 1.0 or own is not self else abs(factor)
            state[self.width] = size * state[self.width]
        return type(self)(**state)

    def mirrored(self) -> Self | None:
        """The distributions of −X; None where the family does not have them."""
        state = self.__getstate__()
        if "sign" not in state:
            return None
        return self.changed(sign=-self.sign, loc=-self.loc)

    def changed(self, **state: Array) -> Self:
        """The same with other valid values for some of its fields."""
        return self.unchecked(self.ops, **(self.__getstate__() | state))

    def broadcast(self, value: Array) -> Array:
        """`value`, broadcast against the parameters, those of parts too, and NaN where one of them is."""
        for name in self.parts:
            value = getattr(self, name).broadcast(value)
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
