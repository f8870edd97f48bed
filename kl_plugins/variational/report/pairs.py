"""Which two coordinates an approximation gets most wrong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.full import Dense
from kl_plugins.dispatch import kl
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational.report.diagnosis import Diagnosis

PAIR_CANDIDATES = 40
"""So many of the worst coordinates are paired with each other."""


def posterior_gaussian(diagnosis: Diagnosis) -> NamedMultivariateNormal:
    """The Gaussian with the posterior's moments as well as they are known."""
    if diagnosis.reference is not None:
        return diagnosis.reference.gaussian
    survey = diagnosis.survey
    mean, sd = survey.moments.mean, survey.moments.sd
    structure: Covariance
    try:
        structure = Dense(survey.importance.covariance(survey.points))
    except np.linalg.LinAlgError:  # all weight is on a draw or two, that tell no correlations
        structure = DiagonalScales(np.maximum(sd, np.spacing(np.maximum(abs(mean), 1e-300))))
    return NamedMultivariateNormal(mean, structure, diagnosis.approximation.variables)


def worst_pair(diagnosis: Diagnosis) -> tuple[int, int]:
    """The coordinates whose joint marginal has the largest Jeffreys divergence from the posterior's."""
    d = len(diagnosis.names)
    if d < 2:
        raise ValueError("a pair needs two coordinates, the approximation has one")
    marginal = diagnosis.marginal_kl
    candidates = np.sort(np.argsort(marginal.kl_to + marginal.kl_from)[::-1][:PAIR_CANDIDATES])
    rows, columns = np.triu_indices(len(candidates), k=1)
    pairs = np.stack([candidates[rows], candidates[columns]], axis=1)
    q, p = (_pairs(one, pairs) for one in (diagnosis.approximation, posterior_gaussian(diagnosis)))
    i, j = pairs[int(np.argmax(kl(q, p) + kl(p, q)))]
    return int(i), int(j)


def _pairs(gaussian: NamedMultivariateNormal, pairs: NDArray[np.intp]) -> MultivariateNormal:
    """The marginals of pairs of coordinates, a batch."""
    matrix = np.asarray(gaussian.covariance.matrix())
    return MultivariateNormal(
        np.asarray(gaussian.mean)[pairs], Dense(matrix[pairs[:, :, None], pairs[:, None, :]])
    )
