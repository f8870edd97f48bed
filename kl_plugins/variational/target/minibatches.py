"""Models that draw minibatches: the log density of all their data, as what has no rows and sums over rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.data import MinibatchOp
from pymc.distributions.custom import CustomSymbolicDistRV
from pymc.distributions.shape_utils import change_dist_size
from pymc.logprob.basic import conditional_logp
from pymc.model import Model
from pymc.variational.minibatch_rv import MinibatchRandomVariable
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.traversal import ancestors, io_toposort
from pytensor.tensor.random.type import RandomType
from pytensor.tensor.rewriting.ofg import inline_ofg_node
from pytensor.tensor.shape import SpecifyShape

from kl_plugins.interrupts import answer_interrupt

NO_WHOLE = "so there is no log density of all the data, and no optimum to find"
ON_FULL_DATA = (
    "build the model on the full data for this; snapshot(approximation) is the Gaussian of a fit with "
    "minibatches, to be given with that model"
)

OF_A_BATCH = (
    "the log density of {} cannot be derived for any other number of rows than that of a minibatch{}: "
    f"{ON_FULL_DATA}"
)


class RowSum(NamedTuple):
    """A part of the log density that is a sum over the rows of arrays, which are drawn from together.

    Attributes
    ----------
    log_density : TensorVariable
        That of the rows in `slices`, a scalar, without the factor that makes a batch stand for all.
    source : Variable
        The generator of random numbers that PyMC draws the rows by.
    drawn : list of TensorVariable
        As many rows as a batch has.
    slices : list of TensorVariable
        Rows of the arrays, any number of them.
    arrays : list of ndarray
        All rows.
    names : str
        The observed variables, for messages.
    """

    log_density: Variable
    source: Variable
    drawn: list[Variable]
    slices: list[Variable]
    arrays: list[NDArray[Any]]
    names: str

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.arrays[0])

    @property
    def batch(self) -> int:
        """How many the model draws."""
        return int(self.drawn[0].type.shape[0])


class Terms(NamedTuple):
    """A model's log density over its value variables: what has no rows, and sums over rows."""

    whole: Variable
    sums: tuple[RowSum, ...]


def terms_of(model: Model) -> Terms:
    """The log density of all the data of a model; of one without minibatches it is the model's own.

    PyMC draws a minibatch by one node (`MinibatchOp`), whose outputs are the same random rows of its inputs,
    and says by another (`MinibatchRandomVariable`) how many rows a batch stands for. Here the random rows
    are inputs of the graph, so that all rows can be put through it.

    Raises
    ------
    ValueError
        If the log density is random in any other way, or the minibatches are such that there is no log
        density of all the data: without ``total_size``, with one that is not the number of rows, in a
        potential or a prior, of independent batches in one variable, of an event that spans rows.
    """
    batched = {rv: _minibatches([rv, model.rvs_to_values[rv]]) for rv in model.observed_RVs}
    _refuse_elsewhere(model)
    ordinary = [rv for rv, nodes in batched.items() if not nodes]
    for rv in ordinary:
        _refuse_missing_rows(model, rv)
    if len(ordinary) == len(batched):
        terms = Terms(model.logp(), ())
    else:
        together: dict[Variable, list[Any]] = {}
        for rv, nodes in batched.items():
            if nodes:
                together.setdefault(_source(_only(nodes, rv)), []).append(rv)
        rest = model.logp(vars=[*model.free_RVs, *ordinary, *model.potentials])
        terms = Terms(rest, tuple(_row_sum(model, batched[rvs[0]][0], rvs) for rvs in together.values()))
    graphs = [terms.whole, *(one.log_density for one in terms.sums)]
    if _is_random(graphs):
        raise ValueError(
            f"the model's log density is random, and not by pm.Minibatch, {NO_WHOLE}: draw the rows by "
            f"pm.Minibatch with total_size, or {ON_FULL_DATA}"
        )
    return terms


def _minibatches(graphs: Iterable[Variable]) -> list[Apply[Any]]:
    """The nodes above that draw minibatches."""
    found = {x.owner: None for x in ancestors(graphs) if x.owner and isinstance(x.owner.op, MinibatchOp)}
    return list(found)


def _source(node: Apply[Any]) -> Variable:
    """The generator of random numbers of a minibatch: its own, and the same in copies of the graph."""
    generator: Variable = node.inputs[-1]
    return generator


def with_rows(graphs: Sequence[Variable], source: Variable, rows: Sequence[Variable]) -> list[Any]:
    """The graphs with the rows in place of those that are drawn by a generator."""
    nodes = [node for node in _minibatches(graphs) if _source(node) is source]
    return rebuilt(graphs, {old: new for node in nodes for old, new in zip(node.outputs, rows, strict=False)})


def _refuse_elsewhere(model: Model) -> None:
    """ValueError where a minibatch is no data of an observed variable."""
    for rv in model.free_RVs:
        if _minibatches([rv]):
            raise ValueError(
                f"the prior of {rv.name} depends on a minibatch, {NO_WHOLE}: give it what does not change "
                "from batch to batch"
            )
    for potential in model.potentials:
        if _minibatches([potential]):
            raise ValueError(
                f"pm.Potential {potential.name!r} uses a minibatch, and what it is of all the data is not "
                "known (PyMC does not scale potentials): use an observed variable with total_size, such as "
                "pm.CustomDist(..., logp=..., observed=batch, total_size=rows)"
            )


def _only(nodes: Sequence[Apply[Any]], rv: Any) -> Apply[Any]:
    """The one node that a variable's rows are drawn by."""
    if len(nodes) == 1:
        return nodes[0]
    if any(_minibatches(node.inputs) for node in nodes):
        raise ValueError(f"{rv.name} depends on minibatches of minibatches, {NO_WHOLE}: {ON_FULL_DATA}")
    raise ValueError(
        f"{rv.name} depends on {len(nodes)} minibatches that are drawn independently, so that their rows do "
        "not belong together: draw them in one call, as x_batch, y_batch = pm.Minibatch(x, y, batch_size=...)"
    )


def _refuse_missing_rows(model: Model, rv: Any) -> None:
    """ValueError where ``total_size`` says that a variable has more rows than the model."""
    if not isinstance(rv.owner.op, MinibatchRandomVariable):
        return
    sizes, value = rv.owner.inputs[1:], model.rvs_to_values[rv]
    shape = _numbers([value.shape])[0]
    for axis, size in enumerate(_sizes(sizes)):
        if size is not None and size != shape[axis]:
            raise ValueError(
                f"total_size of {rv.name} is {size:,d}, the model holds {shape[axis]:,d} rows of it at a "
                f"time and no others, {NO_WHOLE}: give all rows to pm.Minibatch, or {ON_FULL_DATA}"
            )


def _sizes(sizes: Sequence[Variable]) -> list[int | None]:
    """The parts of ``total_size`` as numbers; None of a dimension that it says nothing of."""
    return [None if size is None else int(size) for size in _numbers(sizes)]


def _row_sum(model: Model, node: Apply[Any], rvs: Sequence[Any]) -> RowSum:
    """The sum over the rows that a node draws, of the log densities of the variables that it is data of."""
    names = ", ".join(rv.name for rv in rvs)
    arrays = [np.asarray(array) for array in _numbers(node.inputs[:-1])]
    if len(lengths := {len(array) for array in arrays}) > 1:
        raise ValueError(
            f"the arrays of the minibatch of {names} have different numbers of rows: "
            f"{', '.join(f'{length:,d}' for length in sorted(lengths))}"
        )
    # What is drawn has as many rows as PyMC knows; the log density is derived with that, for in graphs of
    # unknown lengths PyMC cannot tell what broadcasts.
    source, drawn = _source(node), [output.type() for output in node.outputs[:-1]]
    slices = [
        one.type.clone(shape=(None, *array.shape[1:]))() for one, array in zip(drawn, arrays, strict=True)
    ]
    rows = pt.lscalar("rows")
    densities = []
    for rv in rvs:
        _check_total_size(model, rv, len(arrays[0]))
        graphs = model.replace_rvs_by_values([rv.owner.inputs[0], model.rvs_to_values[rv]])
        inner, value = with_rows(graphs, source, drawn)
        density = _log_density(rv.name, inner, value, rows)
        replacements = dict(zip(drawn, slices, strict=True)) | {rows: slices[0].shape[0]}
        densities.append(rebuilt([density], replacements)[0].sum())
    return RowSum(sum(densities[1:], densities[0]), source, drawn, slices, arrays, names)


def _check_total_size(model: Model, rv: Any, rows: int) -> None:
    """ValueError unless ``total_size`` is the number of rows, and says nothing else of other dimensions."""
    give = f"give total_size={rows} to it, so that a batch stands for all the data"
    if not isinstance(rv.owner.op, MinibatchRandomVariable):
        raise ValueError(
            f"{rv.name} is observed in minibatches and has no total_size, so that the model's density is "
            f"that of one batch: {give}"
        )
    first, *others = _sizes(rv.owner.inputs[1:]) or [None]
    if first != rows:
        said = "does not say how many rows there are" if first is None else f"is {first:,d}"
        raise ValueError(
            f"total_size of {rv.name} {said}, the minibatch is drawn from {rows:,d} rows: {give}"
        )
    shape = model.rvs_to_values[rv].type.shape[1:]
    for axis, (size, length) in enumerate(zip(others, shape, strict=True), start=1):
        if size is not None and size != length:
            raise ValueError(
                f"total_size of {rv.name} is {size:,d} in dimension {axis}, its data are {length} long "
                f"there, and minibatches are of rows: {give}"
            )


def _log_density(name: str, inner: Variable, value: Variable, rows: Variable) -> Variable:
    """Log densities of a random variable's rows, one number each or more; its parents are no variables."""
    while isinstance(inner.owner.op, SpecifyShape):
        inner = inner.owner.inputs[0]
    outer = inner.type.ndim - getattr(inner.owner.op, "ndim_supp", 0)
    if outer < 1:
        raise ValueError(
            f"{name} is one event that spans all rows of a minibatch (a {inner.owner.op} of dimension "
            f"{inner.type.ndim}), so that its log density is no sum over rows, {NO_WHOLE}: {ON_FULL_DATA}"
        )
    size = [rows, *(value.shape[axis] for axis in range(1, outer))]
    try:
        # PyMC gave the variable the length of a batch.
        (density,) = conditional_logp({_resized(inner, size): value}, warn_rvs=False).values()
    except (NotImplementedError, RuntimeError) as error:
        answer_interrupt()
        raise ValueError(OF_A_BATCH.format(name, f" ({error})")) from error
    if _is_random([density]):
        raise ValueError(OF_A_BATCH.format(name, ""))
    return density


def _is_random(graphs: Sequence[Variable]) -> bool:
    """Whether anything in graphs is drawn at random."""
    return any(isinstance(node.type, RandomType) for node in ancestors(graphs))


def _resized(rv: Any, size: Sequence[Variable]) -> Any:
    """A random variable of another size, of the parents that it has in the graph.

    PyMC gives a CustomDist those that it was made with, whatever has taken their places since.
    """
    resized = change_dist_size(rv, size)
    if not isinstance(rv.owner.op, CustomSymbolicDistRV):
        return resized
    parents = [x for x in rv.owner.inputs[1:] if not isinstance(x.type, RandomType)]
    made_with, *others = resized.owner.inputs
    return resized.owner.op(made_with, *parents, *others[len(parents) :])


def rebuilt(graphs: Sequence[Variable], replacements: Mapping[Variable, Variable]) -> list[Any]:
    """The graphs with variables replaced by some of other static shapes.

    Nodes that keep to the shapes with which they were built (assertions on shapes, functions of inner graphs)
    are left out or taken apart.
    """
    known = dict(replacements)
    for node in io_toposort(list(replacements), graphs):
        inputs = [known.get(x, x) for x in node.inputs]
        if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
            continue
        if isinstance(node.op, SpecifyShape):
            outputs = inputs[:1]
        elif isinstance(node.op, OpFromGraph) and any(
            new.type != old.type for new, old in zip(inputs, node.inputs, strict=True)
        ):
            outputs = rebuilt(inline_ofg_node(node), dict(zip(node.inputs, inputs, strict=True)))
        else:
            outputs = node.clone_with_new_inputs(inputs, strict=False).outputs
        known.update(zip(node.outputs, outputs, strict=True))
    return [known.get(graph, graph) for graph in graphs]


def _numbers(graphs: Sequence[Variable]) -> list[Any]:
    """Values of graphs that only constants and shared variables are in; these are not copied."""
    found: list[Any] = []
    for graph in graphs:
        if isinstance(graph, Constant):
            found.append(graph.data)
        elif hasattr(graph, "get_value"):
            found.append(graph.get_value(borrow=True))
        else:
            found.append(pytensor.function([], graph, mode="FAST_COMPILE")())
    return found
