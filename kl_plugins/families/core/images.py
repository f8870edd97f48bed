"""Images of families under bijections, which change no divergence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from kl_plugins.errors import NoClosedFormError, Uncommon
from kl_plugins.families.core.affine import affine_map, in_shape_of_pair, outside, same_location
from kl_plugins.families.core.closed_forms import closed_form, no_closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.distribution import kl_rules
from kl_plugins.families.core.statements import LogDensity, UnknownExpectationError
from kl_plugins.families.core.statistics import Statistic
from kl_plugins.ops.deferred import deferred
from kl_plugins.ops.protocol import Array, ArrayOperations, Operations
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.declarations import POSITIVE, REAL, parameter, part


class OfBase(Continuous):
    """A family whose members are made of those of another, their base, and of a place of their own."""

    base: Any = part()

    def converted(self, ops: ArrayOperations, beside: Sequence[Array] = ()) -> dict[str, Any]:
        own = [getattr(self, name) for name in self.parameters]
        base = self.base.to(ops, [*beside, *own])
        return super().converted(ops, [*beside, *base.values()]) | {"base": base}

    def expand(self, batch: tuple[Array, ...]) -> Self:
        state = self.__getstate__()
        return self.unchecked(self.ops, **(state | {"base": self.base.expand(batch)}))


class Image(OfBase):
    """X = loc + sign·scale·f(B), B of the family `base` and f a bijection, which the class states.

    Where both sides are images under one bijection their divergence is that of the bases.
    """

    scale: Array = parameter(POSITIVE, default=1.0, static=True)
    loc: Array = parameter(REAL, typical=(0.5,), default=0.0, static=True)
    sign: Array = parameter(REAL, typical=(-1.0,), default=1.0, static=True)

    common: ClassVar[tuple[str, ...]] = ()
    """What both sides have to share for a closed form: for the error where they do not."""

    def preimage(self, z: Array) -> Array:
        """f⁻¹(z)."""
        raise NotImplementedError

    def log_slope(self, z: Array) -> Array:
        """log |d f⁻¹(z)/dz|."""
        raise NotImplementedError

    def mean_log_stretch(self) -> Array:
        """E log |f′(B)|, by which the entropies of Z and B differ."""
        raise UnknownExpectationError("the logarithm of the slope of the map that it is an image under")

    def has_map_of(self, other: Image) -> bool:
        """Whether f is certainly that of `other`."""
        return type(self) is type(other)

    def base_in(self, scale: Array) -> Any:
        """The distribution of f⁻¹(sign·(X − loc)/scale); None where it is not of the base's family."""
        return self.base if certainly_equal(self.scale, scale, self.ops) else None

    def log_density(self) -> LogDensity:
        return LogDensity(0.0, ((1.0, LogDensityOf(self)),))

    def standard_entropy(self) -> Array:
        """The entropy of the base and the mean of the change of the variable."""
        return self.base.standard_entropy() + self.ops.log(self.base.scale) + self.mean_log_stretch()


def multiple_of(base: Any, factor: Array) -> Any:
    """The distribution of factor·B, of a family with a location and a scale."""
    state = base.__getstate__() | {"loc": factor * base.loc, "scale": factor * base.scale}
    return base.unchecked(base.ops, **state)


@dataclass(frozen=True, eq=False)
class LogDensityOf(Statistic):
    """The log density of the standard variable of an image."""

    image: Image

    @property
    def text(self) -> str:  # type: ignore[override]
        return f"the log density of {self.image.describe()}"

    def __call__(self, z: Array, ops: Operations) -> Array:
        return self.image.base.log_prob(self.image.preimage(z)) + self.image.log_slope(z)


def _cost(p: Image, q: Image) -> str:
    """That of the bases, if it is theirs; nothing is computed but what decides."""
    p, q = deferred(p, q)
    base = p.base_in(q.scale) if p.sign == q.sign and p.has_map_of(q) and same_location(p, q) else None
    return cost_of_bases(base, q.base)


def cost_of_bases(p_base: Any, q_base: Any) -> str:
    """That of the rule of the two, if there are both."""
    rule = None if p_base is None or q_base is None else kl_rules.find(p_base, q_base)
    return "O(1)" if rule is None else rule.explain(p_base, q_base)[1]


@closed_form(Image, Image, _cost)
def image_image(p: Image, q: Image) -> Array:
    """That of the bases, where both are images under one map; else by statistics."""
    if p.sign != q.sign or not p.has_map_of(q) or (base := p.base_in(q.scale)) is None:
        return unless_common(p, q)
    if same_location(p, q):
        return of_bases(p, q, base, q.base)
    at = affine_map(p, q)
    beyond = outside(p, q, at)
    # Those of a batch that start elsewhere may all be infinite.
    if beyond is False or p.ops.symbolic or np.any(np.logical_not(beyond) & (at.shift != 0.0)):
        return unless_common(p, q)
    return in_shape_of_pair(p, q, of_bases(p, q, base, q.base), beyond)


def of_bases(p: Continuous, q: Continuous, p_base: Continuous, q_base: Continuous) -> Array:
    """The divergence of what p and q are images of; where there is none, the error is that of p and q."""
    rule: Any = kl_rules.find(p_base, q_base)
    try:
        return q.broadcast(p.broadcast(rule(p_base, q_base)))
    except NoClosedFormError:
        return unless_common(p, q) if type(p_base) is type(q_base) else by_statistics(p, q)


def unless_common(p: Any, q: Any) -> Array:
    """By statistics; where they do not tell, the error says what has to be the same on both sides."""
    try:
        return by_statistics(p, q)
    except NoClosedFormError:
        common = getattr(p, "common", ())
        if not (common and type(p) is type(q)):
            raise
        raise no_closed_form(p, q, Uncommon(*common)) from None
