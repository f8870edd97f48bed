"""The tables of the reference are what their script writes, and hold what they say."""

from itertools import product

import pytest
from scipy import stats

import tables
from kl_plugins import NoClosedFormError, explain, extend, kl
from kl_plugins.families.core.names import pymc_names, scipy_names
from specimens import CONTINUOUS, DISCRETE, SEVERAL, UNIVARIATE, made, name_of

ROWS = [row for group in (*UNIVARIATE.values(), *SEVERAL.values()) for row in group]
UNIVARIATE_ROWS = [row for group in UNIVARIATE.values() for row in group]
EVERY = [one for row in ROWS for one in row]

pytestmark = pytest.mark.filterwarnings("ignore:The Wishart distribution:UserWarning")


@pytest.mark.slow
@pytest.mark.parametrize("page", tables.TABLES)
def test_pages_are_what_the_script_writes(page):
    text = (tables.PAGES / page).read_text(encoding="utf-8")
    assert text == tables.written(page), "run python docs/tables.py"


def test_every_name_that_a_family_states_is_there():
    def ours(names):  # those of examples in docstrings are of kl_plugins.families.core
        room = "kl_plugins.families"
        return {name for name, make in names.items() if make.__module__.rpartition(".")[0] == room}

    assert ours(scipy_names) <= {name_of(one) for one in EVERY if one.startswith("stats.")}
    operations = {type(made(one).owner.op).__name__ for one in EVERY if one.startswith("pm.")}
    of_pymc_extras = {"GenExtremeRV", "GenParetoRV"}  # which need not be installed
    assert ours(pymc_names) - of_pymc_extras <= operations


DEAR = {"t", "pm.HalfStudentT", "pm.HurdleNegativeBinomial", "pm.HurdlePoisson", "pm.KroneckerNormal"}
"""Whose graphs take long to evaluate."""
MARKS = {name: [pytest.mark.slow] for name in DEAR}
MARKS["matrix_t"] = [pytest.mark.skipif(not hasattr(stats, "matrix_t"), reason="SciPy 1.16 has no matrix_t")]


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=name_of(row[0]), marks=MARKS.get(name_of(row[0]), [])) for row in ROWS]
)
def test_the_names_of_a_row_are_one_distribution(row):
    first = tables.in_numbers(made(row[0]))
    for one in row:
        value = kl(first, made(one))
        found = value.eval() if hasattr(value, "eval") else value
        assert 0.0 <= found < 1e-30, one  # the square of what a compiler rounds otherwise


@pytest.mark.slow
def test_graphs_have_the_same_closed_forms_as_numbers():
    """Pairs of PyMC's variables, whose numbers are asked of SciPy's distributions."""
    both = [row for row in UNIVARIATE_ROWS if len(row) > 1 and row[-1].startswith("pm.")]
    sides = {row: (made(row[0]), made(row[-1])) for row in both}
    for p, q in product(both, both):
        kind = tables.kind(sides[p][0], sides[q][0])
        if kind == "infinite":
            continue  # which a graph may not know before it runs
        try:
            rule = explain(sides[p][1], sides[q][1]).rule
        except NoClosedFormError:
            rule = None
        assert (rule is None) == (kind == "no closed form"), (p, q)


@pytest.mark.slow
def test_continuous_and_discrete_distributions_are_infinitely_far_apart():
    sides = [
        [tables.in_numbers(made(row[0])) for group in groups.values() for row in group]
        for groups in (CONTINUOUS, DISCRETE)
    ]
    circle = extend.VonMises
    for p, q in product(*sides):
        expected = "no closed form" if type(p) is circle else "infinite"
        assert tables.kind(p, q) == tables.kind(q, p) == expected
