"""What `import kl_plugins` brings, and what comes when it is first asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kl_plugins

SOURCE = Path(kl_plugins.__file__)


def loaded_by(statement):
    """The modules of a fresh process after the statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.parametrize(
    "statement", ["import kl_plugins", "from kl_plugins import kl, explain, register_kl"]
)
def test_an_import_brings_neither_families_nor_structures_nor_arrays_of_formulas(statement):
    ours = {
        name.removeprefix("kl_plugins.") for name in loaded_by(statement) if name.startswith("kl_plugins.")
    }
    assert "dispatch" in ours
    rooms = (
        "covariance",
        "families",
        "formulas",
        "ops.numpy",
        "plugins",
        "priors",
        "variational",
        "estimate.estimation",
    )
    brought = {name for name in ours if name.startswith(rooms)}
    assert brought <= {"families", "families.core", "families.core.distribution"}


def test_the_first_rule_looked_for_loads_all_families_and_structures():
    statement = (
        "from kl_plugins import Diagonal, MultivariateNormal as M, kl\nkl(*2 * [M([0.0], Diagonal([1.0]))])"
    )
    found = set(loaded_by(statement))
    for room in ("families", "covariance"):
        files = {file.stem for file in (SOURCE.parent / room).glob("*.py")} - {"__init__"}
        assert {f"kl_plugins.{room}.{name}" for name in files} <= found


def test_what_is_public_is_there_after_the_import_alone():
    names = [*kl_plugins.__all__, "families.normal.Normal", "priors.pc_prior", "variational.fit"]
    loaded_by("\n".join(["import kl_plugins", *(f"kl_plugins.{name}" for name in names)]))


@pytest.mark.parametrize("module", [kl_plugins, kl_plugins.families], ids=lambda module: module.__name__)
def test_other_names_are_attribute_errors(module):
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


def test_dir_shows_public_names_only():
    assert dir(kl_plugins) == sorted(
        [*kl_plugins.__all__, "__version__", "extend", "families", "priors", "variational"]
    )


def test_type_checkers_are_told_the_same_homes():
    told = {}
    for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("kl_plugins."):
            told |= {name.name: node.module for name in node.names}
    assert sorted(told) == kl_plugins.__all__
    for name, module in told.items():
        assert getattr(kl_plugins, name) is getattr(sys.modules[module], name)


@pytest.mark.parametrize("file", sorted(SOURCE.parent.rglob("*.py")), ids=lambda file: file.stem)
def test_no_module_imports_what_another_keeps_to_itself(file):
    taken = [
        alias.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.level or str(node.module).startswith("kl_plugins"))
        for alias in node.names
    ]
    assert [name for name in taken if name.startswith("_")] == []
