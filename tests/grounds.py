"""Grounds for verdicts on fits that are not there."""

from __future__ import annotations

from typing import Any

from kl_plugins.variational.report.grounds import Grounds

NOTHING_MORE = {
    "by_reference": False,
    "reliable": True,
    "modes": (),
    "distance": None,
    "best": None,
    "full_rank": None,
    "mean_field": False,
    "tolerance": 0.1,
    "optimum_tolerance": 0.1,
}
"""Neither reference draws, nor other modes, nor an optimum."""


def grounds(**known: Any) -> Grounds:
    """What is known of a fit, and nothing more."""
    return Grounds(**(NOTHING_MORE | known))
