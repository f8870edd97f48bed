"""Objects of SciPy: frozen ``scipy.stats`` distributions and the new distribution classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import singledispatch
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy import stats
from scipy.stats import _covariance, rv_histogram
from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen, rv_generic, rv_sample
from scipy.stats._multivariate import (
    matrix_normal_frozen,
    multi_rv_frozen,
    multivariate_normal_frozen,
)

from kl_plugins.covariance.base import Covariance
from kl_plugins.covariance.detection import from_matrix, from_variances
from kl_plugins.covariance.eigendecomposition import Eigendecomposition
from kl_plugins.covariance.full import Cholesky, Full
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.covariance.precision import Precision
from kl_plugins.covariance.singular import Singular
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import made_by, scipy_names
from kl_plugins.families.core.scipy_words import scipy_words
from kl_plugins.families.matrix_normal import MatrixNormal
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.open_functions import remember
from kl_plugins.ops import numpy as array_ops
from kl_plugins.parameters.labels import are_plain, labels_of_parameters
from kl_plugins.plugins.scipy.parameters import given_to, in_words_of, unsupported
from kl_plugins.plugins.scipy.points import points_of
from kl_plugins.recognition import as_written, recognise, representative, shared_classes


def kind_of(generator: Any) -> tuple[Any, ...]:
    """The exact class of a generator, as a subclass may have overridden the density, and where it lives.

    ``vonmises`` and ``vonmises_line`` are of one class.
    """
    return type(generator), generator.a, generator.b


_names: dict[tuple[Any, ...], list[str]] = {}
"""What SciPy calls its generators, by their kind."""

for _name, _generator in vars(stats).items():
    if isinstance(_generator, rv_generic):
        _names.setdefault(kind_of(_generator), []).append(_name)


def known_maker(generator: Any) -> Callable[..., Any] | None:
    """What makes a family of the parameters of a generator, such as ``scipy.stats.gamma``, if known."""
    names = _names.get(kind_of(generator), ())
    return next((scipy_names[name] for name in names if name in scipy_names), None)


@recognise.register(rv_continuous_frozen)
def _(obj: Any) -> Distribution:
    generator = obj.dist
    make = maker_of(generator)
    shapes, loc, scale = generator._parse_args(*obj.args, **obj.kwds)
    return _remembered(obj, made_of(generator, make, shapes, {"loc": loc, "scale": scale}))


@recognise.register(rv_discrete_frozen)
def _(obj: Any) -> Distribution:
    make = known_maker(obj.dist)
    if make is None and (points := points_of(obj)) is not None:
        return points
    make = make or maker_of(obj.dist)
    shapes, loc, _ = obj.dist._parse_args(*obj.args, **obj.kwds)
    return _remembered(obj, made_of(obj.dist, make, shapes, {"loc": loc}))


def made_of(
    generator: Any, make: Callable[..., Any], shapes: Sequence[Any], places: dict[str, Any]
) -> Distribution:
    """What `make` makes of the parameters; errors say what SciPy calls them."""
    values = (*shapes, *places.values())
    try:
        labels = None if are_plain(values) else labels_of_parameters(given_to(generator, shapes, places))
        return made_by(make, [*map(number, values)], full_name(generator)).labelled(labels)
    except ValueError as error:
        given = given_to(generator, shapes, places)
        listed = ", ".join(f"{name}={_brief(value)}" for name, value in given.items())
        told = in_words_of(given, error, scipy_words.get(generator.name, {}))
        raise ValueError(f"{told}, in {full_name(generator)}({listed})") from None


def _brief(value: Any) -> str:
    if np.ndim(value):
        return f"array of shape {np.shape(value)}"
    return (repr(value) if isinstance(value, str) else str(value))[:20]


def _remembered(obj: Any, made: Distribution) -> Distribution:
    """`made`, kept for the next time where nobody can change the numbers themselves."""
    args, kwds = obj.args, obj.kwds
    if type(args) is tuple and _PLAIN.issuperset(map(type, (*args, *kwds.values()))):
        remember(obj, made, _unchanged(args, dict(kwds), obj.dist))
    return made


def _unchanged(args: tuple[Any, ...], kwds: dict[str, Any], generator: Any) -> Callable[[Any], bool]:
    """Whether a frozen distribution has these parameters still, and this generator.

    Equal ones are not enough: 1.0 is equal to an array that holds it.
    """
    low, high = generator.a, generator.b

    def unchanged(obj: Any) -> bool:
        if obj.args is not args or obj.dist is not generator or generator.a != low or generator.b != high:
            return False
        given = obj.kwds
        return (not given or _PLAIN.issuperset(map(type, given.values()))) and given == kwds

    return unchanged


def number(value: Any) -> Any:
    """Plain numbers as floats, whatever else may hold numbers as an array."""
    kind = type(value)
    if kind is float:
        return value
    if kind in _PLAIN:
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{str(value)[:20]}… is too large a parameter for a float") from None
    return np.asanyarray(value)


_PLAIN = frozenset({float, int, np.float64})


def maker_of(generator: Any) -> Callable[..., Any]:
    """What makes a family of the parameters of a generator, such as ``scipy.stats.gamma``."""
    make = known_maker(generator)
    if make is None:
        name = full_name(generator)
        unheard = [known for known in scipy_names if not hasattr(stats, known)]
        meant = [
            f" (from_scipy was given {known!r}, a name that scipy.stats does not have)"
            for known in get_close_matches(str(generator.name), unheard, 1)
        ]
        raise unsupported("".join([name, *meant]), f"type({name})" if _is_scipys(generator) else name)
    return make


def full_name(generator: Any) -> str:
    """Of one of SciPy's own; of others, which may have no name, that of the class."""
    return f"scipy.stats.{generator.name}" if _is_scipys(generator) else type(generator).__name__


def _is_scipys(generator: Any) -> bool:
    """Whether it is one of the generators that ``scipy.stats`` has by name."""
    return type(getattr(stats, str(generator.name), None)) is type(generator)


@representative.register(rv_continuous_frozen)
@representative.register(rv_discrete_frozen)
def _(obj: Any) -> Any:
    return obj.dist


@as_written.register(rv_continuous_frozen)
@as_written.register(rv_discrete_frozen)
def _(obj: Any) -> str:
    given = [_brief(value) for value in obj.args] + [f"{key}={_brief(x)}" for key, x in obj.kwds.items()]
    return f"{full_name(obj.dist)}({', '.join(given)})"


@as_written.register(multi_rv_frozen)
def _(obj: object) -> str:
    return f"scipy.stats.{type(obj).__name__.removesuffix('_frozen')}"


_HOW = "register for the class of the generator instead, for example type(scipy.stats.t)"
shared_classes.update(dict.fromkeys([rv_continuous_frozen, rv_discrete_frozen], _HOW))


@recognise.register(rv_sample)
def _(obj: Any) -> Distribution:
    return recognise(obj())  # it has no parameters


@recognise.register(rv_histogram)
def _(obj: object) -> Distribution:
    name = type(obj).__name__
    raise unsupported(f"{name} objects", name)


@recognise.register(multivariate_normal_frozen)
def _(obj: Any) -> Distribution:
    if type(obj) is not multivariate_normal_frozen:
        name = f"the subclass {type(obj).__name__} of a frozen multivariate_normal"
        raise unsupported(name, type(obj).__name__)
    return MultivariateNormal(obj.mean, covariance(obj.cov_object))


@recognise.register(matrix_normal_frozen)
def _(obj: Any) -> Distribution:
    both = tuple(from_matrix(np.asarray(matrix, dtype=np.float64)) for matrix in (obj.rowcov, obj.colcov))
    return MatrixNormal(np.ravel(obj.mean), Kronecker(both))


_factored: WeakKeyDictionary[Any, Covariance] = WeakKeyDictionary()
"""By covariance object of SciPy: ours, whose factors and whose copy of the numbers belong together."""


def factored_once(obj: object, arrays: tuple[Any, ...], make: Callable[[], Covariance]) -> Covariance:
    """What `make` returns, made again only where the `arrays` of `obj` no longer hold the same numbers."""
    known = _factored.get(obj)
    if known is not None and all(map(np.array_equal, known.values(), arrays)):
        return known
    made = make()
    if isinstance(made, Full | Precision):
        _factored[obj] = made
    return made


@singledispatch
def covariance(obj: Any) -> Covariance:
    """Structure of a ``scipy.stats.Covariance``, with the factors that SciPy already holds."""
    return from_matrix(obj.covariance)


@covariance.register
def _(obj: _covariance.CovViaDiagonal) -> Covariance:
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
def _(obj: _covariance.CovViaCholesky) -> Covariance:
    return Cholesky(obj._factor)


@covariance.register
def _(obj: _covariance.CovViaPrecision) -> Covariance:
    return factored_once(obj, (obj._precision,), lambda: _precision(obj))


def _precision(obj: _covariance.CovViaPrecision) -> Precision:
    precision = array_ops.frozen(array_ops.asarray(obj._precision, "precision"))
    made = Precision.unchecked(array_ops, precision=precision, precision_factor=obj._chol_P)
    array_ops.require(made.own_conditions())  # SciPy has read one triangle of it only
    return made


@covariance.register
def _(obj: _covariance.CovViaEigendecomposition) -> Covariance:
    eigenvalues, eigenvectors = obj._w, obj._v
    positive = is_positive(eigenvalues, "eigenvalues")
    if positive.all():
        arrays = (eigenvalues, eigenvectors)
        return factored_once(obj, arrays, lambda: Eigendecomposition(*arrays))
    return Singular(eigenvectors[:, positive], from_variances(eigenvalues[positive]))


@covariance.register
def _(obj: _covariance.CovViaPSD) -> Covariance:
    # SciPy holds an eigendecomposition here. Where the matrix is regular its Cholesky factor is both
    # cheaper than a QR of the eigenvectors and more accurate; where it is not, they span the subspace.
    if obj._rank == obj._shape[-1]:
        return factored_once(obj, (obj._covariance,), lambda: from_matrix(obj._covariance))
    whitening = obj._LP[:, np.any(obj._LP != 0.0, axis=0)]
    scales = 1.0 / np.linalg.norm(whitening, axis=0)
    return Singular(whitening * scales, from_variances(scales**2))
