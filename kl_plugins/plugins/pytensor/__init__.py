"""Random variables of PyTensor, and so of PyMC, and the structure of their covariances, read off graphs."""

from kl_plugins.plugins.pytensor import counts, functions, parameters, products, random_variables  # noqa: F401
