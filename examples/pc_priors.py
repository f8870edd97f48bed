"""Penalised-complexity priors on a real hierarchical model, beside the vague priors that are usual.

Reaction times of 18 people over seven nights of three hours in bed. Everybody has an intercept and a slope,
which may be correlated, and errors follow Student's t. Four of the parameters make this model more complex
than a simpler one: two standard deviations (0: everybody is alike), a correlation (0: none) and degrees of
freedom (infinitely many: normal errors). The model is fitted under two sets of priors of these four, to the
first six people and to all of them.

    python examples/pc_priors.py --figure pc_priors.png
"""

from __future__ import annotations

import argparse
import logging
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from support.prior_report import Posterior, draw, moved, posterior_table, prior_table
from support.stages import Stages

# PyMC is imported in the functions: that takes seconds, before which the first line should be there.

SIZES = (6, 18)
"""How many people the model is fitted to."""
SECONDS = {
    "importing PyMC": 4.0,
    "asking the priors": 4.0,
    "6 people, usual priors": 25.0,
    "6 people, penalised priors": 35.0,
    "18 people, usual priors": 20.0,
    "18 people, penalised priors": 25.0,
    "drawing": 6.0,
}


class Plan(NamedTuple):
    """How long NUTS runs."""

    tune: int
    draws: int
    chains: int
    seed: int = 1


class People(NamedTuple):
    """Reaction times in ms, a row for each person: on the last day of usual sleep, and on the seven after."""

    reaction: np.ndarray

    @property
    def centre(self) -> float:
        return float(np.median(self.reaction))

    @property
    def spread(self) -> float:
        """Of all reaction times: the median deviation from their median, scaled as a normal sd."""
        return float(1.4826 * np.median(abs(self.reaction - self.centre)))


def people(number: int) -> People:
    """The first few people of the data. Days 0 and 1 were for training, and sleep was short after day 2."""
    data = np.loadtxt(Path(__file__).with_name("sleepstudy.csv"), delimiter=",", skiprows=4)
    return People(data[:, 2].reshape(18, 10)[:number, 2:])


def usual_priors(data: People, shape: int | None = None) -> list[Any]:
    """The defaults of brms (Bürkner 2017), but for its ν > 1."""
    import pymc as pm

    vague = {"nu": 3, "sigma": data.spread}
    return [
        pm.HalfStudentT("sd_intercept", **vague, shape=shape),
        pm.HalfStudentT("sd_slope", **vague, shape=shape),
        pm.Uniform("rho", -1, 1, shape=shape),
        pm.Gamma("nu", 2, 0.1, shape=shape),
    ]


def penalised_priors(data: People, shape: int | None = None) -> list[Any]:
    """A simpler model for each, and what would be a surprise."""
    import pymc as pm
    import pytensor.tensor as pt

    from kl_plugins import independent
    from kl_plugins.priors import pc_prior

    def effects(sd: Any) -> Any:
        return pm.Normal.dist(0, sd)

    def correlated(rho: Any) -> Any:
        """Two standardised variables, as sum and difference (over √2)."""
        variances = pt.stack([1 + rho, 1 - rho])
        return independent(pm.Normal.dist(0, pt.sqrt(variances)))

    def heavy_tailed(nu: Any) -> Any:
        """Student's t with variance 1."""
        return pm.StudentT.dist(nu, sigma=pt.sqrt((nu - 2) / nu))

    normal, positive = pm.Normal.dist(0, 1), (0, np.inf)
    five = {"probability": 0.05, "shape": shape}
    return [
        pc_prior("sd_intercept", effects, 0, at=100, bounds=positive, **five),
        pc_prior("sd_slope", effects, 0, at=20, bounds=positive, **five),
        pc_prior("rho", correlated, 0, at=0.8, bounds=(-1, 1), **five),
        pc_prior("nu", heavy_tailed, normal, at=3, bounds=(2, np.inf), **five),
    ]


PRIORS = {"usual": usual_priors, "penalised": penalised_priors}


def sleep_model(data: People, priors: str) -> Any:
    """Reaction times: a line for each person, with errors by Student's t."""
    import pymc as pm

    persons, days = data.reaction.shape
    with pm.Model() as model:
        sd_intercept, sd_slope, rho, nu = PRIORS[priors](data)
        centre, spread = data.centre, data.spread
        intercept = pm.StudentT("intercept", nu=3, mu=centre, sigma=spread)
        slope = pm.Normal("slope", 0, 50)
        scale = pm.HalfStudentT("scale", nu=3, sigma=spread)

        z = pm.Normal("z", shape=(2, persons))
        intercepts = intercept + sd_intercept * z[0]
        related = rho * z[0] + pm.math.sqrt(1 - rho**2) * z[1]
        slopes = slope + sd_slope * related
        line = intercepts[:, None] + slopes[:, None] * np.arange(days)
        errors = {"nu": nu, "sigma": scale}
        pm.StudentT("reaction", mu=line, **errors, observed=data.reaction)
    return model


def prior_draws(priors: str, number: int = 20_000) -> dict[str, np.ndarray]:
    """Draws of the priors of the four parameters."""
    import pymc as pm

    with pm.Model():
        variables = PRIORS[priors](people(18), number)
    drawn = pm.draw(variables, random_seed=1, mode="FAST_COMPILE")
    return {variable.name: values for variable, values in zip(variables, drawn, strict=True)}


def prior_density(priors: str, name: str, at: np.ndarray) -> np.ndarray:
    """The density of a parameter's prior."""
    import pymc as pm

    with pm.Model() as model:
        PRIORS[priors](people(18))
    return np.exp(pm.logp(model[name], at).eval(mode="FAST_COMPILE"))


def sample(model: Any, plan: Plan, stages: Stages | None = None) -> Any:
    """Draws of the posterior by NUTS."""
    import pymc as pm

    total, done = plan.chains * (plan.tune + plan.draws), 0
    if stages is not None:
        stages.at(0.0, "compiling")

    def count(trace: Any, draw: Any) -> None:
        nonlocal done
        done += 1
        if stages is not None:
            stages.at(done / total, f"draw {done:,d} of {total:,d}")

    with model:
        return pm.sample(
            plan.draws,
            tune=plan.tune,
            chains=plan.chains,
            cores=1,
            target_accept=0.95,
            callback=count,
            progressbar=False,
            random_seed=plan.seed,
            compute_convergence_checks=False,  # reported below
        )


def main() -> None:
    """Ask the priors, sample under each, compare and draw, saying at every moment what is being done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", default="pc_priors.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="six people and few draws")
    args = parser.parse_args()
    plan = Plan(200, 200, 2, args.seed) if args.short else Plan(1_000, 1_000, 4, args.seed)
    sizes = SIZES[:1] if args.short else SIZES
    skipped = {f"{size} people, {priors} priors" for size in set(SIZES) - set(sizes) for priors in PRIORS}
    path = Path(args.figure).resolve()

    with Stages({stage: seconds for stage, seconds in SECONDS.items() if stage not in skipped}) as stages:
        stages.print("Penalised-complexity priors beside the usual vague ones.")
        stages.print("Reaction times of 18 people over seven nights of short sleep: a line for each,")
        stages.print("and Student's t for the errors. Four parameters with two sets of priors.\n")
        stages.begin("importing PyMC")
        import pymc  # noqa: F401

        logging.getLogger("pymc").setLevel(logging.ERROR)
        logging.getLogger("pytensor").setLevel(logging.ERROR)  # of a BLAS, which nothing here needs
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")
        stages.begin("asking the priors")
        stages.print("", prior_table({priors: prior_draws(priors) for priors in PRIORS}), "")
        fits: dict[int, dict[str, Posterior]] = {size: {} for size in sizes}
        for size, pair in fits.items():
            for priors in PRIORS:
                stages.begin(f"{size} people, {priors} priors")
                pair[priors] = Posterior.of(sample(sleep_model(people(size), priors), plan, stages))
        stages.print("", posterior_table(fits), "")
        stages.print(moved(fits) + "\n")
        stages.begin("drawing")
        draw(path, fits, prior_density)
    stages.print(f"Figure: {path} ({stages.seconds:.0f} s in all)")


if __name__ == "__main__":
    main()
