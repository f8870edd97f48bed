"""The exceptions of the library that callers may want to catch."""


class NoClosedFormError(NotImplementedError):
    """No closed form of the Kullback-Leibler divergence is known for a pair of families.

    The message names both families and how to register a closed form for them.
    """
