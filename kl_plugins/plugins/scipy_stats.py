"""Objects of SciPy: frozen ``scipy.stats`` distributions and the new distribution classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy import stats
from scipy.stats import _covariance
from scipy.stats._continuous_distns import norm_gen
from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen, rv_generic
from scipy.stats._distribution_infrastructure import ShiftedScaledDistribution, UnivariateDistribution
from scipy.stats._multivariate import matrix_normal_frozen, multi_rv_generic, multivariate_normal_frozen

from kl_plugins.backends import numpy as array_ops
from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.eigendecomposition import Eigendecomposition
from kl_plugins.covariance.full import Cholesky, Full
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.covariance.numbers import from_matrix, from_variances
from kl_plugins.covariance.precision import Precision
from kl_plugins.covariance.singular import Singular
from kl_plugins.errors import NoClosedFormError
from kl_plugins.families.distribution import Distribution
from kl_plugins.families.matrix_normal import MatrixNormal
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.normal import Normal
from kl_plugins.recognition import recognise, representative, shared_classes

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
        raise unsupported(f"scipy.stats.{name_of(obj.dist)}", f"type(scipy.stats.{name_of(obj.dist)})")
    shapes, loc, scale = obj.dist._parse_args(*obj.args, **obj.kwds)
    return family(shapes, loc, scale)


def name_of(generic: Any) -> str:
    return generic.name or type(generic).__name__


def unsupported(name: str, key: str) -> NoClosedFormError:
    """Error for a distribution of SciPy that is not among the families."""
    return NoClosedFormError(
        f"no closed form is known for {name}; if you have one, register it with "
        f"kl_plugins.register_kl for {key}"
    )


@representative.register(rv_continuous_frozen)
@representative.register(rv_discrete_frozen)
def _(obj: Any) -> Any:
    return obj.dist


_HOW = "register for the class of the generator instead, for example type(scipy.stats.t)"
shared_classes.update(dict.fromkeys([rv_continuous_frozen, rv_discrete_frozen], _HOW))


@recognise.register(rv_generic)
@recognise.register(multi_rv_generic)
def _(obj: Any) -> Distribution:
    name = getattr(obj, "name", None) or type(obj).__name__.removesuffix("_gen")
    raise TypeError(f"scipy.stats.{name} is not frozen: call it with its parameters, scipy.stats.{name}(...)")


@frozen(norm_gen)
def _(shapes: tuple[()], loc: Any, scale: Any) -> Distribution:
    return Normal(loc, scale)


@recognise.register(stats.Normal)
def _(obj: Any) -> Distribution:
    if not type(obj).__module__.startswith("scipy."):
        raise unsupported(f"the subclass {type(obj).__name__} of stats.Normal", type(obj).__name__)
    if np.any(obj._invalid):
        raise ValueError("stats.Normal has parameters out of its domain (SciPy stores NaN for them)")
    # stats.Normal() is a StandardNormal, which has no parameters.
    given = obj._original_parameters
    return Normal(given.get("mu", 0.0), given.get("sigma", 1.0))


@recognise.register(UnivariateDistribution)
def _(obj: Any) -> Distribution:
    raise unsupported(f"scipy.stats.{type(obj).__name__}", type(obj).__name__)


@recognise.register(ShiftedScaledDistribution)
def _(obj: Any) -> Distribution:
    base = recognise(obj._dist)
    if not isinstance(base, Normal):
        raise unsupported(f"a shifted and scaled {base.describe()}", type(obj).__name__)
    loc, scale = (np.asarray(obj._parameters[name]) for name in ("loc", "scale"))
    return Normal(base.mean * scale + loc, base.scale * np.abs(scale))


@recognise.register(multivariate_normal_frozen)
def _(obj: Any) -> Distribution:
    if type(obj) is not multivariate_normal_frozen:
        name = f"the subclass {type(obj).__name__} of a frozen multivariate_normal"
        raise unsupported(name, type(obj).__name__)
    return MultivariateNormal(obj.mean, covariance(obj.cov_object, obj.allow_singular))


@recognise.register(matrix_normal_frozen)
def _(obj: Any) -> Distribution:
    both = tuple(from_matrix(np.asarray(matrix, dtype=np.float64)) for matrix in (obj.rowcov, obj.colcov))
    return MatrixNormal(np.ravel(obj.mean), Kronecker(both))


_factored: WeakKeyDictionary[Any, Covariance] = WeakKeyDictionary()
"""By covariance object of SciPy: ours, whose factors and whose copy of the numbers belong together."""


def factored_once(obj: Any, arrays: tuple[Any, ...], make: Callable[[], Covariance]) -> Covariance:
    """What `make` returns, made again only where the `arrays` of `obj` no longer hold the same numbers."""
    known = _factored.get(obj)
    if known is not None and all(map(np.array_equal, known.values(), arrays)):
        return known
    made = make()
    if isinstance(made, Full | Precision):
        _factored[obj] = made
    return made


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
    return factored_once(obj, (obj._precision,), lambda: _precision(obj))


def _precision(obj: _covariance.CovViaPrecision) -> Precision:
    precision = array_ops.frozen(array_ops.asarray(obj._precision, "precision"))
    made = Precision.trusted(array_ops, precision=precision, precision_factor=obj._chol_P)
    array_ops.require(made.own_conditions())  # SciPy has read one triangle of it only
    return made


@covariance.register
def _(obj: _covariance.CovViaEigendecomposition, allow_singular: bool) -> Covariance:
    eigenvalues, eigenvectors = obj._w, obj._v
    positive = is_positive(eigenvalues, "eigenvalues")
    if positive.all():
        arrays = (eigenvalues, eigenvectors)
        return factored_once(obj, arrays, lambda: Eigendecomposition(*arrays))
    return Singular(eigenvectors[:, positive], from_variances(eigenvalues[positive]))


@covariance.register
def _(obj: _covariance.CovViaPSD, allow_singular: bool) -> Covariance:
    # SciPy holds an eigendecomposition here. Where the matrix is regular its Cholesky factor is both
    # cheaper than a QR of the eigenvectors and more accurate; where it is not, they span the subspace.
    if obj._rank == obj._shape[-1]:
        return factored_once(obj, (obj._covariance,), lambda: from_matrix(obj._covariance))
    whitening = obj._LP[:, np.any(obj._LP != 0.0, axis=0)]
    scales = 1.0 / np.linalg.norm(whitening, axis=0)
    return Singular(whitening * scales, from_variances(scales**2))
