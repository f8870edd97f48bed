"""Structures of a covariance matrix, one module each; every module in this folder is loaded."""

from importlib import import_module
from os import listdir
from os.path import dirname

for _file in sorted(listdir(dirname(__file__))):  # pkgutil would take longer to import than all of these
    if _file.endswith(".py") and _file != "__init__.py":
        import_module(f"{__name__}.{_file.removesuffix('.py')}")
