"""The special functions on NumPy arrays; loaded when the first of them is asked for."""

from __future__ import annotations

import numpy as np
from scipy import special

from kl_plugins.ops.numpy import of_long_vectors
from kl_plugins.ops.protocol import Array

exp = of_long_vectors(np.exp)
expm1 = np.expm1
log1p = np.log1p
sin = np.sin
cos = np.cos
floor = np.floor
erf = special.erf
erfc = special.erfc
gammaln = special.gammaln
digamma = special.psi
power = np.power
where = np.where
sign = np.sign


def trigamma(x: Array) -> Array:
    return special.zeta(np.asarray(2.0, np.asarray(x).dtype), x)


def same(first: Array, second: Array) -> bool:
    return first is second or bool(np.all((first == second) | (first != first) | (second != second)))


def known(value: Array) -> Array:
    return value


def steps(count: Array) -> Array:
    return np.arange(float(count))


def take_along_last(values: Array, index: Array) -> Array:
    ndim = max(values.ndim, index.ndim)
    values = values.reshape((1,) * (ndim - values.ndim) + values.shape)
    index = index.reshape((1,) * (ndim - index.ndim) + index.shape)
    places = np.where(np.isnan(index), 0.0, index)  # what is taken there becomes NaN elsewhere
    return np.take_along_axis(values, places.astype(np.intp), -1)


arctan = np.arctan
betainc = special.betainc
gammainc = special.gammainc
gammaincc = special.gammaincc


def complement(probability: Array) -> Array:
    return 1.0 - probability


def known_log(value: Array) -> Array:
    """The logarithm of numbers that were computed from it: of arrays it is not known."""
    return None
