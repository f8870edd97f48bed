"""What is handed in for a distribution, or a class, by mistake: what it is, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterable, Set, ValuesView
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_PARAMETERS = "parameters belong into a distribution, for example scipy.stats.norm(mean, sd)"
_DRAWS = (
    "a distribution can be fitted to draws, for example scipy.stats.multivariate_normal(mean, cov), or "
    f"scipy.stats.gaussian_kde for kl_plugins.estimate_kl; {_PARAMETERS}"
)
_KINDS: dict[str, tuple[str, str]] = {
    "builtins.NoneType": ("nothing", "was a return forgotten, or a method called that works in place?"),
    "builtins.str": ("text", "make the distribution itself, for example scipy.stats.norm(0, 1)"),
    "builtins.bool": ("a number", _PARAMETERS),
    "builtins.int": ("a number", _PARAMETERS),
    "builtins.float": ("a number", _PARAMETERS),
    "numpy.generic": ("a number", _PARAMETERS),
    "numpy.ndarray": ("an array of numbers", _DRAWS),
    "pandas.Series": ("data", _DRAWS),
    "pandas.DataFrame": ("data", _DRAWS),
    "xarray.DataArray": ("data", _DRAWS),
    "xarray.Dataset": ("data", _DRAWS),
    "xarray.DataTree": ("draws", _DRAWS),
    "arviz.InferenceData": ("draws", _DRAWS),
    "builtins.generator": ("an iterator", "pairwise_kl takes all that it yields, kl one distribution"),
    "builtins.dict": (
        "a dictionary",
        "kl takes one of the distributions in it, pairwise_kl all of them, as list(d.values())",
    ),
    "pymc.Model": (
        "a model",
        "pass one of its variables, or a fit of it: kl_plugins.variational.fit, or pm.fit",
    ),
    "pymc.Inference": ("an inference that has to be run", "pass what its fit() returns, or its .approx"),
    "kl_plugins.Covariance": ("a covariance", "pass kl_plugins.MultivariateNormal(mean, covariance)"),
    "scipy.Covariance": ("a covariance", "pass scipy.stats.multivariate_normal(mean, covariance)"),
}
"""By package and class: what an object of the class is, and the remedy. The libraries are not imported."""

_FUNCTION = "a function", "an object with methods logpdf and rvs is what kl_plugins.estimate_kl takes"


def mistaken(obj: object) -> str | None:
    """What the object is, other than a distribution, and what to do; None where that is not known."""
    found = _what(obj)
    kind = type(obj)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return found and f"{name} is not a distribution, but {found[0]}: {found[1]}"


def _what(obj: Any) -> tuple[str, str] | None:
    objects = str(getattr(obj, "dtype", "")) == "object" and obj.ndim == 1  # an array or a Series
    if isinstance(obj, list | tuple | Set | ValuesView) or objects:
        if any(_what(member) is None for member in obj):
            return (
                "several",
                "pairwise_kl takes sequences (list(...) makes one), "
                "kl one distribution, whose parameters may be arrays",
            )
        if not objects:
            return "numbers" if len(obj) else "empty", _DRAWS
    for base in type(obj).__mro__:
        if (found := _KINDS.get(f"{base.__module__.partition('.')[0]}.{base.__qualname__}")) is not None:
            return found
    if isinstance(obj, ModuleType):
        return "a module", "make one of its distributions"
    is_function = callable(obj) and hasattr(obj, "__name__") and not isinstance(obj, type)
    return _FUNCTION if is_function else None


def is_ours(made: Any) -> bool:
    """Whether a class or a function is one of the library's own."""
    return str(getattr(made, "__module__", "")).partition(".")[0] == "kl_plugins"


def check_class(kind: object, argument: str, base: type = object, instead: str = "") -> None:
    """Raise TypeError, which names the argument and the remedy, where it is no class under `base`."""
    if isinstance(kind, type) and issubclass(kind, base):
        return
    what = "a class" if base is object else f"a class under {base.__name__}"
    made = type(kind)
    if issubclass(made, base) and made.__module__ != "builtins":
        instead = f"pass its class, {made.__qualname__}"
    given = kind.__qualname__ if isinstance(kind, type) else repr(kind)
    raise TypeError(f"{argument} must be {what}, got {given}{instead and '; '}{instead}")


def installed(packages: Iterable[str]) -> list[str]:
    """Those of the packages that can be imported here."""
    return sorted(package for package in packages if find_spec(package) is not None)
