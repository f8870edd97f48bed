"""Independent copies of any family along a batch dimension, taken as one event."""

from __future__ import annotations

from functools import cached_property, singledispatch
from typing import Any

from kl_plugins.covariance.axis_aligned import AxisAligned, DiagonalScales
from kl_plugins.errors import no_closed_form_of_pair
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.families.core.parts import DivergenceOfParts
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.ops.protocol import Array, Conditions
from kl_plugins.parameters.declarations import part
from kl_plugins.parameters.labels import Labels, moved_to_event
from kl_plugins.parameters.shapes import Shape
from kl_plugins.rules import Rule


class Independent(Distribution):
    """The product of `base` over its last batch dimension."""

    base: Distribution = part()

    def check_shapes(self) -> None:
        if not self.base.batch_shape:
            raise ValueError(
                f"{self.base.describe()} has no batch dimension left to turn into an event dimension"
            )

    def labels_of_parts(self) -> list[Labels | None]:
        return [moved_to_event(self.base.labels, 1)]

    @cached_property
    def batch_shape(self) -> Shape:
        return self.base.batch_shape[:-1]

    @property
    def event_shape(self) -> Shape:
        return self.base.batch_shape[-1:] + self.base.event_shape

    def conditions(self) -> Conditions:
        for holds, message in super().conditions():
            yield (self.ops.all_last(holds) if holds.ndim else holds), message

    def describe(self) -> str:
        return f"Independent({self.base.describe()})"

    def entropy(self) -> Array:
        return self.ops.sum_last(self.base.entropy())


_WHY = "where both are products, it is the sum of those of their parts"
_of_parts = DivergenceOfParts(lambda side: side.base, _WHY)


@singledispatch
def product_over_last(base: Distribution) -> Distribution:
    """The last batch dimension as an event dimension; a family that has a name for that registers it here."""
    return Independent(base)


@product_over_last.register
def _(base: Normal) -> MultivariateNormal:
    mean, scale = base.ops.broadcast_arrays(base.mean, base.scale)
    return MultivariateNormal(mean, DiagonalScales(scale))


@kl_rules.register(Independent, Independent, cost=_of_parts.cost)
def independent_independent(p: Independent, q: Independent) -> Array:
    """The sum of the divergences of the independent parts."""
    return p.ops.sum_last(_of_parts(p, q))


def as_product(made: object) -> Independent | None:
    """The product over the last dimension that it is, as a diagonal normal is one of normals; else None."""
    if isinstance(made, Independent):
        return made
    if not (isinstance(made, MultivariateNormal) and isinstance(made.covariance, AxisAligned)):
        return None
    ops = made.ops
    mean, scale = ops.broadcast_arrays(made.mean, made.covariance.full_scales())
    return Independent.unchecked(ops, base=Normal.unchecked(ops, mean=mean, scale=scale))


def factors_of(p: object, q: object) -> tuple[Distribution, Distribution] | None:
    """What both are products of, one of which at least is called so; None where they are no products."""
    if not (isinstance(p, Independent) or isinstance(q, Independent)):
        return None
    products = as_product(p), as_product(q)
    if products[0] is None or products[1] is None:
        return None
    products[0].check_against(products[1])
    return products[0].base, products[1].base


def _of_products(p: Any, q: Any) -> tuple[Rule, Any, Any]:
    products = as_product(p), as_product(q)
    if None in products:
        raise no_closed_form_of_pair(p.describe(), q.describe(), _WHY)
    rule = kl_rules.find(*products)
    assert rule is not None
    return rule, *products


@kl_rules.register(Independent, MultivariateNormal, cost=_of_products)
@kl_rules.register(MultivariateNormal, Independent, cost=_of_products)
def independent_normal(p: Array, q: Array) -> Array:
    """The sum over the variables, where the normal side is diagonal."""
    rule, p, q = _of_products(p, q)
    return rule(p, q)
