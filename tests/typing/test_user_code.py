"""What mypy and pyright make of users' code, with and without the packages that they may lack."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pymc as pm
import pytest

import kl_plugins
from kl_plugins import extend, priors, variational
from kl_plugins.families.core.names import scipy_names

HERE = Path(__file__).parent
WITHOUT = {
    "everything": (),
    "no_scipy_stubs": ("scipy-stubs", "scipy_stubs"),
    "no_pymc": ("pymc", "pytensor", "arviz"),
}
"""Packages that an environment does not have."""
CHECKED = {
    "everything": "user_code.py",
    "no_scipy_stubs": "without_scipy_stubs.py",
    "no_pymc": "without_pymc.py",
}
"""The file that is checked in each."""

MYPY = """
[mypy]
strict = true
always_false = PYRIGHT
[mypy-pymc.*,pandas.*,scipy.*]
ignore_missing_imports = true
"""
PYRIGHT = {
    "typeCheckingMode": "standard",
    "defineConstant": {"PYRIGHT": True},
    "reportUnnecessaryTypeIgnoreComment": True,
    "reportMissingModuleSource": False,
}


def python_of(folder, without):
    """The Python of an environment with this library and the packages installed here, but for some."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        ours = "kl_plugins" in installed.name.lower()
        if not (ours or installed.name.lower().startswith(without)):
            (packages / installed.name).symlink_to(installed)
    (packages / "kl_plugins").symlink_to(Path(kl_plugins.__file__).parent)
    return folder / "bin" / "python"


@pytest.fixture(scope="module", params=list(WITHOUT))
def place(request, tmp_path_factory):
    """A folder with a user's file and the settings of both checkers; the file's name and its Python."""
    folder = tmp_path_factory.mktemp(request.param)
    name = CHECKED[request.param]
    (folder / name).write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "mypy.ini").write_text(MYPY)
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT | {"include": [name]}))
    return folder, name, python_of(folder / "environment", WITHOUT[request.param])


def assert_finds_nothing(folder, *command):
    environment = dict(os.environ)
    for name in ("PYTHONPATH", "MYPYPATH"):  # of this run, and not of that environment
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_finds_what_is_wrong_and_nothing_else(place):
    folder, name, python = place
    assert_finds_nothing(folder, "mypy", "--python-executable", str(python), name)


@pytest.mark.slow
def test_pyright_finds_what_is_wrong_and_nothing_else(place):
    folder, _, python = place
    assert_finds_nothing(folder, "pyright", "--pythonpath", str(python), "--project", str(folder))


@pytest.fixture(scope="module")
def user_code():
    spec = importlib.util.spec_from_file_location("user_code", HERE / "user_code.py")
    module = sys.modules["user_code"] = importlib.util.module_from_spec(spec)
    others = scipy_names.pop("foldcauchy", None)  # an example in a docstring has it, too
    spec.loader.exec_module(module)
    yield module
    del scipy_names["foldcauchy"]
    scipy_names.update({} if others is None else {"foldcauchy": others})


def test_values_have_the_types_that_checkers_claim(user_code):
    user_code.numbers()
    user_code.multivariate_numbers()
    user_code.new_infrastructure()
    user_code.labelled()
    user_code.of_samplers()
    user_code.mixtures()
    user_code.explanations_estimates_and_tables()
    user_code.strangers()


@pytest.fixture(scope="module")
def model():
    with pm.Model() as made:
        pm.Normal("x", shape=2)
    return made


def test_graphs_are_variables(user_code, model):
    with model:
        approximation = pm.MeanField()
    normal = pm.Normal.dist(0.0, 1.0)
    user_code.graphs(normal, approximation)
    user_code.structures(normal)
    user_code.penalised_complexity(pm.Model())


@pytest.mark.slow
def test_fits_and_diagnoses_have_the_types_that_checkers_claim(user_code, model):
    user_code.terms_of_an_elbo(model)
    user_code.fits(model)
    user_code.diagnoses(model)
    user_code.gains(model)
    with pytest.warns(variational.NotConvergedWarning):  # it is a short one
        user_code.watched_fits(model)


def test_users_code_has_every_public_name():
    tree = ast.parse((HERE / "user_code.py").read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {*kl_plugins.__all__, *variational.__all__, *priors.__all__} <= used


def test_checkers_see_the_names_that_are_loaded_when_asked_for():
    for package in (kl_plugins, extend):
        tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        seen = {name.asname or name.name for node in imports for name in node.names}
        public = {name for name in dir(package) if not name.startswith("_")}
        assert public <= seen


def test_the_package_says_that_it_has_types():
    assert (Path(kl_plugins.__file__).parent / "py.typed").is_file()
