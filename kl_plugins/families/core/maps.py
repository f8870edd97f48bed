"""Maps of variables, and the families that the images of others under them are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

from kl_plugins.errors import no_closed_form_of_one
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.univariate import Univariate
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal, certainly_is, is_literal, known_zero
from kl_plugins.rules import RuleTable

ImageRule = TypeVar("ImageRule", bound=Callable[[Any, Any], Distribution | None])

_OF_DISCRETE = (
    "the same function on both sides changes no divergence, and another of a discrete variable has no "
    "estimate either: compare the variables themselves"
)

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


@dataclass(frozen=True)
class Increasing(Map):
    """An increasing function of real numbers, of which no family has images; `odd`: it keeps their signs."""

    text: str  # type: ignore[misc]
    odd: bool = False


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

    @property
    def text(self) -> str:  # type: ignore[override]
        return f"{{}} ** {self.exponent:g}" if is_literal(self.exponent) else "{} ** c"


@dataclass(frozen=True, eq=False)
class Affine(Map):
    """loc + scale·x; `sign` is that of every scale, None where they differ or are not known yet."""

    loc: Array
    scale: Array
    sign: float | None
    text = "a + b * {}"


class Composed(NamedTuple):
    """A function of one random variable."""

    maps: Sequence[Map]
    """The first of them first."""

    after: Callable[[int], Distribution]
    """The distribution of what the first so many of them make, with the conditions of all."""


def without_common_maps(p: Composed, q: Composed) -> tuple[Distribution, Distribution] | None:
    """The two before the last maps that are the same on both sides, and bijections of where they live.

    A bijection changes no divergence. None where there is no such map.
    """
    common = 0
    while common < min(len(p.maps), len(q.maps)) and _are_same(p.maps[-1 - common], q.maps[-1 - common]):
        common += 1
    if not common:
        return None
    first = len(p.maps) - common
    bases = p.after(first), q.after(len(q.maps) - common)
    positive = all(isinstance(base, Univariate) and starts_at_zero(base) for base in bases)
    if not all(_is_injective(*one) for one in _with_signs(p.maps[first:], positive)):
        return None
    return bases


def are_monotone(maps: Sequence[Map], positive: bool) -> bool:
    """Whether maps certainly are so in a row; `positive` is whether all values of the variable are that."""
    return all(_is_injective(*one) and not _has_pole(*one) for one in _with_signs(maps, positive))


def _with_signs(maps: Sequence[Map], positive: bool) -> Iterator[tuple[Map, bool]]:
    """Each map, and whether all values that it maps certainly are positive."""
    for one in maps:
        yield one, positive
        positive = _is_positive(one, positive)


def _are_same(first: Map, second: Map) -> bool:
    """Whether two maps certainly are; numbers of graphs are the same variables, or equal constants."""
    if type(first) is not type(second):
        return False
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return all(a is b or (is_literal(a) and a == b) or (isinstance(a, str) and a == b) for a, b in pairs)


def _is_injective(one: Map, positive: bool) -> bool:
    """Whether no two values have one image; `positive` is whether all of them certainly are that."""
    if isinstance(one, Raised):
        return positive or (is_literal(one.exponent) and one.exponent % 2.0 == 1.0)
    return positive or not isinstance(one, Folded | Logarithm)


def _has_pole(one: Map, positive: bool) -> bool:
    """Whether a map may be infinite between two values of its variable."""
    rising = isinstance(one, Raised) and is_literal(one.exponent) and one.exponent > 0.0
    return isinstance(one, Odds) or (isinstance(one, Raised) and not (positive or rising))


def _is_positive(one: Map, positive: bool) -> bool:
    """Whether the images certainly are positive, where all values are."""
    if isinstance(one, Exponential | Sigmoid):
        return True
    if isinstance(one, Affine):
        return positive and is_literal(one.loc) and one.loc >= 0.0 and one.sign == 1.0
    return positive and (isinstance(one, Raised | Folded) or (isinstance(one, Increasing) and one.odd))


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
        remedy = _OF_DISCRETE if isinstance(p, Discrete) else None
        raise no_closed_form_of_one(f"{called}, whose distribution is none of the families", remedy)
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
