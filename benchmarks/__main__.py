"""Run a suite or a report: ``python -m benchmarks`` lists them.

    python -m benchmarks NAME [options]          measure, and print a table
    python -m benchmarks report NAME [options]   make tables and figures of results

``--help`` after a name lists its options.
"""

import ast
import importlib
import pkgutil
import sys

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
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in found if name[0] != "_"]


def listing(package):
    """Render names and the first line of what each says, without importing it."""
    lines = []
    for name in names(package):
        spec = importlib.util.find_spec(f"{package.__name__}.{name}")
        with open(spec.origin, encoding="utf-8") as file:
            says = ast.get_docstring(ast.parse(file.read())).splitlines()[0]
        lines.append(f"  {name:<14} {says}")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
