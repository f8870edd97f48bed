"""Covariance matrices of LKJ correlations and independent scales, which PyMC has the Cholesky factors of."""

from __future__ import annotations

from kl_plugins.errors import Requirement, no_closed_form_of_pair
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.parts import DivergenceOfParts
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.families.independent import Independent, product_over_last
from kl_plugins.families.lkj import LKJ, lkj_lkj
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.ops import array_backend_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.declarations import part
from kl_plugins.parameters.shapes import Shape, in_words


class LKJCovariance(Distribution):
    """Distributions of covariance matrices, in which LKJ correlations are independent of the scales.

    Parameters
    ----------
    correlations : LKJ
    scales : Distribution
        Of the d standard deviations, which are positive: of vectors of d values, or a product of d
        univariate distributions.

    Raises
    ------
    ValueError
        If the scales are not as many as the correlations have rows, or need not be positive.

    Notes
    -----
    The event shape is (d, d), however a library stores the matrix or its Cholesky factor: a bijection
    changes nothing.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import independent, kl
    >>> from kl_plugins.extend import recognise
    >>> from kl_plugins.families.lkj import LKJ
    >>> from kl_plugins.families.lkj_covariance import LKJCovariance
    >>> p = LKJCovariance(LKJ(1.0, 2), independent(recognise(stats.expon(scale=[1.0, 2.0]))))
    >>> q = LKJCovariance(LKJ(2.0, 2), independent(recognise(stats.expon(scale=[1.0, 1.0]))))
    >>> round(float(kl(p, q)), 6)
    0.515093
    """

    correlations: LKJ = part()
    scales: Distribution = part()
    find_backend = staticmethod(array_backend_of)

    def check_shapes(self) -> None:
        d, found = self.correlations.dimension, self.scales.event_shape
        if len(found) != 1 or found[0] not in (d, None):
            raise ValueError(
                Requirement("scales", f"must be of vectors of {d} values, got {in_words(found)}")
            )
        base = self.scales.base if isinstance(self.scales, Independent) else self.scales
        if isinstance(base, MultivariateNormal) or (isinstance(base, Univariate) and base.ends[0] < 0.0):
            raise ValueError(Requirement("scales", f"must be positive, got {self.scales.describe()}"))
        super().check_shapes()

    @property
    def event_shape(self) -> Shape:
        return self.correlations.event_shape


def with_scales(correlations: LKJ, scales: Distribution) -> LKJCovariance:
    """That of scales which are one distribution for each, in its last batch dimension, or one of vectors."""
    return LKJCovariance(correlations, scales if scales.event_shape else product_over_last(scales))


_of_scales = DivergenceOfParts(lambda side: side.scales, "there is none for their scales, {} and {}")


@kl_rules.register(LKJCovariance, LKJCovariance, cost=_of_scales.cost)
def lkj_covariance_lkj_covariance(p: LKJCovariance, q: LKJCovariance) -> Array:
    """That of the correlations and that of the scales, which are independent."""
    return lkj_lkj(p.correlations, q.correlations) + _of_scales(p, q)


@kl_rules.register(LKJ, LKJCovariance, cost="none")
@kl_rules.register(LKJCovariance, LKJ, cost="none")
def of_different_matrices(p: Distribution, q: Distribution) -> Array:
    """None: one is of correlations alone, the other of covariances."""
    why = "one is of correlation matrices, the other of covariance matrices, whose scales it has as well"
    raise no_closed_form_of_pair(p.describe(), q.describe(), why, estimable=False)
