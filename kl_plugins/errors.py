"""The exceptions and warnings of the library that callers may want to catch."""


class NoClosedFormError(NotImplementedError):
    """No closed form of the Kullback-Leibler divergence is known for a pair of families.

    The message names both families and how to register a closed form for them; `kl_plugins.estimate_kl`
    estimates the divergence without one.
    """


class EstimateWarning(UserWarning):
    """An estimate of a divergence is not to be relied on; the message says why."""
