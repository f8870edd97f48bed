"""All that a family, a covariance structure, a rule or a plugin of one's own needs to import.

The library's own families and structures are here too, by the names of their classes: they are imported when
the first of them is asked for; ``dir(kl_plugins.extend)`` lists them.

The domains of parameters are intervals:

* ``REAL``: (−∞, ∞)
* ``EXTENDED_REAL``: [−∞, ∞]
* ``POSITIVE``: (0, ∞)
* ``NON_NEGATIVE``: [0, ∞)
* ``PROBABILITY``: [0, 1]
* ``COUNT``: the whole numbers of [0, ∞)
* any other: ``Domain(low, high)``, closed and of whole numbers where it says so
"""

from functools import cache
from typing import Any

from kl_plugins.covariance.base import Covariance, log_det_divergences
from kl_plugins.errors import NoClosedFormError
from kl_plugins.estimate.density import Density, density_of
from kl_plugins.extend.check import check_family
from kl_plugins.families.core.affine import AffineMap
from kl_plugins.families.core.closed_forms import closed_form
from kl_plugins.families.core.continuous import Continuous, by_statistics
from kl_plugins.families.core.discrete import Discrete
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.multivariate import Multivariate
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.core.statements import LogDensity, expectation, expects
from kl_plugins.families.core.statistics import (
    Absolute,
    Exp,
    Identity,
    Log,
    Log1m,
    Log1p,
    Log1pSquare,
    LogSquare,
    Power,
    Softplus,
    Square,
    Statistic,
)
from kl_plugins.formulas.shared import scale_divergence
from kl_plugins.matching import register_kl
from kl_plugins.ops.protocol import ArrayOperations, Operations
from kl_plugins.parameters.declarations import (
    COUNT,
    EXTENDED_REAL,
    NON_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    REAL,
    Domain,
    constant,
    parameter,
    part,
)
from kl_plugins.parameters.parametrised import Parametrised
from kl_plugins.parameters.shapes import broadcast_shapes
from kl_plugins.recognition import recognise
from kl_plugins.rules import load_all

__all__ = [
    "COUNT",
    "EXTENDED_REAL",
    "NON_NEGATIVE",
    "POSITIVE",
    "PROBABILITY",
    "REAL",
    "Absolute",
    "AffineMap",
    "ArrayOperations",
    "Continuous",
    "Covariance",
    "Density",
    "Discrete",
    "Distribution",
    "Domain",
    "Exp",
    "Identity",
    "Log",
    "Log1m",
    "Log1p",
    "Log1pSquare",
    "LogDensity",
    "LogSquare",
    "Multivariate",
    "NoClosedFormError",
    "Operations",
    "Power",
    "Softplus",
    "Square",
    "Statistic",
    "broadcast_shapes",
    "by_statistics",
    "check_family",
    "closed_form",
    "constant",
    "density_of",
    "expectation",
    "expects",
    "from_pymc",
    "from_scipy",
    "log_det_divergences",
    "parameter",
    "part",
    "recognise",
    "register_kl",
    "scale_divergence",
]


@cache
def _by_name() -> dict[str, type]:
    """The library's families and structures by the names of their classes."""
    for folder in ("kl_plugins.families", "kl_plugins.covariance"):
        load_all(folder)
    found, new = set[type](), {Parametrised}
    while new:
        found |= new
        new = {kind for base in new for kind in base.__subclasses__()}
    return {kind.__name__: kind for kind in found if kind.__module__.startswith("kl_plugins.")}


def __getattr__(name: str) -> Any:
    if not name[:1].isupper() or name not in _by_name():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _by_name()[name]


def __dir__() -> list[str]:
    return sorted({*__all__, *_by_name()})
