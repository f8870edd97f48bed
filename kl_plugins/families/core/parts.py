"""Rules for distributions made of others, whose divergence is that of parts of them, of any family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_pair
from kl_plugins.families.core.distribution import Distribution, kl_rules
from kl_plugins.ops.protocol import Array
from kl_plugins.rules import Rule


@dataclass(frozen=True)
class DivergenceOfParts:
    """The divergence of two parts, by the rule for their families; errors are about the whole sides.

    `part` takes the part of a side. `why` is what the error says where the parts have no closed form; two
    pairs of braces in it stand for what the parts are called.
    """

    part: Callable[[Any], Distribution]
    why: str

    def __call__(self, p: Distribution, q: Distribution) -> Array:
        rule, p_part, q_part = self._found(p, q)
        try:
            return rule(p_part, q_part)
        except NoClosedFormError:
            raise self._none(p, q) from None

    def cost(self, p: Distribution, q: Distribution) -> tuple[Rule, Any, Any]:
        """The rule for the parts, and these: what a rule's `cost` may be."""
        rule, p_part, q_part = self._found(p, q)
        try:
            rule.explain(p_part, q_part)
        except NoClosedFormError:
            raise self._none(p, q) from None
        return rule, p_part, q_part

    def _found(self, p: Distribution, q: Distribution) -> tuple[Rule, Any, Any]:
        p_part, q_part = self.part(p), self.part(q)
        rule = kl_rules.find(p_part, q_part)
        if rule is None:
            raise self._none(p, q)
        return rule, p_part, q_part

    def _none(self, p: Distribution, q: Distribution) -> NoClosedFormError:
        why = self.why.format(self.part(p).describe(), self.part(q).describe())
        return no_closed_form_of_pair(p.describe(), q.describe(), why)
