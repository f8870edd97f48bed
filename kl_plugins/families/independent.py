"""Independent copies of any family along a batch dimension, taken as one event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kl_plugins.backends.parametrised import Shape
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.distribution import Distribution, kl_rules
from kl_plugins.rules import Rule


@dataclass(frozen=True, eq=False)
class Independent(Distribution):
    """The product of `base` over its last batch dimension."""

    base: Distribution
    parts: ClassVar[tuple[str, ...]] = ("base",)

    def check_shapes(self) -> None:
        if not self.base.batch_shape:
            raise ValueError(
                f"{self.base.describe()} has no batch dimension left to turn into an event dimension"
            )

    @property
    def batch_shape(self) -> Shape:
        return self.base.batch_shape[:-1]

    @property
    def event_shape(self) -> Shape:
        return self.base.batch_shape[-1:] + self.base.event_shape

    def describe(self) -> str:
        return f"Independent({self.base.describe()})"

    def entropy(self) -> Any:
        return self.ops.sum_last(self.base.entropy())


def _by_base(p: Independent, q: Independent) -> tuple[Rule, Any, Any]:
    rule = kl_rules.find(p.base, q.base)
    if rule is None:
        raise NoClosedFormError(f"no closed form for {p.base.describe()} and {q.base.describe()}")
    return rule, p.base, q.base


@kl_rules.register(Independent, Independent, cost=_by_base)
def independent_independent(p: Independent, q: Independent) -> Any:
    """The sum of the divergences of the independent parts."""
    rule, p_base, q_base = _by_base(p, q)
    return p.ops.sum_last(rule(p_base, q_base))
