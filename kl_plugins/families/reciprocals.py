"""Reciprocals of positive variables: the alpha distribution is that of a truncated normal one."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from kl_plugins.families.core.images import Image, multiple_of
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.truncated_normal import TruncatedNormal
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_is


class Reciprocal(Image):
    """X = loc + scale/B, B a positive variable of the family `base`."""

    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)
    common: ClassVar[tuple[str, ...]] = ("loc",)

    def base_in(self, scale: Array) -> Any:
        """A multiple of the base: any scales serve."""
        if certainly_is(scale, self.scale):
            return self.base
        return multiple_of(self.base, scale / self.scale)

    def preimage(self, z: Array) -> Array:
        return 1.0 / z

    def log_slope(self, z: Array) -> Array:
        return -2.0 * self.ops.log(z)


def _alpha(a: Array, loc: Array, scale: Array) -> Reciprocal:
    """The reciprocal of a positive normal variable of mean a and variance 1.

    https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.alpha.html
    """
    return Reciprocal(TruncatedNormal(-a, math.inf, a / scale, 1.0 / scale), 1.0, loc)


from_scipy("alpha")(if_positive("a", _alpha))
