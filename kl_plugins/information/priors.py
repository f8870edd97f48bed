"""Log prior densities of a model's free variables, on the unconstrained scale, many draws in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.continuous import FlatRV, HalfFlatRV
from pymc.distributions.transforms import _default_transform
from pymc.model import Model
from pytensor.compile.mode import Mode

from kl_plugins.families.named import Variable, some_of
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.plugins.pymc.coordinates import with_coordinates
from kl_plugins.plugins.pytensor.graph import without_names
from kl_plugins.variational.target.density import free_shapes, value_variables
from kl_plugins.variational.target.priors import parents
from kl_plugins.variational.target.transforms import depended_on, in_terms_of, over_draws, unconstrained

MODE = Mode(linker="py", optimizer="fast_run").excluding("fusion", "inplace")
"""Elementwise operations on many draws are as fast in NumPy, and there is nothing to wait for."""


class Priors:
    """The priors of a model's free variables.

    Attributes
    ----------
    model : pymc.Model
    free : dict of str to random variable
        By name, in the model's order.
    variables : dict of str to Variable
        What each is after its transform, by the names of the free variables.
    size : int
        Numbers in a point of the unconstrained space.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.free = {rv.name: rv for rv in model.free_RVs}
        owners = {value.name: rv.name for rv, value in model.rvs_to_values.items()}
        self._every = value_variables(model)
        if not self._every:
            raise ValueError("the model has no free random variables, whose priors the posterior has left")
        self.variables: dict[str, Variable] = {owners[one.name]: one for one in self._every}
        stops = np.cumsum([one.size for one in self._every]).tolist()
        self._places = {
            owners[one.name]: slice(stop - one.size, stop)
            for one, stop in zip(self._every, stops, strict=True)
        }
        self.size = sum(one.size for one in self._every)
        self._compiled: dict[str, Callable[[list[FloatArray]], list[FloatArray]]] = {}
        initial = model.initial_point(0)
        self._anywhere = np.concatenate([np.ravel(initial[one.name]).astype(float) for one in self._every])

    def parents(self, name: str) -> list[str]:
        """The free variables that the prior of this one depends on."""
        return [rv.name for rv in parents(self.model, self.free[name])]

    def ancestors(self, name: str) -> list[str]:
        """Those, and all that these depend on, in the model's order."""
        found: set[str] = set()
        waiting = self.parents(name)
        while waiting:
            if (one := waiting.pop()) not in found:
                found.add(one)
                waiting += self.parents(one)
        return [one for one in self.free if one in found]

    def improper(self, names: Sequence[str]) -> list[str]:
        """Those whose prior is no distribution."""
        return [
            name for name in names if isinstance(without_names(self.free[name]).owner.op, FlatRV | HalfFlatRV)
        ]

    def unnormalised(self, name: str) -> bool:
        """Whether a transform restricts a variable beyond its distribution, which its density ignores."""
        rv = self.free[name]
        transform = self.model.rvs_to_transforms[rv]
        plain = without_names(rv)
        if transform is None or plain.owner.op.ndim_supp > 0:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return _default_transform(plain.owner.op, plain) is None
            except NotImplementedError:
                return False

    def bounded_by_others(self, name: str) -> bool:
        """Whether the transform of a variable depends on other variables."""
        return depended_on(self.model, [self.variables[name]]) != [name]

    def is_discrete(self, name: str) -> bool:
        return np.dtype(self.free[name].dtype).kind in "iub"

    def own(self, name: str) -> Variable:
        """The variable itself, before its transform."""
        (found,) = with_coordinates(self.model, [(name, free_shapes(self.model)[name])])
        return found

    def filled(self, names: Sequence[str], points: FloatArray) -> FloatArray:
        """Whole points, shape (n, size), of which these variables are known; the others are anywhere."""
        found = np.tile(self._anywhere, (len(points), 1))
        start = 0
        for name in names:
            place = self._places[name]
            stop = start + place.stop - place.start
            found[:, place] = points[:, start:stop]
            start = stop
        return found

    def place(self, name: str) -> slice:
        """Where a variable is in a whole point."""
        return self._places[name]

    def log_density(self, name: str, points: FloatArray) -> FloatArray:
        """The log density of a variable given its parents, at whole points, with shape (n, elements).

        There is one element for each of the variable's where these are independent given the parents, else
        one for each vector or matrix.
        """
        if name not in self._compiled:
            x = pt.vector("x", dtype="float64", shape=(self.size,))
            (term,) = self.model.logp(vars=[self.free[name]], sum=False)
            term = pt.as_tensor(term, allow_xtensor_conversion=True)
            graphs = in_terms_of(x, self.model, self._every, [term.astype("float64")])
            self._compiled[name] = over_draws(self.model, [x], graphs, MODE)
        with np.errstate(all="ignore"):
            (found,) = self._compiled[name]([points])
        return np.asarray(found, float).reshape(len(points), -1)

    def draws(self, names: Sequence[str], count: int, rng: np.random.Generator) -> FloatArray:
        """Whole points of which these variables are drawn from their priors.

        Raises
        ------
        ValueError
            If one of them cannot be drawn.
        """
        wanted = [self.free[name] for name in names]
        seed = int(rng.integers(2**31 - 1))
        try:
            drawn = pm.draw(wanted, draws=count, random_seed=seed, mode=MODE)
        except NotImplementedError as error:
            raise ValueError(
                f"the prior of {some_of(list(names))} cannot be drawn from: {error}. Choose variables that "
                "do not depend on it, with var_names"
            ) from error
        given = {name: np.asarray(one) for name, one in zip(names, drawn, strict=True)}
        variables = [self.variables[name] for name in names]
        return self.filled(names, unconstrained(self.model, variables, given))
