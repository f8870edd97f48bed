"""Random variables of PyTensor, and so of PyMC, and the structure of their covariances, read off graphs."""

from kl_plugins.plugins.pytensor import (  # noqa: F401
    counts,
    factors,
    functions,
    parameters,
    products,
    random_variables,
)
