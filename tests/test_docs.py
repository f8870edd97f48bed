"""The public names are documented, and every one of them has a runnable example."""

import inspect

import pytest

import kl_plugins
import kl_plugins.variational

PUBLIC = [
    getattr(module, name)
    for module in (kl_plugins, kl_plugins.variational)
    for name in module.__all__
    # Results, an exception and warnings.
    if name not in ("Certificate", "Diagnosis", "Explanation", "KLEstimate", "OptimumDistance")
    and name not in ("EstimateWarning", "NoClosedFormError", "NotConvergedWarning")
]


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_docstring_has_the_parts_that_users_look_for(thing):
    text = inspect.getdoc(thing)
    for part in ("Parameters", "Raises", "Examples", ">>> "):
        assert part in text, part


def test_all_is_complete_and_sorted():
    assert kl_plugins.__all__ == sorted(kl_plugins.__all__)
    for name in kl_plugins.__all__:
        assert hasattr(kl_plugins, name)
