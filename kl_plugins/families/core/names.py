"""What other libraries call the families: tables that each family fills in, without importing the libraries.

The plugins of SciPy and of PyTensor read them. A family of ours is thus one file, with its names in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kl_plugins.open_functions import forget
from kl_plugins.ops.protocol import Array

Maker = Callable[..., Any]

scipy_names: dict[str, Maker] = {}
"""By the name in ``scipy.stats``: a function of the shape parameters, loc and scale (discrete: of loc)."""

pymc_names: dict[str, Maker] = {}
"""By the name of the class of a random variable's operation: a function of its parameters."""


def from_scipy(*names: str) -> Callable[[Maker], Maker]:
    """Register the decorated function, which makes a family of SciPy's parameters, under these names.

    Parameters
    ----------
    *names : str
        Of distributions in ``scipy.stats``. The function takes their shape parameters, loc and scale (of
        discrete ones: shape parameters and loc), and returns one of our distributions.
    """

    def decorate(function: Maker) -> Maker:
        scipy_names.update(dict.fromkeys(names, function))
        forget()
        return function

    return decorate


def from_pymc(*names: str) -> Callable[[Maker], Maker]:
    """Register the decorated function, which makes a family of the parameters of PyTensor's operation.

    Parameters
    ----------
    *names : str
        Of classes of operations, such as ``"GammaRV"``. The function takes the parameters of the operation,
        which may be others than those of PyMC's distribution, and returns one of our distributions.
    """

    def decorate(function: Maker) -> Maker:
        pymc_names.update(dict.fromkeys(names, function))
        return function

    return decorate


def check_positive(value: Array, name: str) -> None:
    """Raise ValueError, naming the library's own parameter, where a number is not positive; NaN passes."""
    if np.any(np.less_equal(value, 0.0)):
        raise ValueError(f"{name} must be positive")
    if np.any(np.isinf(value)):
        raise ValueError(f"{name} must be finite")
