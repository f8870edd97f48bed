"""Positive variables with a random sign: generalised normal, double gamma and double Weibull ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from kl_plugins.families.core.affine import AffineMap, same_location
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.images import OfBase, of_bases, unless_common
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.core.statements import LogDensity, expectation, expects
from kl_plugins.families.core.statistics import Absolute, Statistic
from kl_plugins.families.gamma import GeneralizedGamma, Weibull
from kl_plugins.families.laplace import Laplace
from kl_plugins.families.normal import Normal
from kl_plugins.ops.protocol import Array, Operations
from kl_plugins.parameters.certainty import is_literal
from kl_plugins.parameters.declarations import REAL, parameter

_LOG_2 = math.log(2.0)


class Symmetrised(OfBase):
    """X = loc ± B, either with probability ½, B a positive variable of the family `base`.

    https://en.wikipedia.org/wiki/Generalized_normal_distribution is one, B a power of a gamma variable.
    """

    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    common: ClassVar[tuple[str, ...]] = ("loc",)

    def moved(self, loc: Array, scale: Array, sign: float | None) -> Self | None:
        base = self.base.moved(0.0, abs(scale), 1.0)
        return None if base is None else type(self)(base, loc + scale * self.loc)

    def log_density(self) -> LogDensity:
        """That of the base at |z|, less log 2.

        A coefficient that is rounding takes its logarithm away, which is infinite at the centre.
        """
        constant, terms = self.base.log_density()
        scale = self.base.scale
        found = tuple(
            (c, OfSize(statistic, scale)) for c, statistic in terms if not (is_literal(c) and abs(c) < 1e-15)
        )
        return LogDensity(constant - self.ops.log(scale) - _LOG_2, found)

    def standard_entropy(self) -> Array:
        return self.base.standard_entropy() + self.ops.log(self.base.scale) + _LOG_2

    def standard_mean(self) -> Array:
        """The centre of symmetry. Where there is no mean E|z| is infinite, and that decides."""
        return 0.0

    def standard_variance(self) -> Array:
        return self.base.scale * (self.base.scale * self.base.moment(2.0))


@dataclass(frozen=True, eq=False)
class OfSize(Statistic):
    """A statistic of |z|/scale."""

    statistic: Statistic
    scale: Array

    @property
    def text(self) -> str:  # type: ignore[override]
        return f"{self.statistic.text} at a multiple of |z|"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return self.statistic(abs(z) / self.scale, ops)


@closed_form(Symmetrised, Symmetrised)
@closed_form(Symmetrised, Normal)
@closed_form(Normal, Symmetrised)
@closed_form(Symmetrised, Laplace)
@closed_form(Laplace, Symmetrised)
def symmetrised_symmetrised(p: Any, q: Any) -> Array:
    """That of the distances from a common centre; else by statistics."""
    if not same_location(p, q):
        return unless_common(p, q)
    return of_bases(p, q, _distance(p), _distance(q))


def _distance(x: Any) -> Any:
    """The distribution of |X − loc|."""
    if isinstance(x, Symmetrised):
        return x.base
    shape, width, power = (0.5, math.sqrt(2.0), 2.0) if isinstance(x, Normal) else (1.0, 1.0, 1.0)
    state = {"concentration": shape, "scale": width * x.scale, "power": power, "loc": 0.0, "sign": 1.0}
    return GeneralizedGamma.unchecked(x.ops, **state)


@expects(Symmetrised, OfSize)
def of_size(p: Symmetrised, statistic: OfSize, at: AffineMap) -> Array:
    if not at.fixes_zero:
        return None
    ratio = abs(at.ratio) * (p.base.scale / statistic.scale)
    return expectation(p.base, statistic.statistic, AffineMap(p.ops, 0.0, ratio))


@expects(Symmetrised, Absolute)
def absolute(p: Symmetrised, statistic: Absolute, at: AffineMap) -> Array:
    return abs(at.ratio) * (p.base.scale * p.base.standard_mean()) if at.fixes_zero else None


from_scipy("gennorm")(
    if_positive("beta", lambda beta, loc, scale: Symmetrised(GeneralizedGamma(1.0 / beta, scale, beta), loc))
)
from_scipy("dgamma")(if_positive("a", lambda a, loc, scale: Symmetrised(GeneralizedGamma(a, scale), loc)))
from_scipy("dweibull")(if_positive("c", lambda c, loc, scale: Symmetrised(Weibull(1.0, scale, c), loc)))
