"""How far the average of iterates at rest is from the optimum at most, by the noise of their steps."""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.special import fdtri

from kl_plugins.variational.optimum.iterates import BATCHES, Window

CONFIDENCE = 0.95


def jeffreys_at_rest(window: Window) -> float:
    """Jeffreys divergence of the average from the optimum, in nats, at most, at a confidence of 95 %.

    Assumes that the iterates have come to rest and that the steps follow the gradient on average. Then two
    things keep their average from the optimum. One is noise: normal, with the covariance that averages of
    16 batches have; the quantile of its squared length is that of an F distribution with as many degrees of
    freedom as the eigenvalues are worth (Satterthwaite). The other is the bias of steps of finite size, of
    second order: a log scale that scatters by s about its average is taken to be off by s². Neither knows of
    optimisers that divide a gradient by its own size, as PyMC's default does: these rest where scales are too
    wide.

    Sources: F. E. Satterthwaite (1946), Biometrics Bulletin 2; of the bias A. Dieuleveut, A. Durmus, F. Bach
    (2020), Annals of Statistics 48.
    """
    deviations = window.whiten(window.coordinates - window.average, window.average)
    batches = deviations.reshape(BATCHES, -1, deviations.shape[1]).mean(axis=1)
    products = batches @ batches.T
    size = float(np.sum(products**2))
    if not size > 0.0:
        return 0.0
    freedom = float(np.trace(products)) ** 2 / size
    noise = window.careful_jeffreys() * float(fdtri(freedom, (BATCHES - 1) * freedom, CONFIDENCE))
    bias = 0.5 * float(np.sum(np.mean(deviations**2, axis=0) ** 2))
    return (sqrt(noise) + sqrt(bias)) ** 2
