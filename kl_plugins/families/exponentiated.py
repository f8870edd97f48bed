"""What `log_transformed` was called."""

from kl_plugins.old_names import old_names

_NEW = "kl_plugins.families.log_transformed"
__getattr__ = old_names(
    __name__,
    {name: f"{_NEW}.{name}" for name in ("LogNormal", "LogLogistic", "LogLaplace")}
    | {"Exponentiated": f"{_NEW}.LogTransformed"},
)
