"""What is handed in for a distribution, or a class, by mistake: what it is, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterable, Set, ValuesView
from importlib.util import find_spec
from numbers import Real
from types import ModuleType
from typing import Any

_PARAMETERS = "parameters belong into a distribution, for example scipy.stats.norm(mean, sd)"
TRACED = (
    "JAX traces it (in jax.jit, jax.grad or jax.vmap), and kl_plugins computes with NumPy: call it outside, "
    'or make the graph in PyTensor and compile that with mode="JAX"'
)
_TRACE = (
    "kl_plugins.gaussian(trace) is the Gaussian with their means and covariances; kl_plugins.estimate_kl "
    "takes draws as they are"
)
_KINDS: dict[str, tuple[str, str]] = {
    "builtins.NoneType": ("nothing", "was a return forgotten, or a method called that works in place?"),
    "builtins.str": ("text", "make the distribution itself, for example scipy.stats.norm(0, 1)"),
    "builtins.bool": ("a number", _PARAMETERS),
    "builtins.int": ("a number", _PARAMETERS),
    "builtins.float": ("a number", _PARAMETERS),
    "numpy.generic": ("a number", _PARAMETERS),
    "builtins.complex": ("a number", "parameters are real numbers"),
    "jax.Tracer": ("a number", TRACED),
    "xarray.DataTree": ("draws", _TRACE),
    "arviz.InferenceData": ("draws", _TRACE),
    "kl_plugins.Draws": ("draws", "kl_plugins.estimate_kl takes them"),
    "builtins.generator": ("an iterator", "pairwise_kl takes all that it yields, kl one distribution"),
    "scipy.FitResult": (
        "the result of a fit",
        "its parameters make a distribution, for example scipy.stats.norm(*result.params)",
    ),
    "scipy.ECDFResult": ("an empirical distribution", "kl_plugins.estimate_kl takes the draws themselves"),
    "pymc.Model": (
        "a model",
        "pass one of its variables, or a fit of it: kl_plugins.variational.fit, or pm.fit",
    ),
    "pymc.Inference": ("an inference that has to be run", "pass what its fit() returns, or its .approx"),
    "kl_plugins.Covariance": ("a covariance", "pass kl_plugins.MultivariateNormal(mean, covariance)"),
    "scipy.Covariance": ("a covariance", "pass scipy.stats.multivariate_normal(mean, covariance)"),
}
"""By package and class: what an object of the class is, and the remedy. The libraries are not imported."""

_DATA = {
    "numpy.matrix": ("an array of numbers", "numpy.asarray(x)"),
    "numpy.ndarray": ("an array of numbers", "x"),
    "pandas.Series": ("data", "x"),
    "pandas.DataFrame": ("data", "x"),
    "pandas.Index": ("data", "x"),
    "xarray.DataArray": ("data", "x.values"),
    "xarray.Dataset": ("data", "x[name].values"),
    "dask.Array": ("an array of numbers", "x.compute()"),
    "jaxlib.ArrayImpl": ("an array of numbers", "numpy.asarray(x)"),
    "torch.Tensor": ("an array of numbers", "x.numpy()"),
}
"""By package and class: what data x of the class are, and how functions of SciPy want them."""

_EMPTY = "pass one distribution, for example scipy.stats.norm(0, 1)"
_FUNCTION = (
    "a function",
    "call it, if it makes a distribution; an object with methods logpdf and rvs is what "
    "kl_plugins.estimate_kl takes",
)
_MODULE = "a module", "make one of its distributions, for example scipy.stats.norm(0, 1)"

_PYTORCH = (
    "a distribution of PyTorch, which kl_plugins does not take: make it with SciPy, for example "
    "scipy.stats.norm(mean, sd); torch.distributions.kl_divergence takes PyTorch's"
)


def mistaken(obj: object) -> str | None:
    """What the object is, other than a distribution of ours, and what to do; None where that is not known."""
    kind = type(obj)
    if isinstance(obj, type):
        return _of_class(obj)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if "torch.Distribution" in _names_of(kind):
        return f"{name} is {_PYTORCH}"
    found = _what(obj)
    return found and f"{name} is not a distribution, but {found[0]}: {found[1]}"


_CALLED = {"numpyro": "numpyro.distributions.", "preliz": "pz.", "pymc": "pm.", "scipy": "scipy.stats."}
"""How users write the names of a package."""


def _of_class(kind: type) -> str:
    """What to do with a class that was handed in instead of an instance."""
    package = kind.__module__.partition(".")[0]
    if "torch.Distribution" in _names_of(kind):
        return f"{kind.__module__}.{kind.__qualname__} is {_PYTORCH}"
    own = kind.__qualname__.rpartition("<locals>.")
    prefix = "pmd." if kind.__module__.startswith("pymc.dims") else _CALLED.get(package, "")
    called = own[2] if own[1] else f"{prefix}{kind.__qualname__}"
    if package == "pymc" and hasattr(kind, "dist"):
        return (
            f"{called} is a class, not a distribution: make one with {called}.dist(...), or pass a variable"
        )
    return f"{called} is a class, not a distribution: make an instance of it, {called}(...)"


def _names_of(kind: type) -> list[str]:
    """The package and the name of a class and of its bases."""
    return [f"{base.__module__.partition('.')[0]}.{base.__qualname__}" for base in kind.__mro__]


def _what(obj: Any) -> tuple[str, str] | None:
    if isinstance(obj, float) and obj != obj:
        return "a missing value, NaN", "leave it out, as .dropna() of a Series does"
    objects = _objects_in(obj)
    if isinstance(obj, list | tuple | Set | ValuesView) or objects:
        if any(_what(member) is None for member in objects or obj):
            return (
                "several",
                "pairwise_kl takes sequences (list(...) makes one) and Series of distributions; here "
                "pass one distribution, whose parameters may be arrays",
            )
        if not objects:
            return _listed_numbers(obj)
    if isinstance(obj, range):
        return _listed_numbers(obj)
    if isinstance(obj, dict):
        return _of_dictionary(obj)
    for name in _names_of(type(obj)):
        if name in _KINDS:
            return _KINDS[name]
        if name in _DATA:
            what, values = _DATA[name]
            return what, _fitted(obj, values)
    if isinstance(obj, ModuleType):
        return _MODULE
    is_function = callable(obj) and hasattr(obj, "__name__") and not isinstance(obj, type)
    return _FUNCTION if is_function else None


def _objects_in(obj: Any) -> list[Any]:
    """The objects that an array, a Series or a frame holds; nothing of what holds numbers, or is no array."""
    values = getattr(obj, "values", obj)
    array = obj if callable(values) else values
    return list(array.ravel()) if str(getattr(array, "dtype", "")) == "object" else []


def _of_dictionary(held: dict[Any, Any]) -> tuple[str, str]:
    """What a dictionary is by its values: distributions, or the first of what else it holds."""
    for key, value in held.items():
        if (known := _what(value)) is not None:
            return f"a dictionary with {known[0]} under {key!r}", known[1]
    remedy = "pass one of the distributions in it; pairwise_kl takes all of them, and their keys as labels"
    return ("a dictionary", remedy) if held else ("empty", _EMPTY)


def numbers_in(side: Any) -> str | None:
    """What a sequence is that holds numbers where distributions are wanted, and what to do; else None."""
    if not (len(side) and all(isinstance(one, Real) for one in side)):
        return None
    return f"these are no distributions, but numbers: {_listed_numbers(side)[1]}"


def _listed_numbers(obj: Any) -> tuple[str, str]:
    """What lists and their like are where nothing in them is a distribution."""
    if not len(obj):
        return "empty", _EMPTY
    if any(isinstance(member, list | tuple) for member in obj):
        rows = "numpy.array(x)"
        return "numbers", _rows_of(
            f"{rows}.mean(axis=0)", f"numpy.cov({rows}, rowvar=False)", f"{rows}.T", rows=rows
        )
    values = "x" if isinstance(obj, list | tuple) else "list(x)"
    remedy = _line(values, f"kl_plugins.draws({values})")
    return "numbers", remedy.replace("norm(mean, sd)", "norm(*x)") if isinstance(obj, tuple) else remedy


def _fitted(obj: Any, values: str) -> str:
    """How to make a distribution of data x, which SciPy takes as these `values`."""
    if {"chain", "draw"} <= set(getattr(obj, "dims", ())):
        return _TRACE.replace("trace", 'x.to_dataset(name="x")' if hasattr(obj, "ndim") else "x")
    ndim = getattr(obj, "ndim", 1)
    if ndim == 0:
        return _PARAMETERS
    if ndim == 1:
        return _line(values, values if type(obj).__name__ != "Index" else f"{values}.values")
    if hasattr(obj, "columns"):  # pandas' columns are the variables
        same = " and the columns of both sides in the same order"
        return _rows_of("x.mean()", "x.cov()", "x.T", same)
    rows = values if ndim == 2 else f"{values}.reshape(-1, x.shape[-1])"
    return _rows_of(f"{rows}.mean(axis=0)", f"numpy.cov({rows}, rowvar=False)", f"{rows}.T", rows=rows)


def _line(values: str, draws: str) -> str:
    """Of one variable: `values` is what SciPy takes, `draws` what `estimate_kl` takes."""
    return (
        f"fit a distribution to draws x, scipy.stats.norm(*scipy.stats.norm.fit({values})), or pass the "
        f"draws {draws}, or scipy.stats.gaussian_kde({values}), to kl_plugins.estimate_kl; {_PARAMETERS}"
    )


def _rows_of(mean: str, cov: str, columns: str, order: str = "", rows: str = "x") -> str:
    return (
        f"fit a distribution to draws x, one in each row{order}, "
        f"scipy.stats.multivariate_normal({mean}, {cov}), or pass the draws {rows}, or "
        f"scipy.stats.gaussian_kde({columns}), to kl_plugins.estimate_kl; {_PARAMETERS}"
    )


def traced(error: Exception) -> str | None:
    """What to do where JAX traces a parameter; None for any other error."""
    is_jax = type(error).__module__.partition(".")[0] == "jax"
    return f"a parameter has no value: {TRACED}" if is_jax and isinstance(error, TypeError) else None


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
