"""Elements of named Gaussians: what they are called, and that divergences are of the same ones."""

import pickle

import numpy as np
import pytest

from kl_plugins import Dense, Diagonal, MultivariateNormal, kl
from kl_plugins.families.named import NamedMultivariateNormal, Variable

ABC = ("a", "b", "c")
RNG = np.random.default_rng(3)
MATRIX = np.cov(RNG.normal(size=(6, 40)))
MEAN = RNG.normal(size=6)


def labelled(first, second=("0", "1"), dims=("g", "h"), name="x"):
    shape = len(first), len(second)
    return Variable(name, shape, ((dims[0], tuple(first)), (dims[1], tuple(second))))


def test_what_elements_are_called():
    assert Variable("mu", ()).elements == ("mu",)
    assert Variable("x", (2,)).elements == ("x[0]", "x[1]")
    assert Variable("x", (1, 2)).elements == ("x[0, 0]", "x[0, 1]")
    assert labelled("ab", "c").elements == ("x[a, c]", "x[b, c]")
    assert labelled(["a, b"], ["c"]).elements == ("x[a, b, c]",)
    of_commas = labelled(["a", "a, b"], ["b, c", "c"]).elements
    assert of_commas == ("x['a', 'b, c']", "x['a', 'c']", "x['a, b', 'b, c']", "x['a, b', 'c']")
    assert Variable("x", (2, 2), (("g", ("a", "b")), ("h", ()))).elements[1] == "x[a, 1]"
    assert Variable("x", (0,)).elements == ()


def test_a_variable_unpacks_and_pickles():
    variable = labelled(ABC)
    name, shape = variable
    assert (name, shape) == ("x", (3, 2))
    assert pickle.loads(pickle.dumps(variable)) == variable


@pytest.mark.parametrize("coords", [(("g", ("a", "a")),), (("g", ("a",)),), (("g", ("a", "b")), ("h", ()))])
def test_labels_have_to_fit(coords):
    with pytest.raises(ValueError, match=r"'x'|zip"):
        Variable("x", (2,), coords)


PLACES = np.arange(6).reshape(3, 2)
ORDERS = {
    "the same": (labelled(ABC), PLACES),
    "other order": (labelled("cab"), PLACES[[2, 0, 1]]),
    "both": (labelled("bca", "10"), PLACES[[1, 2, 0]][:, ::-1]),
    "transposed": (labelled("10", "cab", dims=("h", "g")), PLACES[[2, 0, 1]][:, ::-1].T),
    "not labelled": (Variable("x", (3, 2)), PLACES),
    "half labelled": (Variable("x", (3, 2), (("g", ()), ("h", ("1", "0")))), PLACES[:, ::-1]),
    "other names of dimensions": (labelled("cab", dims=("u", "v")), PLACES[[2, 0, 1]]),
}


@pytest.mark.parametrize(("other", "places"), ORDERS.values(), ids=ORDERS)
def test_elements_are_aligned(other, places):
    order = places.ravel()
    p = NamedMultivariateNormal(MEAN, Dense(MATRIX), (labelled(ABC),))
    q = NamedMultivariateNormal(MEAN[order], Dense(MATRIX[np.ix_(order, order)]), (other,))
    assert kl(p, q) == pytest.approx(0.0, abs=1e-12)
    assert kl(q, p) == pytest.approx(0.0, abs=1e-12)
    diagonal = NamedMultivariateNormal(MEAN, Diagonal(np.diag(MATRIX)), (labelled(ABC),))
    want = kl(MultivariateNormal(MEAN, Diagonal(np.diag(MATRIX))), MultivariateNormal(MEAN, Dense(MATRIX)))
    assert kl(diagonal, q) == pytest.approx(want, rel=1e-9)
    back = q.reorder(p.variables)
    np.testing.assert_array_equal(back.mean, p.mean)
    assert back.elements == p.elements


def test_variables_and_their_elements_at_once():
    mu, x = Variable("mu", ()), Variable("x", (2,), (("g", ("a", "b")),))
    turned = Variable("x", (2,), (("g", ("b", "a")),))
    p = NamedMultivariateNormal([0.0, 1.0, 2.0], Diagonal([1.0, 2.0, 3.0]), (mu, x))
    q = NamedMultivariateNormal([2.0, 1.0, 0.0], Diagonal([3.0, 2.0, 1.0]), (turned, mu))
    assert kl(p, q) == 0.0
    assert p.reorder(q.variables).elements == ("x[b]", "x[a]", "mu")
    assert p.reorder((turned,)).mean.tolist() == [2.0, 1.0]


DIFFERENT = {
    "elements": (labelled("abz"), r"x\[c, 0\], x\[c, 1\] only in p; x\[z, 0\], x\[z, 1\] only in q"),
    "fewer": (labelled("ab"), r"variables: x\[c, 0\], x\[c, 1\] only in p$"),
    "shape": (Variable("x", (2, 3)), r"'x' has shape \(3, 2\) in p and \(2, 3\) in q"),
    "name": (Variable("y", (3, 2)), "'x' only in p; 'y' only in q"),
    "many": (labelled([str(i) for i in range(40)]), r"x\[4, 1\] and 70 others only in q"),
}


@pytest.mark.parametrize(("other", "message"), DIFFERENT.values(), ids=DIFFERENT)
def test_other_elements_are_an_error_that_lists_them(other, message):
    p = NamedMultivariateNormal(MEAN, Dense(MATRIX), (labelled(ABC),))
    q = NamedMultivariateNormal(np.zeros(other.size), Diagonal(np.ones(other.size)), (other,))
    with pytest.raises(ValueError, match=message):
        kl(p, q)
    with pytest.raises(ValueError, match="has other elements"):
        p.reorder((other,))
