"""Objects of SciPy: frozen ``scipy.stats`` distributions and the new distribution classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np
from scipy import stats
from scipy.stats import _covariance
from scipy.stats._continuous_distns import norm_gen
from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen
from scipy.stats._multivariate import matrix_normal_frozen, multivariate_normal_frozen

from kl_plugins.backends import numpy as array_ops
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.eigendecomposition import Eigendecomposition
from kl_plugins.covariance.full import Cholesky
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.covariance.numbers import from_matrix, from_variances
from kl_plugins.covariance.precision import Precision
from kl_plugins.covariance.singular import Singular
from kl_plugins.families.distribution import Distribution
from kl_plugins.families.matrix_normal import MatrixNormal
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.recognition import recognise, unknown

frozen_families: dict[type, Callable[..., Distribution]] = {}
"""From the exact class of ``frozen.dist`` to a function of (shape parameters, loc, scale).

The class has to be exact: a subclass may have overridden the density.
"""


def frozen(generic: type) -> Callable[[Callable[..., Distribution]], Callable[..., Distribution]]:
    """Register the decorated function for frozen distributions of the class `generic`."""

    def decorate(function: Callable[..., Distribution]) -> Callable[..., Distribution]:
        frozen_families[generic] = function
        return function

    return decorate


@recognise.register(rv_continuous_frozen)
@recognise.register(rv_discrete_frozen)
def _(obj: Any) -> Distribution:
    family = frozen_families.get(type(obj.dist))
    if family is None:
        raise TypeError(unknown(f"scipy.stats.{obj.dist.name}"))
    shapes, loc, scale = obj.dist._parse_args(*obj.args, **obj.kwds)
    return family(shapes, loc, scale)


@frozen(norm_gen)
def _(shapes: tuple[()], loc: Any, scale: Any) -> Distribution:
    return Normal(loc, scale)


@recognise.register(stats.Normal)
def _(obj: Any) -> Distribution:
    if np.any(obj._invalid):
        raise ValueError("stats.Normal has parameters out of its domain (SciPy stores NaN for them)")
    # stats.Normal() is a StandardNormal, which has no parameters.
    given = obj._original_parameters
    return Normal(given.get("mu", 0.0), given.get("sigma", 1.0))


@recognise.register(multivariate_normal_frozen)
def _(obj: Any) -> Distribution:
    return MultivariateNormal(obj.mean, covariance(obj.cov_object, obj.allow_singular))


@recognise.register(matrix_normal_frozen)
def _(obj: Any) -> Distribution:
    both = tuple(from_matrix(np.asarray(matrix, dtype=np.float64)) for matrix in (obj.rowcov, obj.colcov))
    return MatrixNormal(np.ravel(obj.mean), Kronecker(both))


@singledispatch
def covariance(obj: Any, allow_singular: bool) -> Covariance:
    """Structure of a ``scipy.stats.Covariance``, with the factors that SciPy already holds."""
    return from_matrix(obj.covariance)


@covariance.register
def _(obj: _covariance.CovViaDiagonal, allow_singular: bool) -> Covariance:
    variances = np.diagonal(obj.covariance)
    positive = is_positive(variances, "variances")
    if positive.all():
        return from_variances(variances)
    basis = np.eye(len(variances))[:, positive]
    return Singular(basis, from_variances(variances[positive]))


def is_positive(values: Any, name: str) -> Any:
    """Which of the values are positive and not zero; ValueError where one is neither."""
    if not (np.isfinite(values) & (values >= 0.0)).all():
        raise ValueError(f"covariance must have {name} that are finite and not negative")
    return values > 0.0


@covariance.register
def _(obj: _covariance.CovViaCholesky, allow_singular: bool) -> Covariance:
    return Cholesky(obj._factor)


@covariance.register
def _(obj: _covariance.CovViaPrecision, allow_singular: bool) -> Covariance:
    precision = array_ops.asarray(obj._precision, "precision")
    made = Precision.trusted(array_ops, precision=precision, precision_factor=obj._chol_P)
    array_ops.require(made.own_conditions())  # SciPy has read one triangle of it only
    return made


@covariance.register
def _(obj: _covariance.CovViaEigendecomposition, allow_singular: bool) -> Covariance:
    eigenvalues, eigenvectors = obj._w, obj._v
    positive = is_positive(eigenvalues, "eigenvalues")
    if positive.all():
        return Eigendecomposition(eigenvalues, eigenvectors)
    return Singular(eigenvectors[:, positive], from_variances(eigenvalues[positive]))


@covariance.register
def _(obj: _covariance.CovViaPSD, allow_singular: bool) -> Covariance:
    # SciPy holds an eigendecomposition here. Where the matrix is regular its Cholesky factor is both
    # cheaper than a QR of the eigenvectors and more accurate; where it is not, they span the subspace.
    if obj._rank == obj._shape[-1]:
        return from_matrix(obj._covariance)
    whitening = obj._LP[:, np.any(obj._LP != 0.0, axis=0)]
    scales = 1.0 / np.linalg.norm(whitening, axis=0)
    return Singular(whitening * scales, from_variances(scales**2))
