"""A structure of somebody's: the covariance of stationary autoregressive series, in steps of one."""

from functools import cached_property

import numpy as np

from kl_plugins.extend import (
    POSITIVE,
    Covariance,
    Domain,
    constant,
    log_det_divergences,
    parameter,
    scale_divergence,
)


class AutoRegressive(Covariance):
    """Variance · correlation^|i − j|, whitened at O(d)."""

    variance: float = parameter(POSITIVE)
    correlation: float = parameter(Domain(-1.0, 1.0))
    dim: int = constant()

    @property
    def dimension(self):
        return self.dim

    @property
    def batch_shape(self):
        return self.ops.shape(self.variance + self.correlation)

    @cached_property
    def innovation(self):
        """The standard deviation of what is new in a step, shape ``batch_shape``."""
        return self.ops.sqrt(self.variance * (1.0 - self.correlation) * (1.0 + self.correlation))

    @cached_property
    def factor(self):
        lags = np.subtract.outer(np.arange(self.dim), np.arange(self.dim))
        first = (np.arange(self.dim) == 0.0).astype(float)
        scales = self.ops.sqrt(self.variance)[..., None] * first + self.innovation[..., None] * (1.0 - first)
        return (lags >= 0) * self.correlation[..., None, None] ** np.maximum(lags, 0.0) * scales[..., None, :]

    def whiten(self, x):
        ops, first = self.ops, x[..., :1] / self.ops.sqrt(self.variance)[..., None]
        steps = x[..., 1:] - self.correlation[..., None] * x[..., :-1]
        batch = ops.zeros_like(first + steps[..., :1])
        return ops.concatenate([first + batch, steps / self.innovation[..., None] + batch])

    def log_det(self):
        return self.ops.log(self.variance) + (self.dim - 1) * 2.0 * self.ops.log(self.innovation)


@log_det_divergences.register(AutoRegressive, AutoRegressive, cost="O(1), of the same length")
def by_steps(p, q):
    """That of the first value, and so many times that of a step given the one before it."""
    ops = p.ops
    first = scale_divergence(ops.sqrt(p.variance), ops.sqrt(q.variance), ops)
    drift = (p.correlation - q.correlation) / q.innovation
    step = scale_divergence(p.innovation, q.innovation, ops) + 0.5 * p.variance * drift * drift
    return first + (p.dim - 1) * step
