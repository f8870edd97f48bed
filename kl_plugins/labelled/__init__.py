"""Distributions whose parameters have named dimensions: what is computed by name and not by position."""

from kl_plugins.labelled.agreement import check_events, listed
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
    labelled_side,
    whose_names,
)

__all__ = [
    "ByNames",
    "Compute",
    "Labelled",
    "by_name",
    "by_names_of",
    "by_position",
    "check_events",
    "dims_of",
    "labelled",
    "labelled_of",
    "labelled_side",
    "listed",
    "whose_names",
]
