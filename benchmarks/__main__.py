"""Run a suite or a report: ``python -m benchmarks`` lists them.

    python -m benchmarks NAME [options]          measure, and print a table
    python -m benchmarks report NAME [options]   make tables and figures of results

``--help`` after a name lists its options.
"""

import ast
import importlib
import pkgutil
import sys
from pathlib import Path

from benchmarks import reports, suites
from benchmarks.harness import suite


def main(arguments):
    """Run what the arguments name, or list what there is."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{__doc__}\nsuites\n{listing(suites)}\nreports\n{listing(reports)}")
        return
    name, *options = arguments
    package, run = suites, lambda module: suite.main(module.SUITE, options)
    if name == "report" and options:
        name, *options = options
        package, run = reports, lambda module: module.main(options)
    if name not in names(package):
        known = ", ".join([*names(suites), *(f"report {n}" for n in names(reports))])
        raise SystemExit(f"There is no {name!r}. Choose from {known}.")
    run(importlib.import_module(f"{package.__name__}.{name}"))


def names(package):
    """Give the names of the modules of a package that can be run."""
    return list(_runnable(package))


def listing(package):
    """Render names and the first line of what each says, without importing it."""
    return "\n".join(
        f"  {name:<14} {ast.get_docstring(tree).splitlines()[0]}"
        for name, tree in _runnable(package).items()
    )


def _runnable(package):
    """Parse the modules that have a suite or, of reports, a `main`."""
    trees = {}
    for module in pkgutil.iter_modules(package.__path__):
        spec = module.module_finder.find_spec(module.name)
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        defined = {getattr(node, "name", None) for node in tree.body}
        for node in tree.body:
            if isinstance(node, ast.Assign):
                defined |= {getattr(target, "id", None) for target in node.targets}
        if defined & {"SUITE", "main"}:
            trees[module.name] = tree
    return trees


if __name__ == "__main__":
    main(sys.argv[1:])
