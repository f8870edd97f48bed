"""The exceptions and warnings of the library that callers may want to catch."""


class NoClosedFormError(NotImplementedError):
    """No closed form of the Kullback-Leibler divergence is known for a pair of families.

    The message names both families and how to register a closed form for them; `kl_plugins.estimate_kl`
    estimates the divergence without one.

    Attributes
    ----------
    why : str or None
        What is in the way of a pair whose sides are understood, each by itself.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import NoClosedFormError, estimate_kl, kl
    >>> p, q = stats.norm(), stats.cauchy()
    >>> try:
    ...     value = kl(p, q)
    ... except NoClosedFormError:
    ...     value = estimate_kl(p, q).value
    >>> round(value, 6)
    0.259245
    """

    why: str | None = None


def no_closed_form_of_pair(p: str, q: str, why: str = "") -> NoClosedFormError:
    """The error for a pair whose sides are called so."""
    error = NoClosedFormError(
        f"no closed form of KL(p‖q) is known for p: {p} and q: {q}{': ' if why else ''}{why}; "
        "kl_plugins.estimate_kl estimates it with its error, kl_plugins.register_kl registers a closed form"
    )
    error.why = why
    return error


class NotRecognisedError(TypeError):
    """No plugin understands objects of this class."""


class EstimateWarning(UserWarning):
    """An estimate of a divergence is not to be relied on; the message says why.

    Examples
    --------
    >>> import warnings
    >>> from scipy import stats
    >>> from kl_plugins import EstimateWarning, estimate_kl
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", EstimateWarning)
    ...     try:
    ...         found = estimate_kl(stats.norm(), stats.cauchy(), method="monte carlo", draws=10)
    ...     except EstimateWarning:
    ...         found = estimate_kl(stats.norm(), stats.cauchy())
    >>> found.converged
    True
    """
