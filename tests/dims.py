"""pymc.dims without its early versions' warning that it is experimental; models with it and without."""

import warnings

import numpy as np
import pymc as pm

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)
    import pymc.dims as pmd
    from pytensor.xtensor.type import XTensorVariable

__all__ = ["COORDS", "DATA", "XTensorVariable", "pmd", "school_models"]

DATA = np.random.default_rng(5).normal(1.0, 1.0, (3, 4))
COORDS = {"school": ["a", "b", "c"], "pupil": range(4), "place": range(2)}


def school_models():
    """One hierarchical model twice: of pymc.dims, and of PyMC's ordinary variables."""
    with pm.Model(coords=COORDS) as named:
        mean, spread = pmd.Normal("mean", 0.0, 2.0), pmd.Exponential("spread", 2.0)
        school = pmd.Normal("school_mean", mean, 0.5 + spread, dims="school")
        share = pmd.Beta("share", 2.0, 3.0, dims=("place", "school"))
        noise = pmd.HalfNormal("noise", 1.0)
        data = pmd.as_xtensor(DATA, dims=("school", "pupil"))
        pmd.Normal("y", school + share.sum("place"), noise, observed=data)
    with pm.Model(coords=COORDS) as ordinary:
        mean, spread = pm.Normal("mean", 0.0, 2.0), pm.Exponential("spread", 2.0)
        school = pm.Normal("school_mean", mean, 0.5 + spread, dims="school")
        share = pm.Beta("share", 2.0, 3.0, dims=("place", "school"))
        noise = pm.HalfNormal("noise", 1.0)
        pm.Normal("y", (school + share.sum(0))[:, None], noise, observed=DATA)
    return named, ordinary
