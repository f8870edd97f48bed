"""Mixtures of SciPy: ``stats.Mixture``, and kernel density estimates, which are mixtures of Gaussians."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import Mixture, gaussian_kde

from kl_plugins.covariance.detection import from_matrix
from kl_plugins.families.core.components import as_group
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.stacking import as_batch
from kl_plugins.families.mixture import Mixture as OurMixture
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.plugins.scipy.parameters import unsupported
from kl_plugins.recognition import as_written, recognise


@recognise.register(Mixture)
def _(obj: Any) -> Distribution:
    components = [recognise(component) for component in obj.components]
    batch = as_batch(components)
    groups = tuple(map(as_group, components)) if batch is None else (batch,)
    return OurMixture(np.asarray(obj.weights, np.float64), groups)


@recognise.register(gaussian_kde)
def _(obj: Any) -> Distribution:
    """Gaussians around the data that share one covariance."""
    if type(obj) is not gaussian_kde:  # which may have overridden the density
        name = type(obj).__name__
        raise unsupported(f"the subclass {name} of gaussian_kde", name)
    points, covariance = np.asarray(obj.dataset, np.float64), np.asarray(obj.covariance, np.float64)
    if obj.d == 1:
        kernels: Distribution = Normal(points[0], float(np.sqrt(covariance[0, 0])))
    else:
        kernels = MultivariateNormal(points.T, from_matrix(covariance))
    return OurMixture(np.asarray(obj.weights, np.float64), (kernels,))


@as_written.register(Mixture)
@as_written.register(gaussian_kde)
def _(obj: object) -> str:
    return f"scipy.stats.{type(obj).__name__}"
