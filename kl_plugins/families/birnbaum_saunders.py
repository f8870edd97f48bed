"""The Birnbaum–Saunders (fatigue life) distribution."""

from __future__ import annotations

import math
from typing import ClassVar

from kl_plugins.families.core.images import Image
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.normal import Normal
from kl_plugins.ops.protocol import Array


class BirnbaumSaunders(Image):
    """X = loc + scale·Z, where √Z − 1/√Z is a normal variable.

    https://en.wikipedia.org/wiki/Birnbaum%E2%80%93Saunders_distribution
    """

    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)
    common: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def preimage(self, z: Array) -> Array:
        root = self.ops.sqrt(z)
        return root - 1.0 / root

    def log_slope(self, z: Array) -> Array:
        """log(½ z^(−½) + ½ z^(−3/2))."""
        return self.ops.log1p(z) - 1.5 * self.ops.log(z) - math.log(2.0)


from_scipy("fatiguelife")(
    if_positive("c", lambda c, loc, scale: BirnbaumSaunders(Normal(0.0, c), scale, loc))
)
