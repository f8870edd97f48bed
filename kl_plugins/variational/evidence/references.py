"""Reference draws of a posterior, and the Gaussian with their moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pymc.model import Model

from kl_plugins.covariance.full import Dense
from kl_plugins.dispatch import kl
from kl_plugins.estimate.moments import blocks_of, draws_needed, jackknife_errors, still
from kl_plugins.families.named import NamedMultivariateNormal, Snapshot, Variable, element_names, some_of
from kl_plugins.families.normal import Normal
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.arviz import bulk_sample_sizes
from kl_plugins.variational.evidence.moments import Estimate, MarginalKL, Moments
from kl_plugins.variational.optimum.scale_families import standard_deviations
from kl_plugins.variational.target.draws import points_of_draws
from kl_plugins.variational.target.stored import is_of_a_fit

REFERENCE = "the reference"


@dataclass(frozen=True)
class Reference:
    """Reference draws in the unconstrained space, and how far an approximation is from their Gaussian.

    Attributes
    ----------
    gaussian : NamedMultivariateNormal
        With the draws' mean and covariance.
    moments : Moments
    kl_to, kl_from : Estimate
        KL(q‖Gaussian) and KL(Gaussian‖q), jointly, in nats.
    marginal_kl : MarginalKL
        The same of each coordinate.
    ess : float
        The smallest effective sample size of a coordinate.
    points : ndarray, shape (n, d)

    Notes
    -----
    Standard errors are by the jackknife over consecutive blocks of draws, which allows for their
    autocorrelation; those of divergences include the bias that estimated moments cause.
    """

    gaussian: Snapshot
    moments: Moments
    kl_to: Estimate
    kl_from: Estimate
    marginal_kl: MarginalKL
    ess: float
    points: FloatArray = field(repr=False)


def compare(q: Snapshot, model: Model, reference: object) -> Reference:
    """An approximation against reference draws of the model's posterior."""
    chains = reference_draws(reference, model, q.variables)
    d = chains.shape[2]
    points = chains.reshape(-1, d)
    if len(points) < draws_needed(d):
        raise ValueError(
            f"the reference has {len(points)} draws of {d} coordinates; its covariance needs at least "
            f"{draws_needed(d)}, better thousands"
        )
    blocks = blocks_of(chains)
    mean, sd = np.asarray(q.mean, dtype=float), standard_deviations(q)

    def figures(x: FloatArray) -> list[FloatArray]:
        gaussian = _gaussian(x, q.variables)
        marginal, own = Normal(x.mean(axis=0), x.std(axis=0, ddof=1)), Normal(mean, sd)
        joint = [np.asarray(kl(q, gaussian)), np.asarray(kl(gaussian, q))]
        return [marginal.mean, marginal.scale, *joint, kl(own, marginal), kl(marginal, own)]

    values, errors, biases = _jackknife(figures, blocks)
    with_bias = [np.hypot(error, bias) for error, bias in zip(errors, biases, strict=True)]
    return Reference(
        gaussian=_gaussian(points, q.variables),
        moments=Moments(values[0], values[1], errors[0], errors[1]),
        kl_to=Estimate(float(values[2]), float(with_bias[2])),
        kl_from=Estimate(float(values[3]), float(with_bias[3])),
        marginal_kl=MarginalKL(values[4], with_bias[4], values[5], with_bias[5]),
        ess=float(np.min(bulk_sample_sizes(chains))),
        points=points,
    )


def refuse_as_reference(reference: object) -> None:
    """TypeError where it is a model, which comes next among the arguments of `diagnose`, or of a fit."""
    if is_of_a_fit(reference):
        raise TypeError(
            "the reference given holds draws of a variational fit, by which no fit can be judged: give draws "
            "of a sampler, such as pm.sample's, or leave it out"
        )
    if hasattr(reference, "free_RVs"):
        raise TypeError("the reference given is a model: give it by name, diagnose(approx, model=model)")


def reference_draws(reference: object, model: Model, variables: Sequence[Variable]) -> FloatArray:
    """Reference draws in the unconstrained space, shape (chains, draws, d), each coordinate of which varies.

    `reference` is what `points_of_draws` takes, or a mapping of the variables' names to arrays of shape
    (chains, draws, *shape) or (draws, *shape).
    """
    chains = points_of_draws(reference, model, variables, REFERENCE)
    if (constant := still(chains.reshape(-1, chains.shape[2]))).any():
        names = [name for name, one in zip(element_names(variables), constant, strict=True) if one]
        raise ValueError(
            f"draws of the reference do not vary in {some_of(names)}: a sampler that is stuck, or point "
            "estimates, are no reference; give posterior draws"
        )
    return chains


def _gaussian(points: FloatArray, variables: Sequence[Variable]) -> Snapshot:
    covariance = np.atleast_2d(np.cov(points, rowvar=False))
    return NamedMultivariateNormal(points.mean(axis=0), Dense(covariance), tuple(variables))


def _jackknife(
    figures: Callable[[FloatArray], list[FloatArray]], blocks: list[FloatArray]
) -> tuple[list[FloatArray], list[FloatArray], list[FloatArray]]:
    """Figures of all blocks together, their standard errors and their biases."""
    whole = figures(np.concatenate(blocks))
    count = len(blocks)
    without = [figures(np.concatenate(blocks[:i] + blocks[i + 1 :])) for i in range(count)]
    errors: list[FloatArray] = []
    biases: list[FloatArray] = []
    for position, value in enumerate(whole):
        members = np.stack([one[position] for one in without])
        errors.append(jackknife_errors(members))
        biases.append((count - 1) * (members.mean(axis=0) - value))
    return whole, errors, biases
