"""The mathematics of numbers: every formula, in the operations of `kl_plugins.ops`."""
