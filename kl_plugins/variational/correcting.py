"""The standard deviations and correlations that a mean-field fit lacks, by linear response."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from pymc.model import Model

from kl_plugins.covariance.full import Dense
from kl_plugins.covariance.low_rank import LowRank
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, Variable, some_of
from kl_plugins.interrupts import answered_in_time
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.variational.optimum.distance import OptimumDistance, distance_by_search
from kl_plugins.variational.optimum.draw_counts import MOST_DRAWS, draws_for_covariances
from kl_plugins.variational.optimum.progress import Report, progress_line
from kl_plugins.variational.optimum.quasi_random import draws_in_sets
from kl_plugins.variational.optimum.reasons import NoResponse
from kl_plugins.variational.optimum.response import Curvature
from kl_plugins.variational.optimum.scale_families import ScaleFamily, family_of, member_of
from kl_plugins.variational.report.certificate import Certificate
from kl_plugins.variational.report.linear_response import LinearResponse
from kl_plugins.variational.report.wording import ResponseText
from kl_plugins.variational.target.approximations import model_and_distribution
from kl_plugins.variational.target.density import TargetDensity
from kl_plugins.variational.target.given import free_variables
from kl_plugins.variational.target.settings import Seed, check_count, check_tolerance, generator

SETS = 16
"""Independent sets of draws, whose differences say how well the response is known."""
DRAWS, FEWEST_DRAWS = 4096, 512
"""Of all sets together, for few coordinates and for many."""
NUMBERS = 2**19
"""Draws times coordinates that are asked for, from which on there are fewer draws."""
HELD = 2**22
"""The same of all coordinates: numbers that an evaluation of all draws holds, several times."""
UNCERTAIN = 0.1
"""A Monte Carlo error of a standard deviation, relative to it, that is worth a warning."""


def linear_response(
    approximation: object,
    model: Model | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    draws: int | None = None,
    tolerance: float = 0.1,
    random_seed: Seed = None,
    progressbar: bool = True,
) -> LinearResponse:
    """Correct the standard deviations of a mean-field fit, and find the correlations that it has not.

    The best mean-field Gaussian often has the posterior's means, and standard deviations that are too small
    by far where variables are correlated. But its means move as the posterior is changed a little, and how
    they move is the posterior's covariance: by how much the mean of one variable grows when the log density
    is tilted along another. That is a block of the inverse Hessian of the ELBO at its maximum, which no
    refit is needed for. For a Gaussian posterior the covariance is exact, whatever the correlations.

    Parameters
    ----------
    approximation : pymc.MeanField, pymc.FullRank, an approximation of such groups, or one from elsewhere
        What `distance_to_optimum` takes. A fit by `variational.fit` that is certified is taken as it is,
        unless the model's data were changed since; of any other the optimum of its family is found first,
        and the response is that of the optimum. Of a low rank it is that of the best with all correlations.
    model : pymc.Model, optional
        The model approximated, where `approximation` does not know it and it is not in context.
    var_names : str or sequence of str, optional
        Free variables whose covariances are wanted, by default all. The cost grows with the number of their
        elements; all others respond all the same.
    draws : int, optional
        Of the standard normal, in 16 independent sets; at least 512, and rounded down to a power of two. By
        default 4,096; fewer where the covariances of more than 128 elements are wanted or the model has more
        than 1,000, and more for full-rank fits of more than 32.
    tolerance : float
        The Jeffreys divergence in nats within which the optimum has to be known.
    random_seed : int, sequence of int or numpy.random.Generator, optional
    progressbar : bool
        Whether to show what is being done, in a terminal or notebook.

    Returns
    -------
    LinearResponse
        ``gaussian`` is the corrected Gaussian over the unconstrained variables; ``to_dataset()`` has
        corrected standard deviations of the model's own variables and of its Deterministics. `diagnose` takes
        it, and says whether it can be trusted.

    Raises
    ------
    TypeError
        If `approximation` is not a Gaussian approximation, or there is no model.
    ValueError
        If the optimum of the family is not known, naming the reason; if there is none to be had, see
        `distance_to_optimum`; if the model has no such variables; if `draws` are too few; if the ELBO has a
        saddle there.

    Warns
    -----
    UserWarning
        If a corrected standard deviation is known to no more than a tenth, for the draws are few.

    Notes
    -----
    R. Giordano, T. Broderick, M. I. Jordan (2018), "Covariances, Robustness, and Variational Bayes", JMLR 19;
    with fixed draws R. Giordano, M. Ingram, T. Broderick (2024), JMLR 25, arXiv:2304.05527. Products with the
    Hessian are differences of gradients, exact to eight digits or more, and the systems are solved by
    conjugate gradients where few covariances of many are wanted, so that no matrix over all parameters is
    made. Standard errors are by the jackknife over independent sets of quasi-random draws, with the optimum
    and the Hessian that the others give. They are too small where what matters is in a tail that few draws
    reach: of log σ under a half-normal prior alone two errors cover 70 to 80 %.

    The variance of a function g of the variables, such as σ of log σ or a Deterministic, is linear response
    too: ∇E_q[g]ᵀ H⁻¹ ∇E_q[g], with the expectations taken over the fit. That is of the linear and quadratic
    terms of g alone, as a Gaussian of the family responds by its means and scales; what the rest of g varies
    by under q is added, so that nothing is lost where q is the posterior. The other way, draws of
    the corrected Gaussian taken through g, is as good where the posterior is near Gaussian (beside NUTS both
    were within 3.5 % in five regressions). Where it is skewed it is worse: in the eight-schools model the
    standard deviations of the schools' effects were 1.4 to 2.2 times those of NUTS by draws, and 0.78 to 0.88
    times by response.

    Where the posterior is no Gaussian, the correction may help a little, not at all, or too much. `diagnose`
    compares it with the posterior, as any other approximation.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins import variational
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0)
    ...     y = pm.Normal("y", x, 0.5)
    ...     mean_field = variational.fit(random_seed=1, progressbar=False)
    >>> mean_field.std.eval().round(3)
    array([0.447, 0.5  ])
    >>> response = variational.linear_response(mean_field, random_seed=1, progressbar=False)
    >>> response.gaussian.covariance.matrix().round(3)
    array([[1.  , 1.  ],
           [1.  , 1.25]])
    """
    tolerance = check_tolerance(tolerance)
    if draws is not None:
        check_count(draws, "draws", FEWEST_DRAWS)
    # A stream of its own: `fit` with the same seed must not have seen these draws.
    rng = generator(random_seed).spawn(1)[0]
    model, q = model_and_distribution(approximation, model, "linear_response")
    if isinstance(q.covariance, LowRank):
        q = NamedMultivariateNormal(q.mean, Dense(q.covariance.matrix()), q.variables)
    chosen = _value_names(model, var_names)
    with answered_in_time(), progress_line(progressbar, lasting=False) as report:
        report("compiling the log density")
        target = TargetDensity(model, q.variables, np.asarray(q.mean, dtype=float))
        certificate = getattr(approximation, "certificate", None)
        distance = None
        if not (isinstance(certificate, Certificate) and certificate.holds_within(tolerance)):
            distance = _searched(q, model, target, tolerance, rng, report)
            q = distance.optimum
        family = family_of(q.covariance)
        variables = tuple(variable for variable in q.variables if variable.name in chosen)
        places = np.concatenate([np.arange(target.dimension)[q.slices[name]] for name, _ in variables])
        count = _draws_of_a_set(draws, len(places), family)
        sets = draws_in_sets(SETS, count, family.dimension, rng)
        curvature = Curvature(target, family, member_of(family, q), sets, report)
        if distance is None and curvature.moved > tolerance:
            # A certificate does not know that the model's data were changed after the fit.
            distance = _searched(q, model, target, tolerance, rng, report)
            q = distance.optimum
            curvature = Curvature(target, family, member_of(family, q), sets, report)
        sides = curvature.sides_of_means(places)
        solved = curvature.solved(sides, report)
        found = LinearResponse(
            gaussian=_gaussian(curvature.mean[places], solved.covariance(sides), variables),
            optimum=q,
            mcse_mean=curvature.errors(solved),
            mcse_sd=solved.sds(sides, np.broadcast_to(sides, (SETS, *sides.shape)))[1],
            distance=distance,
            sets=SETS,
            draws=count,
            evaluations=target.evaluations,
            seconds=target.seconds(),
            model=model,
            _curvature=curvature,
        )
    _warn_of_errors(found)
    return found


def _searched(
    q: Snapshot,
    model: Model,
    target: TargetDensity,
    tolerance: float,
    rng: np.random.Generator,
    report: Report,
) -> OptimumDistance:
    """How far q is from the optimum of its family; ValueError where that is not known."""
    distance = distance_by_search(
        q,
        model,
        target,
        tolerance,
        MOST_DRAWS,
        rng,
        lambda stage: report(f"best of the family: {stage}"),
    )
    if not distance.reached:
        raise ValueError(NoResponse.OPTIMUM_NOT_KNOWN.told(reason=distance.reason))
    return distance


def _value_names(model: Model, wanted: str | Sequence[str] | None) -> set[str]:
    """The names of the value variables of the free variables that are wanted."""
    return {model.rvs_to_values[rv].name for rv in free_variables(model, wanted)}


def _gaussian(mean: FloatArray, covariance: FloatArray, variables: tuple[Variable, ...]) -> Snapshot:
    """The Gaussian of the means and covariances; ValueError where these are none."""
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError(NoResponse.NO_COVARIANCE.told()) from None
    return NamedMultivariateNormal(mean, Dense(covariance), variables)


def _warn_of_errors(response: LinearResponse) -> None:
    """Warn where standard deviations are not known well."""
    errors = response.mcse_sd / np.asarray(response.gaussian.std)
    wrong = [name for name, error in zip(response.names, errors, strict=True) if error > UNCERTAIN]
    if wrong:
        more = 4 * SETS * response.draws
        told = ResponseText.UNCERTAIN.told(names=some_of(wrong), error=errors.max(), more=more)
        warnings.warn(told, stacklevel=3)


def _draws_of_a_set(draws: int | None, count: int, family: ScaleFamily) -> int:
    """How many draws a set has, for the covariances of so many coordinates."""
    fewest = draws_for_covariances(family)
    if draws is None:
        most = min(NUMBERS // count, HELD // family.dimension)
        return max(_power_of_two(int(np.clip(most, FEWEST_DRAWS, DRAWS)) // SETS), fewest)
    if draws < SETS * fewest:
        raise ValueError(
            f"draws must be at least {SETS * fewest} for {family.dimension} correlated variables, got {draws}"
        )
    return _power_of_two(draws // SETS)


def _power_of_two(most: int) -> int:
    """The largest power of two that is not more: quasi-random draws are even then."""
    return 1 << (most.bit_length() - 1)
