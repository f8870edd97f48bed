"""Maps of variables, and the families that the images of others under them are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from kl_plugins.errors import no_closed_form_of_one
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is, is_literal, known_zero
from kl_plugins.rules import RuleTable

ImageRule = TypeVar("ImageRule", bound=Callable[[Any, Any], Distribution | None])

image_rules = RuleTable("image", "kl_plugins.families")
"""The family of an image, for pairs of a family and a map; a rule returns None where it is none."""


class Map:
    """A function of a variable, of which other functions are composed."""

    text: ClassVar[str]
    """How it is written, of a variable in the place of the braces."""


class Exponential(Map):
    text = "exp({})"


class Logarithm(Map):
    text = "log({})"


class Folded(Map):
    text = "|{}|"


class Sigmoid(Map):
    text = "sigmoid({})"


class Odds(Map):
    """x/(1 − x), whose logarithm is the logit."""

    text = "odds({})"


@dataclass(frozen=True, eq=False)
class Raised(Map):
    """A power, whose exponent is not 0."""

    exponent: Array
    text = "{} ** c"


@dataclass(frozen=True, eq=False)
class Affine(Map):
    """loc + scale·x; `sign` is that of every scale, None where they differ or are not known yet."""

    loc: Array
    scale: Array
    sign: float | None
    text = "a + b * {}"


def image_of(family: type, kind: type[Map]) -> Callable[[ImageRule], ImageRule]:
    """Register the decorated function of a distribution of the family and a map of the kind.

    It returns the distribution of the image, or None where that is no family.
    """
    return image_rules.register(family, kind, cost="O(1)")


def image(p: Distribution, of: Map, called: str) -> Distribution:
    """The distribution of a function of a variable; NoClosedFormError where it is no family.

    `called` is how the image is written.
    """
    found = _by_rule(p, of)
    if found is None and isinstance(p, Univariate) and isinstance(of, Raised):
        found = _even_power(p, of)
    if found is None and isinstance(of, Affine) and of.sign is None:
        raise no_closed_form_of_one(
            f"{called}, as the sign of b is not known (write its absolute value, or an exponential)"
        )
    if found is None:
        raise no_closed_form_of_one(f"{called}, whose distribution is none of the families")
    return found


@image_of(Univariate, Affine)
def moved(p: Univariate, of: Affine) -> Distribution | None:
    return p.moved(of.loc, of.scale, of.sign)


@image_of(Univariate, Folded)
def folded(p: Univariate, of: Folded) -> Distribution | None:
    """A variable that is not negative is its absolute value."""
    return p if starts_at_zero(p) else None


def starts_at_zero(p: Univariate) -> bool:
    """Whether its place is certainly zero, from where it goes upwards: it is scale·Z, and Z ≥ 0."""
    low, _ = p.standard_ends()
    return is_literal(low) and low >= 0.0 and known_zero(p.loc, p.ops) and certainly_is(p.sign, 1.0)


def is_unit(p: Univariate) -> bool:
    """Whether its location is certainly 0, and its scale 1."""
    return known_zero(p.loc, p.ops) and certainly_equal(p.scale, 1.0, p.ops)


def _even_power(p: Univariate, of: Raised) -> Distribution | None:
    """That of the absolute value."""
    exponent = p.ops.literal(of.exponent)
    if exponent is None or exponent % 2.0 or starts_at_zero(p):
        return None
    return _by_rule(_by_rule(p, Folded()), of)


def _by_rule(p: Distribution | None, of: Map) -> Distribution | None:
    rule = None if p is None else image_rules.find(p, of)
    found: Distribution | None = None if rule is None else rule(p, of)
    return found
