"""kl and its kin: recognise both sides, match a rule, compute."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from kl_plugins.conditions import guarded
from kl_plugins.errors import HasNames, NoClosedFormError
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.labelled import by_name
from kl_plugins.matching import in_words_of_caller, match, pair_as_written, recognised, told_of
from kl_plugins.ops.protocol import Array
from kl_plugins.rules import Rule
from kl_plugins.signatures import of_one, of_pair


@of_pair
def kl(p: object, q: object) -> Array:
    """Kullback-Leibler divergence KL(p‖q) = E_p[log p − log q], in nats.

    Parameters
    ----------
    p, q : distributions
        Frozen ``scipy.stats`` distributions, PyMC or PyTensor random variables, fitted PyMC
        approximations, `MultivariateNormal`, or objects of any class that is registered. Parameters may be
        arrays, also of xarray.

    Returns
    -------
    numpy scalar, numpy.ndarray, TensorVariable or xarray.DataArray
        Shape: the broadcast batch shapes of `p` and `q`; event dimensions are consumed. Symbolic if
        either side is. Where parameters are arrays of xarray, they are broadcast by the names of
        their dimensions, and the result keeps their coordinates (lazily, where they are in chunks).
        Never negative, exactly 0.0 where all parameters are equal, ``inf`` where `p` is not
        absolutely continuous with respect to `q`, NaN only where a parameter is NaN.

    Raises
    ------
    TypeError
        If a side is not a distribution that is understood.
    ValueError, numpy.linalg.LinAlgError
        If a parameter is out of its domain or shapes do not fit. In a graph this is said of constants and
        known shapes when it is built. Other invalid values raise PyMC's ``ParameterValueError`` when it
        runs (in a model's log density the divergence is ``inf`` instead), other shapes a ValueError.
    NoClosedFormError
        If no closed form is known for the pair.

    See Also
    --------
    estimate_kl : An estimate with its error, for pairs without a closed form.
    kl_bounds : Bounds in closed form, for mixtures.
    pairwise_kl : All pairs of two collections at once.
    explain : Which formula is used and what it costs.

    Notes
    -----
    For Gaussians with Σ = LLᵀ, M = Lq⁻¹Lp and w = Lq⁻¹(μp − μq) the divergence is
    ½ [Σᵢ (Mᵢᵢ² − 1 − 2 ln Mᵢᵢ) + Σ_{i≠j} Mᵢⱼ² + wᵀw], a sum of non-negative terms
    (https://statproofbook.github.io/P/mvn-kl, rearranged).

    ``pm.Potential`` takes a batch of divergences, and adds their sum to the log density of its model.

    A parameter that is NaN in a graph raises nothing, and is not taken for one out of its domain: the
    divergence is NaN, so is its derivative by that parameter, and so is the log density of a model, which
    samplers reject. Covariances that hold NaN are refused.

    A parameter that is a random variable itself is one draw: a variable of a model is replaced by its value
    in the model's log density, but one of ``.dist`` is drawn anew whenever the graph runs.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import kl
    >>> kl(stats.norm(0, 1), stats.norm(1, 1))
    np.float64(0.5)
    >>> kl(stats.norm([0.0, 2.0], 1.0), stats.norm(0, 1))
    array([0., 2.])
    >>> p = stats.multivariate_normal([0, 0], [[1.0, 0.5], [0.5, 1.0]])
    >>> round(float(kl(p, stats.multivariate_normal([0, 0]))), 6)
    0.143841
    """
    try:
        return _kl(p, q)
    except HasNames:
        pass
    return _pair_by_name("kl", kl, p, q)


@of_pair
def jeffreys(p: object, q: object) -> Array:
    """Jeffreys divergence KL(p‖q) + KL(q‖p), in nats: symmetric in its arguments.

    Parameters
    ----------
    p, q : distributions
        As in `kl`.

    Returns
    -------
    numpy scalar, numpy.ndarray, TensorVariable or xarray.DataArray
        Shape: the broadcast batch shapes of `p` and `q`, or their dimensions by name, as in `kl`.

    Raises
    ------
    TypeError, ValueError, NoClosedFormError
        As `kl` does.

    References
    ----------
    H. Jeffreys, An invariant form for the prior probability in estimation problems, 1946.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import jeffreys
    >>> jeffreys(stats.norm(0, 1), stats.norm(1, 1))
    np.float64(1.0)
    """
    try:
        return _kl(p, q) + _kl(q, p)
    except HasNames:
        pass
    return _pair_by_name("jeffreys", jeffreys, p, q)


@of_one
def entropy(p: object) -> Array:
    """Differential entropy −E_p[log p] in nats (Shannon entropy of a discrete distribution).

    Parameters
    ----------
    p : distribution
        As in `kl`.

    Returns
    -------
    numpy scalar, numpy.ndarray, TensorVariable or xarray.DataArray
        Shape: the batch shape of `p`, or its dimensions by name, as in `kl`.

    Raises
    ------
    TypeError, ValueError
        As `kl` does.
    NoClosedFormError
        If no closed form of it is known, as of a Poisson distribution.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import entropy
    >>> round(float(entropy(stats.norm(0, 2))), 6)
    2.112086
    """
    try:
        return _entropy(p)
    except HasNames:
        pass
    return by_name("entropy", entropy, beforehand=_foreseen(_entropy), p=p)


@of_pair
def cross_entropy(p: object, q: object) -> Array:
    """Cross-entropy −E_p[log q] = H(p) + KL(p‖q), in nats.

    Parameters
    ----------
    p, q : distributions
        As in `kl`.

    Returns
    -------
    numpy scalar, numpy.ndarray, TensorVariable or xarray.DataArray
        Shape: the broadcast batch shapes of `p` and `q`, or their dimensions by name, as in `kl`.

    Raises
    ------
    TypeError, ValueError, NoClosedFormError
        As `kl` does.

    Examples
    --------
    >>> from scipy import stats
    >>> from kl_plugins import cross_entropy
    >>> round(float(cross_entropy(stats.norm(0, 1), stats.norm(0, 1))), 6)
    1.418939
    """
    try:
        return _entropy(p) + _kl(p, q)
    except HasNames:
        pass
    return _pair_by_name("cross_entropy", cross_entropy, p, q)


def _kl(p: object, q: object) -> Array:
    """`kl` by position; HasNames where that is not how the two go together."""
    rule, ours_p, ours_q = match(p, q)
    try:
        return _compute(rule, ours_p, ours_q, (p, q))
    except NoClosedFormError as error:
        raise in_words_of_caller(error, p, q) from None


def _entropy(p: object) -> Array:
    """`entropy` by position; HasNames where parameters have names."""
    ours = recognised(p, "p")
    if ours.ops.symbolic:
        return guarded("entropy", ours.entropy(), {"p": (ours, p)}, outside="nan")
    return ours.ops.evaluate(type(ours).entropy, ours)


def _pair_by_name(name: str, function: Callable[..., Array], p: object, q: object) -> Array:
    """The function of a pair by the names of its dimensions; errors call the sides as they were written."""
    with pair_as_written(p, q):
        return by_name(name, function, beforehand=_foreseen(match), p=p, q=q)


def _foreseen(function: Callable[..., object]) -> Callable[..., None]:
    """What tells of stand-ins for the sides whether a rule is missing; nothing else is certain of them."""

    def find(*known: object) -> None:
        with suppress(ValueError):
            function(*known)

    return find


def kl_of_sides(p: object, q: object, names: tuple[str, str], written: tuple[object, object]) -> Array:
    """`kl`, with errors that call the sides by these names, and their parameters as they were `written`."""
    try:
        rule, ours_p, ours_q = match(p, q)
    except ValueError as error:  # of shapes that do not fit
        raise told_of(error, " and ".join(names)) from error
    try:
        return _compute(rule, ours_p, ours_q, written, names)
    except NoClosedFormError as error:
        raise in_words_of_caller(error, *written) from None


def _compute(
    rule: Rule, p: object, q: object, written: tuple[object, object], names: tuple[str, str] = ("p", "q")
) -> Array:
    """The value of the rule, of graphs with the conditions that are checked when they run.

    `written` are the sides as the caller wrote them, `names` what errors call them.
    What a rule for somebody's own classes returns is handed on as it is.
    """
    if not (isinstance(p, Distribution) and isinstance(q, Distribution)):
        return rule(p, q)
    ops = p.ops
    if ops.symbolic:
        sides = {names[0]: (p, written[0]), names[1]: (q, written[1])}
        return guarded("kl", rule(p.checked_against(q), q), sides)
    return ops.evaluate(rule.function, p, q)
