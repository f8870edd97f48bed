"""Why the best Gaussian of a family is not known: every reason, and its text."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

_NO_REST = "the optimiser did not come to rest"
_COLLINEAR = (
    "variables determine each other so closely that rounding hides where along them the optimum is; centre "
    "predictors (subtract their means), or use method='fullrank_advi'"
)


class Reason(Enum):
    """A reason why the optimum of a family is not known; the value is its text, with places for details."""

    PERIODIC = (
        "the density of an angle is the same a turn further, so that it is not normalisable over all of "
        "them, and {name} is too little known to stay within one: the ELBO grows with its sd without bound. "
        "The fit is kept to one turn"
    )
    UNBOUNDED_ELBO = f"{_NO_REST}: {{where}}"
    IMPROPER = (
        f"{_NO_REST}: the ELBO has no maximum, as the log density does not fall along {{along}}, however "
        "far: it is that of an improper posterior. Give pm.Flat and the like a proper prior"
    )
    NOT_FINITE = "the log density was not finite at some of the draws"
    ROUNDOFF = (
        f"{_NO_REST}: rounding errors of the log density, {{noise:.1g}} nats, are too large. Variables or "
        "data are too far from zero beside their spread: centre them (subtract a constant), or rescale them"
    )
    COLLINEAR_WITHOUT_REST = f"{_NO_REST}: {_COLLINEAR}"
    NO_REST = f"{_NO_REST}: the ELBO may have no maximum (an improper posterior?)"
    COLLINEAR = _COLLINEAR
    DISCONTINUOUS = (
        "the log density jumps, by {size:.2g} nats {where} (switch, comparisons, floor, rounding). Gradients "
        "do not see that, and so miss a step of {moved} nats (Jeffreys)"
    )
    ONE_AGREEMENT = (
        "{pair} of independent sets, of {draws:,d} draws, agrees to {apart:.2g} nats, and may do so by luck: "
        "two in a row must agree to {goal:.2g} nats, the tolerance over {share:g}, which takes more draws "
        "(max_draws)"
    )
    DISAGREEMENT = (
        "independent sets of {draws:,d} draws do not agree to {goal:.2g} nats, the tolerance over {share:g}"
    )
    OUTSIDE_SUPPORT = "{where}"
    NO_FINITE_ELBO = (
        "the ELBO is not finite for any Gaussian that was tried: the log density is −∞ or NaN at points that "
        "a Gaussian reaches. A variable with bounds and no transform, or data that are impossible for some "
        "parameters, are the usual reasons"
    )

    def told(self, **details: Any) -> Obstacle:
        """The reason with its details."""
        return Obstacle(self, self.value.format(**details))


REMEDIES = {
    Reason.DISCONTINUOUS: (
        "Make it smooth, such as pm.math.sigmoid((x - c) / width) for switch(x > c, 1, 0), marginalise what "
        "takes steps, or use MCMC"
    ),
}
"""What to do, of reasons whose text does not say it itself."""

WITHOUT_OPTIMUM = {Reason.PERIODIC, Reason.UNBOUNDED_ELBO, Reason.IMPROPER, Reason.NOT_FINITE}
"""Where there is no optimum, whatever the log density is like around where the search ended."""
WITHOUT_REST = WITHOUT_OPTIMUM | {Reason.ROUNDOFF, Reason.COLLINEAR_WITHOUT_REST, Reason.NO_REST}
"""Where the optimiser did not come to rest, so that more draws would not help."""


class Obstacle(NamedTuple):
    """What is in the way of an optimum.

    Attributes
    ----------
    reason : Reason
        An enumeration.
    what : str
        What it is in this case, in words.
    """

    reason: Reason
    what: str

    @property
    def remedy(self) -> str:
        """What may be done about it; empty where nothing is known to help."""
        return REMEDIES.get(self.reason, "")

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}" if self.remedy else self.what
