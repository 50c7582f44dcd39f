"""A suite: its cases, how one is measured, and the table that is made of them.

A suite is a file of `benchmarks/suites` with a `SUITE`; the file's name is the suite's.
This is a whole one, ``benchmarks/suites/coins.py``::

    \"""How often a coin shows heads.\"""

    import numpy as np

    from benchmarks.harness import printing
    from benchmarks.harness.suite import Suite


    def cases(options):
        for seed in options.seeds:
            for coin in options.coins:
                yield {"coin": coin, "seed": seed}


    def measure(case, task, options):
        tosses = np.random.default_rng(case["seed"]).random(100)
        return {"heads": (tosses < float(case["coin"])).mean()}


    def table(frame):
        means = frame.groupby("coin").heads.mean()
        return printing.columns(["coin", "heads"], means.items())


    def add_options(add):
        add("--coins", type=str.split, default="0.5 0.6")


    SUITE = Suite(
        name="coins",
        key=("coin", "seed"),
        columns=("coin", "seed", "status", "heads", "note"),
        cases=cases,
        measure=measure,
        table=table,
        add_options=add_options,
        seeds="0-4",
    )

``python -m benchmarks coins --coins "0.5 0.9"`` measures every case in a process of its
own with one thread, appends its rows to ``benchmarks/results/coins.csv`` as they
finish, skips the cases that are there already, and prints the table of those asked for.
A crash, a hang and an exception are rows too, with a ``status`` and a ``note``.
"""

import argparse
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.harness import isolation, records
from benchmarks.sets.tables import MissingDataError

RESULTS = "benchmarks/results/"


@dataclass(frozen=True)
class Suite:
    """What a suite is made of.

    Parameters
    ----------
    name : str
        The name of its file.
    key : tuple of str
        Columns that name a row; a later row of a key replaces the one before.
    columns : tuple of str
        All columns of the result file: the key, what is measured, and ``status`` and
        ``note``, which are the harness's.
    cases : callable
        ``cases(options)`` yields cases in the order in which they are measured. A case
        is a dictionary from columns of the key to numbers or strings, from all of them
        where it gives one row, from fewer where it gives several.
    measure : callable
        ``measure(case, task, options)`` returns a dictionary of columns, or a list of
        them where a case gives several rows. A function of a module, because it runs in
        a process of its own.
    table : callable
        ``table(frame)`` renders the rows of the cases that were asked for.
    prepare : callable, optional
        ``prepare(case, options)`` returns ``(columns, task)``: columns that are known
        before anything is measured, and what `measure` is given. It runs in this
        process, before the clock starts. Without it `task` is None.
    earlier : callable, optional
        ``earlier(case, options)`` returns a row that this case must repeat, or None.
    add_options : callable, optional
        Called with the ``add_argument`` of the command line.
    seeds : str, optional
        Default of ``--seeds``; without it there is no such option.
    told : tuple of str
        Options that the line of versions in the result file repeats.
    output : callable, optional
        ``output(options)`` gives the name of the result file, if not the suite's.
    time_limit : float
        Default of ``--time-limit``, CPU seconds.
    """

    name: str
    key: tuple
    columns: tuple
    cases: Callable
    measure: Callable
    table: Callable
    prepare: Callable | None = None
    earlier: Callable | None = None
    add_options: Callable | None = None
    seeds: str | None = None
    told: tuple = ()
    output: Callable | None = None
    time_limit: float = 600


def parse(suite, arguments=None):
    """Read the command line of a suite."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {suite.name}")
    add = parser.add_argument
    if suite.add_options:
        suite.add_options(add)
    if suite.seeds:
        add("--seeds", type=seeds, default=suite.seeds, help="such as 0-4 or 0,3")
    add("--output", help=f"result file; one in {RESULTS} by default")
    add("--jobs", type=int, default=1, help="processes side by side")
    add("--time-limit", type=float, default=suite.time_limit, help="CPU seconds a case")
    add("--again", action="store_true", help="measure cases that are there already too")
    add("--here", action="store_true", help="measure in this process, for a debugger")
    options = parser.parse_args(arguments)
    if options.output is None:
        name = suite.output(options) if suite.output else f"{suite.name}.csv"
        options.output = RESULTS + name
    return options


def seeds(text):
    """Turn ``"0-2,7"`` into ``[0, 1, 2, 7]``."""
    numbers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers


def numbers(kind):
    """Make a type of an option: numbers with commas."""

    def convert(text):
        return [kind(part) for part in text.split(",")]

    return convert


def listed(names):
    """Make a type of an option of `names`, which raises ValueError for unknown ones."""

    def convert(text):
        try:
            return names(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(error) from error

    return convert


def one_of(known, what="name"):
    """Make a type of an option: names with commas, each of them known."""

    def names(text):
        chosen = [name.strip() for name in text.split(",")]
        for name in chosen:
            if name not in known:
                raise ValueError(
                    f"There is no {what} {name!r}. Choose from {', '.join(known)}."
                )
        return chosen

    return listed(names)


def provenance(suite, options):
    """Say in one line which versions ran, where, and with what."""
    told = ("seeds", *suite.told) if suite.seeds else suite.told
    facts = {name: _told(getattr(options, name)) for name in told}
    return records.provenance(suite=suite.name, **facts)


def _told(value):
    return ",".join(map(str, value)) if isinstance(value, list) else value


def run(suite, options):
    """Measure what the result file lacks, and return the rows of all cases."""
    isolation.one_thread()
    cases = list(suite.cases(options))
    missing = cases if options.again else records.missing(options.output, cases)
    if missing:
        records.checked_header(options.output, suite.columns)
    records.append_provenance(options.output, provenance(suite, options))
    context, lock = isolation.start_context(), threading.Lock()

    def one(case):
        rows = _rows(suite, case, options, context)
        with lock:
            for row in rows:
                records.append(options.output, row, suite.columns)
                print(records.line(row, suite.columns), flush=True)

    pool = ThreadPoolExecutor(options.jobs)
    try:
        for _ in pool.map(one, missing):
            pass
    finally:
        # Whoever interrupts waits for the cases that run, not for all that are left.
        pool.shutdown(cancel_futures=True)
    return records.of_cases(records.read(options.output, suite.key), cases)


def _rows(suite, case, options, context):
    """Measure a case; whatever happens, it gives at least one row."""
    earlier = None if options.again or not suite.earlier else suite.earlier
    row = earlier and earlier(case, options)
    if row:
        return [row | case]
    columns, task = {}, None
    try:
        if suite.prepare:
            columns, task = suite.prepare(case, options)
    except MissingDataError as error:
        return [case | {"status": "missing-data", "note": str(error)}]
    arguments = suite.measure, case, task, options
    if options.here:
        outcome = isolation.outcome_of(*arguments)
    else:
        limit = options.time_limit
        outcome = isolation.in_process(context, limit, *arguments)
    measured = outcome.pop("rows", [{}])
    return [case | columns | outcome | row for row in measured]


def main(suite, arguments=None):
    """Run a suite and print its table."""
    options = parse(suite, arguments)
    frame = run(suite, options)
    print(f"\n{provenance(suite, options)}\n{suite.table(frame)}")
