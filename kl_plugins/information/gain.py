"""information_gain: what the data have taught about each free variable of a model, and about all together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kl_plugins.errors import EstimateWarning
from kl_plugins.estimate.draws.reading import has_groups, holds_draws
from kl_plugins.estimate.estimation import generator_of
from kl_plugins.information.report import InformationGain
from kl_plugins.interrupts import answered_in_time
from kl_plugins.progress import AFTER, Report, progress_line

if TYPE_CHECKING:
    from pymc.model import Model

    from kl_plugins.estimate.estimation import Seed
    from kl_plugins.information.estimating import Gains
    from kl_plugins.information.posteriors import Posterior
    from kl_plugins.information.priors import Priors

CALL = "information_gain(idata, model=model)"


def information_gain(
    posterior: Any,
    model: Model | None = None,
    var_names: str | Sequence[str] | None = None,
    *,
    joint: bool = True,
    random_state: Seed = None,
    progressbar: bool = True,
) -> InformationGain:
    """What data have taught about a model's free variables: KL(posterior‖prior) of each, and jointly.

    Parameters
    ----------
    posterior : InferenceData, DataTree, Dataset or approximation
        Draws, as ``pm.sample`` returns them; or a Gaussian approximation, as ``pm.fit``, `variational.fit`
        and ``gaussian(trace, model=model)`` return it. What it has beside the model's free variables, such as
        Deterministics, is left aside.
    model : pymc.Model, optional
        Whose priors these are, at the present values of its ``pm.Data``; by default that in context, or the
        approximation's.
    var_names : str or sequence of str, optional
        Free variables to take, or with a "~" in front to leave out. By default all.
    joint : bool
        Whether to estimate the gain of all these variables together, too.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState
        Seed, as in SciPy.
    progressbar : bool
        Whether to show what is being done, in a terminal or notebook, once it takes two seconds.

    Returns
    -------
    InformationGain
        With ``summary()``, ``to_dataset()``, ``plot()`` and ``joint``.

    Raises
    ------
    TypeError
        If there is no model, or `posterior` is neither draws nor an approximation.
    ValueError
        If draws of a variable are missing, or not as the model has it, or too few; if there is nothing of
        such a name; if a prior is improper (``pm.Flat``), restricted by a transform that its density does not
        know of, or cannot be drawn from where that is needed.
    ImportError
        If PyMC or ArviZ is not installed.

    Warns
    -----
    EstimateWarning
        If the gain of an element is not to be relied on; its ``converged`` is then False. Of the joint gain
        ``note`` says so.

    See Also
    --------
    estimate_kl : Divergences between draws, or draws and a distribution.

    Notes
    -----
    This is Lindley's information gain (D. V. Lindley, Annals of Mathematical Statistics 27, 1956), in nats;
    1 nat is 1/ln 2 = 1.44 bits. The prior's log density is the model's, on the unconstrained scale, which
    changes no divergence. The posterior's density is estimated from its draws as by `estimate_kl`, or known
    where it is an approximation. Where a prior depends on other random variables, its marginal is the average
    of its density over draws of these from their priors; where its bounds do, draws are compared with draws.
    Elements that are dependent under the prior (of a Dirichlet, an MvNormal) have one gain together.
    Potentials count as data.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> import xarray as xr
    >>> from kl_plugins import information_gain
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     x = pm.Normal("x", mu, 1.0, observed=[2.0, 3.0, 4.0, 3.0])
    >>> posterior = np.random.default_rng(1).normal(2.993, 0.499, size=(4, 500))
    >>> gain = information_gain(xr.Dataset({"mu": (("chain", "draw"), posterior)}), model, random_state=1)
    >>> gain.summary()["gain"].round(1).to_dict()  # of a truth of 2.544 nats
    {'mu': 2.5}
    """
    with progress_line(progressbar, after=AFTER) as report, answered_in_time():
        found, whys = _information_gain(posterior, model, var_names, joint, random_state, report)
    if whys:
        said = "; ".join(f"{name}: {why}" for name, why in list(whys.items())[:5])
        more = f"; and {len(whys) - 5} more" if len(whys) > 5 else ""
        warnings.warn(f"gains not to be relied on: {said}{more}", EstimateWarning, stacklevel=2)
    return found


def _information_gain(
    posterior: Any, model: Any, var_names: Any, joint: bool, random_state: Any, report: Report
) -> tuple[InformationGain, dict[str, str]]:
    """As `information_gain`, and why gains are not to be relied on, by their names."""
    try:
        from kl_plugins.information.estimating import gains_of, joint_gain
        from kl_plugins.information.priors import Priors
        from kl_plugins.variational.target.approximations import model_and_distribution
        from kl_plugins.variational.target.density import model_given_or_in_context
    except ImportError as error:
        raise ImportError(
            f"information_gain needs PyMC and ArviZ ({error}); install them with: pip install "
            '"kl-plugins[variational]"'
        ) from error
    from kl_plugins.information.posteriors import gaussian_posterior
    from kl_plugins.plugins.arviz import posterior_of

    rng = generator_of(random_state)
    report("reading the posterior")
    gaussian: Any = None
    if hasattr(posterior, "free_RVs"):
        raise TypeError(f"the posterior comes first: {CALL}")
    if holds_draws(posterior) and not _with_names(posterior):
        raise TypeError(
            "draws of a posterior come with the names of its variables, in an InferenceData, DataTree or "
            f"Dataset: xarray.Dataset({{'mu': (('chain', 'draw'), x)}}); got {type(posterior).__qualname__}"
        )
    if not _with_names(posterior):
        model, gaussian = model_and_distribution(posterior, model, "information_gain")
    model = model_given_or_in_context(model, CALL)
    priors = Priors(model)
    names = _chosen(model, var_names)
    _check_priors(priors, names)
    if gaussian is not None:
        owners = {variable.name: name for name, variable in priors.variables.items()}
        known: Posterior = gaussian_posterior(gaussian, owners, rng)
    else:
        known = _drawn(priors, posterior_of(posterior, "the posterior"), names)
    gains: list[Gains] = []
    whys: dict[str, str] = {}
    for name in names:
        report(f"the gain of {name}")
        gains.append(gains_of(priors, known, name, rng))
        whys |= {part: why for part, why in zip(gains[-1].parts, gains[-1].whys, strict=True) if why}
    together, note = None, "it was not asked for"
    if joint:
        report("the gain of all together")
        together, note = joint_gain(priors, known, names, rng)
    return InformationGain(tuple(gains), together, note), whys


def _with_names(posterior: Any) -> bool:
    """Whether it is what ArviZ and xarray have draws in."""
    return has_groups(posterior) or hasattr(posterior, "data_vars")


def _chosen(model: Model, var_names: Any) -> list[str]:
    """The free variables that are meant, of which names with a "~" in front leave some out."""
    from pytensor.graph.basic import Variable

    from kl_plugins.variational.target.given import free_variables

    if not model.free_RVs:
        raise ValueError("the model has no free variables, of which there is anything to learn")
    if var_names is None:
        return [rv.name for rv in model.free_RVs]
    given = [var_names] if isinstance(var_names, str | Variable) else list(var_names)
    excluded = [one for one in given if isinstance(one, str) and one.startswith("~")]
    left_out = free_variables(model, [one[1:] for one in excluded]) if excluded else []
    named = [one for one in given if one not in excluded]
    taken = free_variables(model, named if named or not excluded else None)
    found = [rv.name for rv in taken if rv not in left_out]
    if not found:
        raise ValueError("var_names leaves out every free variable of the model")
    return found


def _check_priors(priors: Priors, names: list[str]) -> None:
    """Raise ValueError where a prior is no distribution, or another one than its density says."""
    for name in names:
        if bad := priors.improper([name, *priors.ancestors(name)]):
            whose = "its prior" if bad[0] == name else f"the prior of {bad[0]!r}, on which it depends,"
            raise ValueError(
                f"{name!r}: {whose} is improper, no distribution, and the gain from it is infinite: take a "
                f"proper one, such as a wide Normal, or leave it out, var_names={['~' + name]}"
            )
        if priors.unnormalised(name):
            raise ValueError(
                f"{name!r}: its transform restricts a distribution that reaches further, so that the density "
                "of its prior lacks a constant, and so would the gain: state the prior by a distribution "
                f"with that support, such as pm.Truncated, or leave it out, var_names={['~' + name]}"
            )


def _drawn(priors: Priors, posterior: Any, names: list[str]) -> Posterior:
    """The draws of what is chosen, and of what its bounds depend on, on the unconstrained scale."""
    from kl_plugins.information.posteriors import Posterior
    from kl_plugins.variational.target.draws import points_of_draws
    from kl_plugins.variational.target.transforms import depended_on

    needed = set(names) | set(depended_on(priors.model, [priors.variables[name] for name in names]))
    taken = [name for name in priors.free if name in needed]
    variables = [priors.variables[name] for name in taken]
    held = posterior[[name for name in posterior.data_vars if name in needed]]
    chains = points_of_draws(held, priors.model, variables, "the posterior")
    slices, start = {}, 0
    for name, variable in zip(taken, variables, strict=True):
        slices[name] = slice(start, start + variable.size)
        start += variable.size
    return Posterior(tuple(taken), chains, slices)
