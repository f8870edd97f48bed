"""Posteriors without end: their ELBO grows until floats give out, and no Gaussian is the best."""

from __future__ import annotations

import numpy as np

from kl_plugins.variational.optimum.fixed_draws import scales_of
from kl_plugins.variational.optimum.scale_families import Gaussian
from kl_plugins.variational.target.log_density import LogDensity, coordinate_names

FARTHEST = 100.0
"""A logarithm (or log-odds) beyond this is of no number that anybody means: e¹⁰⁰ is 10⁴³."""

UNBOUNDED = "the ELBO grows without bound"
REMEDY = (
    "the posterior is improper, as that of a scale whose data do not scatter at all. Give what runs off a "
    "prior that keeps it back (a scale pm.InverseGamma or pm.LogNormal), or fix it"
)


def collapse(target: LogDensity, gaussian: Gaussian) -> str:
    """Where a search for the best Gaussian ran off to, in words; empty where it did not."""
    mean, names = gaussian.mean, coordinate_names(target.variables)
    far = np.flatnonzero(target.logarithms & (abs(mean) > FARTHEST))
    if len(far):
        i = far[np.argmax(abs(mean[far]))]
        where = "−∞" if mean[i] < 0.0 else "∞"
        return f"{UNBOUNDED} as {names[i]} goes to {where} (the search ended at {mean[i]:.4g}): {REMEDY}"
    sd = scales_of(gaussian)
    i = np.argmax(np.spacing(abs(mean)) / sd)
    if sd[i] > np.spacing(abs(mean[i])) or not target.bounded:
        return ""
    return (
        f"{UNBOUNDED}, or as far as floats tell: {names[i]} is known to {sd[i]:.1g} at {mean[i]:.4g}, closer "
        f"than they are spaced. If it does, {REMEDY}; if not, centre the variables or rescale them"
    )
