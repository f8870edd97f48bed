"""The exceptions and warnings of the library that callers may want to catch."""


class NoClosedFormError(NotImplementedError):
    """No closed form of the Kullback-Leibler divergence is known for a pair of families.

    The message names both families and how to register a closed form for them; `kl_plugins.estimate_kl`
    estimates the divergence without one.
    """

    why: str | None = None
    """What is in the way of a pair whose sides are understood, each by itself."""


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
    """An estimate of a divergence is not to be relied on; the message says why."""
