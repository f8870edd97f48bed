"""Plugins, ours and strangers': found through entry points, loaded when an object shows up."""

import subprocess
import sys
import textwrap

import pytest


def run(code, *path):
    """Run `code` in an interpreter of its own, with further folders to import from; return what it prints."""
    lines = ["import sys", f"sys.path[:0] = {[str(folder) for folder in path]!r}", textwrap.dedent(code)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


HEAVY = [
    "scipy.stats",
    "scipy.linalg",
    "scipy",
    "pytensor",
    "pymc",
    "arviz",
    "xarray",
    "matplotlib",
    "pandas",
    "preliz",
]


def test_import_loads_no_library_of_distributions():
    loaded = run(f"import kl_plugins; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert loaded == "[]"


def test_divergence_of_our_own_objects_loads_no_library_of_distributions():
    code = f"""
        from kl_plugins import Diagonal, Isotropic, MultivariateNormal, kl
        p = MultivariateNormal([0.0, 1.0], Diagonal([1.0, 2.0]))
        kl(p, MultivariateNormal([0.0, 0.0], Isotropic(1.0, dim=2)))
        print([name for name in {HEAVY!r} if name in sys.modules])
    """
    assert run(code) == "[]"


def test_divergence_of_scipys_objects_loads_neither_pymc_nor_pytensor():
    code = """
        from scipy import stats
        from kl_plugins import kl
        print(kl(stats.norm(0, 1), stats.norm(1, 1)), [n for n in ("pymc", "pytensor") if n in sys.modules])
    """
    assert run(code) == "0.5 []"


def install(folder, files):
    """Lay out an installed distribution package, as pip would."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


COINS = {
    "coins/__init__.py": '''
        """Somebody's distributions, which know nothing of kl_plugins."""

        class Coin:
            def __init__(self, heads):
                self.heads = heads

        class Gauss:
            def __init__(self, mean, sd):
                self.mean, self.sd = mean, sd
    ''',
    "coins_kl/__init__.py": '''
        """Their plugin."""
        import math

        from coins import Coin, Gauss
        from kl_plugins.extend import Normal, recognise, register_kl

        @recognise.register(Gauss)
        def _(obj):
            return Normal(obj.mean, obj.sd)

        @register_kl(Coin, Coin, cost="O(1)")
        def coin_coin(p, q):
            pairs = (p.heads, q.heads), (1 - p.heads, 1 - q.heads)
            return sum(a * math.log(a / b) for a, b in pairs)
    ''',
    "coins_kl-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: coins-kl\nVersion: 1.0\n",
    "coins_kl-1.0.dist-info/entry_points.txt": "[kl_plugins]\ncoins = coins_kl\n",
}


def test_plugin_of_a_stranger_is_found_and_loaded(tmp_path):
    install(tmp_path, COINS)
    code = """
        import coins, kl_plugins
        from scipy import stats
        assert "coins_kl" not in sys.modules
        gauss = coins.Gauss(1.0, 1.0)
        print(kl_plugins.kl(gauss, stats.norm(0, 1)), kl_plugins.kl(stats.norm(0, 1), gauss))
        print(kl_plugins.explain(gauss, gauss))
        print(round(kl_plugins.kl(coins.Coin(0.25), coins.Coin(0.5)), 6))
        print(kl_plugins.explain(coins.Coin(0.25), coins.Coin(0.5)))
    """
    assert run(code, tmp_path).splitlines() == [
        "0.5 0.5",
        "KL(Normal ‖ Normal) by normal_normal, O(1)",
        "0.130812",
        "KL(Coin ‖ Coin) by coin_coin, O(1)",
    ]


def test_installed_plugins_are_named_where_an_object_is_not_understood(tmp_path):
    install(tmp_path, COINS)
    code = """
        import kl_plugins
        try:
            kl_plugins.kl(object(), object())
        except TypeError as error:
            print(error)
    """
    assert "it knows those of coins, numpyro, preliz, pymc, pytensor, scipy" in run(code, tmp_path)


@pytest.mark.parametrize("function", ["kl(obj, stats.norm())", "kl(stats.norm(), obj)", "entropy(obj)"])
def test_plugin_whose_library_is_missing(function):
    """An object of PyMC where PyMC cannot be imported: as when it was unpickled, or made by a stub."""
    code = f"""
        from kl_plugins import entropy, kl
        from scipy import stats
        sys.modules["pymc"] = None
        obj = type("Normal", (), {{"__module__": "pymc.distributions"}})()
        try:
            {function}
        except ImportError as error:
            print(error)
    """
    message = run(code)
    assert message.startswith("the kl_plugins plugin for objects of 'pymc' could not be imported")
    assert message.endswith('install it with: pip install "kl-plugins[pymc]"')


def test_library_that_is_not_installed_only_importable():
    code = """
        import kl_plugins
        from kl_plugins import recognition
        recognition.plugins = dict
        try:
            kl_plugins.kl(object(), object())
        except TypeError as error:
            print(error)
    """
    assert "no plugins are installed: kl_plugins has to be installed" in run(code)


def test_closed_form_of_a_plugin_is_found_by_the_first_call(tmp_path):
    install(tmp_path, COINS)
    code = """
        import coins, kl_plugins
        print(round(kl_plugins.kl(coins.Coin(0.25), coins.Coin(0.5)), 6))
    """
    assert run(code, tmp_path) == "0.130812"


@pytest.mark.parametrize(
    ("file", "module"),
    [("coins_kl/__init__.py", "helpers"), ("coins_kl-1.0.dist-info/entry_points.txt", "elsewhere")],
)
def test_plugin_of_a_stranger_that_cannot_be_imported(tmp_path, file, module):
    wrong = "import helpers\n" if module == "helpers" else "[kl_plugins]\ncoins = elsewhere\n"
    install(tmp_path, COINS | {file: wrong})
    code = """
        import coins, kl_plugins
        try:
            kl_plugins.kl(coins.Coin(0.25), coins.Coin(0.5))
        except ImportError as error:
            print(error.name, error)
    """
    entry = "coins_kl" if module == "helpers" else "elsewhere"
    assert run(code, tmp_path) == (
        f"{module} the kl_plugins plugin for objects of 'coins' could not be imported (No module named "
        f"'{module}'); its entry point is 'coins = {entry}' of the package 'coins-kl'"
    )
