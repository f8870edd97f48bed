"""Frozen multivariate distributions of SciPy: by the names that the families give, from these attributes."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy.stats import _multivariate as multivariate

from kl_plugins.covariance.detection import from_matrix
from kl_plugins.covariance.kronecker import Kronecker
from kl_plugins.errors import Requirement
from kl_plugins.families.categorical import Multinomial
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.names import scipy_names
from kl_plugins.families.matrix_normal import MatrixNormal
from kl_plugins.families.matrix_t import MatrixT
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.multivariate_t import MultivariateT
from kl_plugins.plugins.scipy.parameters import unsupported
from kl_plugins.recognition import as_written, recognise

_PARAMETERS = {
    "dirichlet": ("alpha",),
    "dirichlet_multinomial": ("alpha", "n"),
    "invwishart": ("df", "scale"),
    "multivariate_hypergeom": ("m", "n"),
    "normal_inverse_gamma": ("_shapes",),  # all of them
    "uniform_direction": ("dim",),
    "vonmises_fisher": ("mu", "kappa"),
    "wishart": ("df", "scale"),
}
"""By the name in ``scipy.stats``: where a frozen distribution holds its parameters."""


@recognise.register(multivariate.multi_rv_frozen)
def _(obj: object) -> Distribution:
    name = type(obj).__name__.removesuffix("_frozen")
    make, attributes = scipy_names.get(name), _PARAMETERS.get(name)
    estimated = _require_scipys_own(obj)
    if make is None or attributes is None:
        raise unsupported(f"scipy.stats.{name}", f"type(scipy.stats.{name}(...))", estimated)
    held = [getattr(obj, attribute) for attribute in attributes]
    return cast(Distribution, make(*map(np.asarray, held[0] if attributes == ("_shapes",) else held)))


@recognise.register(multivariate.multinomial_frozen)
def _(obj: Any) -> Distribution:
    if np.any(obj.npcond):  # SciPy has put what is missing to 1 into the last probability
        raise ValueError(_wrong_of_multinomial(np.asarray(obj.n), np.asarray(obj.p)))
    return Multinomial(np.asarray(obj.n), obj.p)


@recognise.register(multivariate.multivariate_t_frozen)
def _(obj: Any) -> Distribution:
    """With infinitely many degrees of freedom it is normal."""
    _require_scipys_own(obj)
    gaussian = MultivariateNormal(obj.loc, from_matrix(np.asarray(obj.shape, np.float64)))
    return gaussian if obj.df == np.inf else MultivariateT(obj.df, gaussian)


def _matrix_t(obj: Any) -> Distribution:
    _require_scipys_own(obj)
    spreads = tuple(from_matrix(np.asarray(one, np.float64)) for one in (obj.row_spread, obj.col_spread))
    return MatrixT(obj.df, MatrixNormal(np.ravel(obj.mean), Kronecker(spreads)))


if hasattr(multivariate, "matrix_t_frozen"):  # SciPy ≥ 1.17
    recognise.register(multivariate.matrix_t_frozen)(_matrix_t)
    as_written.register(multivariate.matrix_t_frozen)(lambda obj: "scipy.stats.matrix_t")


def _require_scipys_own(obj: object) -> bool:
    """NoClosedFormError of a subclass, which may have overridden the density; else whether there is one."""
    kind, has_density = type(obj), hasattr(obj, "logpdf") or hasattr(obj, "logpmf")
    if kind.__module__ != multivariate.__name__:
        what = f"the subclass {kind.__name__} of a frozen distribution"
        raise unsupported(what, kind.__name__, has_density)
    return has_density


def _wrong_of_multinomial(n: Any, p: Any) -> Requirement:
    """What SciPy takes amiss of the parameters."""
    for name, value, holds in (
        ("n", n, (n >= 0) & (n % 1 == 0)),
        ("p", p, (p >= 0.0) & (p <= 1.0)),
    ):
        if not holds.all():
            kind = "a whole number that is not negative" if name == "n" else "probabilities"
            found = Requirement(name, f"must be {kind}", "", value)
            return found.at(tuple(map(int, np.argwhere(~holds)[0])), holds.shape) if holds.size > 1 else found
    return Requirement("p", "must sum to 1")
