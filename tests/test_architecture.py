"""The import table of docs/architecture.md, enforced."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skncae"

# From top to bottom: what each module may import besides numpy and the standard
# library. Of the modules of skncae, only rows below count.
MAY_IMPORT = {
    "__init__": {"_detector", "_explanation", "_chunks", "_version"},
    "pyod": {"_detector", "_diagnostics", "pyod", "sklearn"},
    "dask": {
        "_diagnostics",
        "_parameters",
        "_sample",
        "_sketch",
        "_threads",
        "_training",
        "_networks",
        "_streams",
        "_inputs",
        "dask",
        "sklearn",
        "torch",
    },
    "plotting": {"_plot_scores", "_plot_rows", "_plot_latent"},
    "_plot_scores": {"_plot_axes", "sklearn"},
    "_plot_rows": {"_plot_axes", "_montage", "matplotlib", "sklearn"},
    "_plot_latent": {"_plot_axes", "_montage", "_inputs", "scipy", "sklearn"},
    "_plot_axes": {"matplotlib", "sklearn"},
    "_montage": set(),
    "metrics": {"sklearn"},
    "_detector": {
        "_callbacks",
        "_diagnostics",
        "_explanation",
        "_persistence",
        "_export",
        "_parameters",
        "_threshold",
        "_stopping",
        "_rows",
        "_sample",
        "_scoring",
        "_training",
        "_networks",
        "_streams",
        "_inputs",
        "_chunks",
        "_version",
        "sklearn",
        "torch",
        "tqdm",
    },
    "_callbacks": {"sklearn"},
    "_diagnostics": {"sklearn"},
    "_explanation": {"pandas"},
    "_persistence": {"safetensors"},
    "_export": {"_scoring", "_surprise", "_networks", "_inputs", "spox"},
    "_parameters": {"_scoring", "_mining", "_inputs", "sklearn", "torch"},
    "_threshold": {"scipy", "torch"},
    "_stopping": {"_losses", "scipy", "torch"},
    "_rows": {"_sample", "_sketch"},
    "_sample": set(),
    "_sketch": set(),
    "_scoring": {
        *("_surprise", "_columns", "_dictionary", "_neighbors", "_losses", "_networks"),
        *("_threads", "_inputs", "torch"),
    },
    "_surprise": set(),
    "_columns": {"_inputs", "scipy"},
    "_dictionary": {"torch"},
    "_neighbors": {"_inputs", "_images"},
    "_training": {"_graph", "_mining", "_losses", "_networks", "_threads", "torch"},
    "_graph": {"torch"},
    "_mining": {"torch"},
    "_losses": {"torch"},
    "_threads": {"threadpoolctl", "torch"},
    "_networks": {"_streams", "torch"},
    "_streams": {"torch"},
    "_inputs": {"_images", "_chunks", "sklearn"},
    "_images": set(),
    "_chunks": {"pyarrow"},
    "_version": set(),
}
# Never imported with the package, only by the function that needs them.
OPTIONAL = {"dask", "matplotlib", "onnx", "pandas", "polars", "pyod"}
OPTIONAL |= {"pyarrow", "pythresh", "safetensors", "spox"}
# Except a module that is of no use without the package it has its name from: in its
# row the name is that package, and nothing else of ours may import the module.
NAMESAKES = {"dask", "pyod"}
ALWAYS = {"numpy"} | sys.stdlib_module_names

MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def imported_names(node):
    """Modules that the import statement `node` names, ours without `skncae.`."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif node.module in (None, "skncae"):  # from . import _losses
        names = [f"skncae.{alias.name}" for alias in node.names]
    else:
        names = [f"skncae.{node.module}" if node.level else node.module]
    return {name.removeprefix("skncae.").split(".")[0] for name in names}


def imports_of(module, walk=ast.walk):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    nodes = [n for n in walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    return set().union(*map(imported_names, nodes))


def walk_outside_functions(tree):
    """Yield the nodes that run when the module is imported."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from walk_outside_functions(child)


def test_table_lets_a_module_import_rows_below_it_only():
    rows = list(MAY_IMPORT)
    for position, row in enumerate(rows):
        namesake = {row} & NAMESAKES
        assert not (MAY_IMPORT[row] - namesake) & set(rows[: position + 1]), row


def test_documented_table_has_the_same_rows_in_the_same_order():
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert re.findall(r"^\| `(\w+)` ", page, flags=re.MULTILINE) == list(MAY_IMPORT)


def test_every_row_of_the_table_is_a_module():
    assert sorted(MAY_IMPORT) == MODULES


def test_skncae_holds_no_subpackage():
    assert not list(PACKAGE.glob("*/**/*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_the_table_allows(module):
    assert imports_of(module) <= MAY_IMPORT[module] | ALWAYS


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_optional_packages_only_inside_functions(module):
    namesake = {module} & NAMESAKES
    assert not imports_of(module, walk_outside_functions) & (OPTIONAL - namesake)


def test_importing_skncae_loads_nothing_slow_or_optional():
    # scikit-learn itself loads pandas where it is installed, so what counts is
    # what skncae adds.
    code = """
import sys
import sklearn.base, sklearn.utils.fixes, torch
before = set(sys.modules)
import skncae
print(*(set(sys.modules) - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    added = run.stdout.split()
    assert "skncae" in added
    assert not {name.split(".")[0] for name in added} & OPTIONAL
    assert not [n for n in added if n.startswith(("torch._dynamo", "torch._inductor"))]
