"""The univariate normal distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from kl_plugins.backends.domains import Domain
from kl_plugins.backends.formulas import scale_divergence
from kl_plugins.backends.parametrised import Shape, broadcast_shapes
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.families.distribution import Distribution, kl_rules
from kl_plugins.families.multivariate_normal import MultivariateNormal


@dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """Normal distributions with density exp(−½ ((x − mean) / scale)²) / (scale √(2π)).

    Parameters
    ----------
    mean : array_like or TensorVariable
    scale : array_like or TensorVariable
        Standard deviation; broadcasts against `mean`.

    Raises
    ------
    ValueError
        If a mean is infinite, or a scale is not positive or infinite.
    """

    mean: Any
    scale: Any
    arrays: ClassVar[tuple[str, ...]] = ("mean", "scale")
    core_ndims: ClassVar[tuple[int, ...]] = (0, 0)
    domains: ClassVar[tuple[Domain, ...]] = (Domain(), Domain(0.0, meaning="the standard deviation"))

    def check_shapes(self) -> None:
        try:
            _ = self.batch_shape
        except ValueError:
            shapes = self.ops.shape(self.mean), self.ops.shape(self.scale)
            raise ValueError(f"shapes of mean {shapes[0]} and scale {shapes[1]} do not broadcast") from None

    @property
    def batch_shape(self) -> Shape:
        mean, scale = self.ops.shape(self.mean), self.ops.shape(self.scale)
        return mean if mean == scale else broadcast_shapes(mean, scale)

    @property
    def event_shape(self) -> Shape:
        return ()

    def entropy(self) -> Any:
        """½ ln(2πe) + ln scale, shape ``batch_shape``."""
        constant = 0.5 * math.log(2.0 * math.pi * math.e)
        return constant + self.ops.log(self.scale) + self.ops.zeros_like(self.mean)

    def independent(self) -> Distribution:
        """The trailing batch dimension as the variables of a diagonal MultivariateNormal."""
        mean, scale = self.ops.broadcast_arrays(self.mean, self.scale)
        return MultivariateNormal(mean, DiagonalScales(scale))


@kl_rules.register(Normal, Normal, cost="O(1)")
def normal_normal(p: Normal, q: Normal) -> Any:
    """½ [m² − 1 − 2 ln m + w²], m the ratio of the scales, w the whitened difference of the means.

    Source: https://statproofbook.github.io/P/norm-kl, in the form without cancellation.
    """
    w = (p.mean - q.mean) / q.scale
    return scale_divergence(p.scale, q.scale, p.ops) + (0.5 * w) * w
