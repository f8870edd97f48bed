"""Distributions whose parameters have named dimensions: what is computed by name and not by position."""

from kl_plugins.labelled.computing import (
    ByNames,
    Compute,
    Labelled,
    by_name,
    by_names_of,
    by_position,
    dims_of,
    labelled,
    labelled_of,
    whose_names,
)

__all__ = [
    "ByNames",
    "Compute",
    "Labelled",
    "by_name",
    "by_names_of",
    "by_position",
    "dims_of",
    "labelled",
    "labelled_of",
    "whose_names",
]
