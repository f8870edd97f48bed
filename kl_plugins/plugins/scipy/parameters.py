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
