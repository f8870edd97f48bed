"""The parameters of SciPy's distributions by their names, their labels, and how they are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats._distn_infrastructure import rv_continuous_frozen, rv_discrete_frozen

from kl_plugins.errors import NoClosedFormError, Requirement
from kl_plugins.families.core.names import shape_names
from kl_plugins.families.core.pymc_words import Words
from kl_plugins.families.core.scipy_words import scipy_words
from kl_plugins.parameters.labels import Labels, joined, labels_of_parameters
from kl_plugins.recognition import arguments_of, parameters_as_written


def given_to(generator: Any, shapes: Sequence[Any], places: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a generator's distribution by their names."""
    names = shape_names(generator)
    if len(names) == 1 < len(shapes):  # poisson_binom hands over its probabilities one by one
        shapes = [np.stack(np.broadcast_arrays(*shapes), axis=-1)]
    return dict(zip(names, shapes, strict=False)) | places


_CALLED = {
    "alpha": ("a",),
    "beta": ("b",),
    "concentration": ("a",),
    "draws": ("N",),
    "mean": ("mu", "loc"),
    "power": ("c",),
    "rate": ("lambda_",),
    "sigma": ("scale",),
}
"""What SciPy may call a parameter of our families, by what these call it."""


def in_words_of(given: dict[str, Any], error: ValueError, words: Words) -> str:
    """The text of an error about a parameter of a family of ours, with what SciPy calls the parameter.

    `words` say what the distribution calls it in particular. It is left as it is where SciPy knows our name,
    or where the parameter of SciPy is not certain.
    """
    (text,) = error.args or ("",)
    if not isinstance(text, Requirement):
        return str(error)
    ours, meaning = text.parameter, text.meaning
    if called := words.get(ours):
        return text.renamed(called) if isinstance(called, str) else text.renamed(*called)
    if ours in given or ours not in _CALLED or meaning.isidentifier():  # another name is said already
        return text
    shapes = [name for name in given if name not in ("loc", "scale")]
    names = [name for name in _CALLED[ours] if name in given] or (shapes if len(shapes) == 1 else [])
    if not names:
        return text
    return text.renamed(names[0])


def labels_of_new(obj: Any) -> Labels | None:
    """Those of an object of the new distribution classes, and of what it was made from."""
    own = labels_of_parameters(obj._original_parameters)
    inner = getattr(obj, "_dist", None)
    return own if inner is None else joined(labels_of_new(inner), own)


def unsupported(name: str, key: str, estimated: bool = True) -> NoClosedFormError:
    """Error for a distribution of SciPy that is not among the families."""
    estimate = "kl_plugins.estimate_kl estimates divergences with their error; " if estimated else ""
    return NoClosedFormError(
        f"no closed form is known for {name}; {estimate}"
        f"if you have a closed form, register it with kl_plugins.register_kl for {key}"
    )


@arguments_of.register(rv_continuous_frozen)
@arguments_of.register(rv_discrete_frozen)
def _(obj: Any) -> dict[str, Any]:
    shapes, loc, scale = obj.dist._parse_args(*obj.args, **obj.kwds)
    return given_to(obj.dist, shapes, {"loc": loc, "scale": scale})


@parameters_as_written.register(rv_continuous_frozen)
@parameters_as_written.register(rv_discrete_frozen)
def _(obj: Any) -> Words:
    return scipy_words.get(obj.dist.name, {})
