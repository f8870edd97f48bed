"""What `discrete_exponential` was called."""

from kl_plugins.old_names import old_names

_NEW = "kl_plugins.families.discrete_exponential"
_NAMES = ("LogSeries", "DiscreteLaplace", "Boltzmann")
__getattr__ = old_names(__name__, {name: f"{_NEW}.{name}" for name in _NAMES})
