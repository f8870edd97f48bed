"""Hyperbolic sines: Johnson's SU of normal variables, and Jones and Faddy's skew t of logits."""

from __future__ import annotations

from typing import ClassVar

from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.images import Image
from kl_plugins.families.core.names import from_pymc, from_scipy, if_positive
from kl_plugins.families.core.statements import expectation
from kl_plugins.families.core.statistics import Exp
from kl_plugins.families.generalized_logistic import GeneralizedLogistic
from kl_plugins.families.logistic import LogCosh
from kl_plugins.families.normal import Normal
from kl_plugins.ops import backend_of, floats
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_zero


class SinhTransformed(Image):
    """X = loc + scale·sinh(B), B of the family `base` on the whole real line.

    https://en.wikipedia.org/wiki/Johnson%27s_SU-distribution is one of a normal base.
    """

    common: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def preimage(self, z: Array) -> Array:
        size, ops = abs(z), self.ops
        return ops.sign(z) * ops.log1p(size + size * (size / (1.0 + ops.sqrt(1.0 + size * size))))

    def log_slope(self, z: Array) -> Array:
        return -0.5 * self.ops.log1p(z * z)

    def _at(self) -> AffineMap:
        base = self.base
        place = 0.0 if certainly_zero(base.loc, self.ops) else base.loc
        return AffineMap(self.ops, place, base.sign * base.scale)

    def mean_log_stretch(self) -> Array:
        return expectation(self.base, LogCosh(), self._at())

    def standard_mean(self) -> Array:
        """½ (E exp(B) − E exp(−B)). Where there is none E Z² is infinite, and that decides."""
        above, below = (expectation(self.base, Exp(rate), self._at()) for rate in (1.0, -1.0))
        ops = self.ops
        exists = ops.logical_and(above < float("inf"), below < float("inf"))
        return ops.where(exists, 0.5 * (ops.where(exists, above, 0.0) - ops.where(exists, below, 0.0)), 0.0)

    def standard_variance(self) -> Array:
        """¼ (E exp(2B) + E exp(−2B) − 2) less the square of the mean."""
        above, below = (expectation(self.base, Exp(rate), self._at()) for rate in (2.0, -2.0))
        ops, mean, second = self.ops, self.standard_mean(), above + below
        exists = second < float("inf")
        return ops.where(exists, 0.25 * (ops.where(exists, second, 2.0) - 2.0) - mean * mean, float("inf"))


def _skew_t(a: Array, b: Array, loc: Array, scale: Array) -> SinhTransformed:
    """√(a + b)·(2B − 1)/(2 √(B (1 − B))), B beta: the sine of half of its logit.

    Jones and Faddy, A skew extension of the t-distribution, with applications, 2003.
    """
    ops = backend_of(a, b, scale)
    known = [ops.literal(value) for value in (a, b, scale)]
    if None not in known:  # as numbers they may be seen to be common
        a, b, scale = known
        return SinhTransformed(GeneralizedLogistic(a, b, 0.0, 0.5), scale * floats.sqrt(a + b), loc)
    return SinhTransformed(GeneralizedLogistic(a, b, 0.0, 0.5), scale * ops.sqrt(a + b), loc)


from_scipy("johnsonsu")(
    if_positive("_ b", lambda a, b, loc, scale: SinhTransformed(Normal(-a / b, 1.0 / b), scale, loc))
)
from_scipy("jf_skew_t")(if_positive("a b", _skew_t))
from_pymc("SkewStudentTRV")(_skew_t)
