"""PyMC's LKJ distributions of correlation matrices, and of Cholesky factors of covariances."""

from __future__ import annotations

from pymc.distributions.multivariate import LKJCorrRV, _LKJCholeskyCovRV
from pytensor.graph.basic import Variable
from pytensor.graph.op import Op

from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.lkj import LKJ
from kl_plugins.families.lkj_covariance import with_scales
from kl_plugins.ops.protocol import Array
from kl_plugins.plugins.pytensor.graph import known_count
from kl_plugins.plugins.pytensor.random_variables import family
from kl_plugins.recognition import recognise, requirement_as_written


@family.register(LKJCorrRV)
def _(op: Op, n: Variable, eta: Variable, *, batch: Array) -> Distribution:
    """A matrix from PyMC 6 on, before that what is above its diagonal."""
    made = LKJ(eta, known_count(n, "LKJCorr", "n"))
    return made if batch is None else made.expand(batch)


@family.register(_LKJCholeskyCovRV)
def _(op: Op, n: Variable, eta: Variable, sd_dist: Variable, *, batch: Array) -> Distribution:
    """PyMC has made a vector of scales of sd_dist, whose parameters are called as it calls them."""
    scales = recognise(sd_dist)
    premises = [
        (holds, f"sd_dist: {requirement_as_written(text, sd_dist)}") for holds, text in scales.conditions()
    ]
    made = with_scales(LKJ(eta, known_count(n, "LKJCholeskyCov", "n")), scales)
    return made.provided(premises)
