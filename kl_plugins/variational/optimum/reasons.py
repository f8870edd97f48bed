"""Why the optimum of a family is not known: every reason, its text, and what to do."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

_NO_CONVERGENCE = "the optimiser did not converge"
_COLLINEAR = (
    "variables are collinear up to rounding error, which hides where along them the optimum of the ELBO is"
)


class Wording(Enum):
    """Sentences with places for details; the value is the text."""

    def told(self, **details: Any) -> str:
        """The sentence with its details."""
        text: str = self.value
        return text.format(**details)


class Whereabouts(Wording):
    """Where a search ran off to, or where an approximation has mass and the posterior has none."""

    RAN_OFF = (
        "the ELBO grows without bound as {name} goes to {limit} (the search ended at {end:.4g}), so the "
        "posterior is improper, as it is for a scale whose data do not scatter at all"
    )
    TOO_NARROW = (
        "the ELBO grows without bound, or floating-point numbers end first: the sd of {name} ({sd:.1g} at "
        "{end:.4g}) is smaller than their spacing there. If it is no scale whose data do not scatter at all, "
        "centre or rescale the variables"
    )
    OUTSIDE_AT_POINT = (
        "the approximation has mass where the posterior has none (the log density is −∞ at {where}, "
        "{out:g} sd from the mean), so KL(q‖posterior) is infinite"
    )
    OUTSIDE_AT_DRAWS = (
        "the approximation has mass where the posterior has none (the log density is −∞ at {missing:,d} of "
        "{draws:,d} draws), so KL(q‖posterior) is infinite"
    )


class DistanceText(Wording):
    """The lines of a distance to the optimum of a family."""

    NOT_KNOWN = "the distance to the best approximation of its family, q*, could not be computed: {reason}"
    JEFFREYS = (
        "Jeffreys divergence of q from q*, the best approximation of its family: {jeffreys:.4g} nats "
        "({low:.4g} to {high:.4g} with the Monte Carlo error of q*)"
    )
    KL = "KL(q‖q*) = {there:.4g} nats, KL(q*‖q) = {back:.4g} nats"
    ELBO = "ELBO(q*) − ELBO(q) = {gap:.4g} ± {error:.2g} nats"
    ERROR = "Monte Carlo error of q*: {error:.2g} nats (Jeffreys divergence)"
    NOT_REACHED = "q* was not found to within the tolerance: {reason}"
    BEST_OF_RANK = "q* is the best Gaussian of q's rank that was found, a local optimum"
    MOST_GAINED = (
        "with all correlations the ELBO is {gain:.2g} ± {error:.1g} nats larger, and of no other Gaussian of "
        "that rank it is larger than that"
    )
    OTHERS = "there are other local optima, their ELBO less that of q*: {gaps} nats"
    COST = "{evaluations:,d} log-density evaluations, {seconds:.1f} s"


class NoResponse(Wording):
    """Why there is no linear response, and what to do."""

    OPTIMUM_NOT_KNOWN = (
        "linear response is that of the best approximation of the family, and that is not known: {reason}"
    )
    NO_REST = (
        "the ELBO over {draws:,d} draws has no maximum near that over many: these are too few. Give more "
        "draws; where that does not help, reparametrise or run NUTS"
    )
    INDEFINITE = (
        "the ELBO does not fall in every direction from where it was found to be largest: a saddle, or "
        "rounding. There is no linear response there: reparametrise or run NUTS"
    )
    NO_COVARIANCE = (
        "the covariances by linear response are those of no Gaussian, by rounding or too few draws: give "
        "more draws, centre or rescale the variables"
    )


class Reason(Enum):
    """A reason why the optimum of a family is not known; the value is its text, with places for details."""

    PERIODIC = (
        "{name} is an angle that the data hardly constrain. Its density repeats every turn, so the ELBO "
        "grows without bound with its sd; the fit is kept to one turn"
    )
    UNBOUNDED_ELBO = f"{_NO_CONVERGENCE}: {{where}}"
    IMPROPER = (
        f"{_NO_CONVERGENCE}: the log density does not fall along {{along}}, however far, so the posterior is "
        "improper and the ELBO has no maximum"
    )
    NOT_FINITE = "the log density is not finite at some of the draws"
    ROUNDOFF = (
        f"{_NO_CONVERGENCE}: rounding errors of the log density, {{noise:.1g}} nats, are too large. "
        "Variables or data are too far from zero beside their spread"
    )
    COLLINEAR_WITHOUT_REST = f"{_NO_CONVERGENCE}: {_COLLINEAR}"
    NO_REST = f"{_NO_CONVERGENCE}, and the ELBO may have no maximum (an improper posterior?)"
    COLLINEAR = _COLLINEAR
    DISCONTINUOUS = (
        "the log density jumps, by {size:.2g} nats {where} (switch, comparisons, floor, rounding). Gradients "
        "do not see jumps, and these move the optimum by {moved} nats (Jeffreys)"
    )
    DISAGREEMENT = (
        "independent optima over {draws:,d} draws do not agree to {goal:.2g} nats, the tolerance over "
        "{share:g}"
    )
    OUT_OF_EVALUATIONS = (
        "the evaluations of the log density that were allowed did not suffice to find the optimum"
    )
    OUTSIDE_SUPPORT = "{where}"
    SADDLE = "from where the gradient of the ELBO is zero it grows in some direction, again and again"
    NO_FINITE_ELBO = (
        "no Gaussian that was tried has a finite ELBO: the log density is −∞ or NaN at points that each of "
        "them reaches"
    )

    def told(self, **details: Any) -> Obstacle:
        """The reason with its details."""
        return Obstacle(self, self.value.format(**details))


_CENTRE = "Centre predictors (subtract their means), or use method='fullrank_advi'"
_SUPPORT = (
    "The usual causes are a variable with bounds and no transform, and data that are impossible for some "
    "parameters"
)
REMEDIES = {
    Reason.PERIODIC: "Give the angle a more informative prior, or use MCMC",
    Reason.UNBOUNDED_ELBO: (
        "Give that variable a prior that keeps it away from there (a scale pm.InverseGamma or pm.LogNormal), "
        "or fix it"
    ),
    Reason.IMPROPER: "Give pm.Flat and other improper priors a proper one",
    Reason.NOT_FINITE: _SUPPORT,
    Reason.ROUNDOFF: "Centre them (subtract a constant), or rescale them",
    Reason.COLLINEAR_WITHOUT_REST: _CENTRE,
    Reason.NO_REST: "Look for an improper prior (pm.Flat), or for a scale whose data do not scatter",
    Reason.COLLINEAR: _CENTRE,
    Reason.DISCONTINUOUS: (
        "Make it smooth, such as pm.math.sigmoid((x - c) / width) for switch(x > c, 1, 0), marginalise what "
        "takes steps, or use MCMC"
    ),
    Reason.DISAGREEMENT: "Allow more draws (max_draws), or a larger tolerance",
    Reason.OUT_OF_EVALUATIONS: "Allow more (max_evaluations), or a larger tolerance",
    Reason.OUTSIDE_SUPPORT: "Give the variable a transform to the support of its density",
    Reason.SADDLE: "Use variational.fit(method='fullrank_advi'), or another rank",
    Reason.NO_FINITE_ELBO: _SUPPORT,
}
"""What to do about each reason."""

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
        """What to do about it."""
        return REMEDIES[self.reason]

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}"
