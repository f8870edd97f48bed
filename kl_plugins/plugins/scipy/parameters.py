"""The parameters of SciPy's distributions by their names, their labels, and how they are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kl_plugins.errors import NoClosedFormError
from kl_plugins.parameters.labels import Labels, joined, labels_of_parameters


def given_to(generator: Any, shapes: Sequence[Any], places: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a generator's distribution by their names."""
    names = [name.strip() for name in (generator.shapes or "").split(",")]
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
"""By the first word of an error of our families: what SciPy may call the parameter."""


def in_words_of(given: dict[str, Any], text: str) -> str:
    """A message that begins with a parameter of a family of ours, begun with what SciPy calls it.

    It is left as it is where SciPy knows that name, or where the parameter of SciPy is not certain.
    """
    word, _, rest = text.partition(" ")
    if word in given or word not in _CALLED:
        return text
    shapes = [name for name in given if name not in ("loc", "scale")]
    names = [name for name in _CALLED[word] if name in given] or (shapes if len(shapes) == 1 else [])
    if not names or (rest.startswith("(") and not rest.startswith("(the ")):  # that are other words for it
        return text
    said = rest.startswith("(") or word in ("alpha", "beta", "sigma")  # letters explain nothing
    return f"{names[0]} {rest}" if said else f"{names[0]} (the {word}) {rest}"


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
