"""What `hypergeometric` was called."""

from kl_plugins.old_names import old_names

_NEW = "kl_plugins.families.hypergeometric"
__getattr__ = old_names(__name__, {name: f"{_NEW}.{name}" for name in ("Hypergeometric", "BetaBinomial")})
