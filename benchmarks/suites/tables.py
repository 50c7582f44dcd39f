"""Detectors on tables: ODDS, ADBench, UCI and the development pool."""

from functools import lru_cache

import pandas as pd

from benchmarks.detectors import registry
from benchmarks.harness import fits, printing, protocols, records
from benchmarks.harness.suite import Suite, listed
from benchmarks.sets import tables as sets

KEY = ("dataset", "detector", "protocol", "rows", "seed")


def cases(options):
    """Yield every detector on every set, a seed after the other."""
    for seed in options.seeds:
        for dataset in options.datasets:
            for detector in options.detectors:
                yield {
                    "dataset": dataset,
                    "detector": detector,
                    "protocol": options.protocol,
                    "rows": "full" if options.full else f"max-{protocols.ROW_LIMIT}",
                    "seed": seed,
                }


def prepare(case, options):
    """Give the size of a set and its task."""
    task = _task(case["dataset"], case["protocol"], case["seed"], options.full)
    size = {"n": task.n, "d": task.d, "outlier_share": task.outlier_share}
    return size, task


@lru_cache(maxsize=1)
def _task(dataset, protocol, seed, full):
    return protocols.prepare(*sets.load(dataset), protocol, seed, full)


def measure(case, task, options):
    """Fit and score a detector."""
    return fits.judged(case["detector"], task, case["seed"])


def earlier(case, options):
    """Find a row that this case must repeat: same rows, no randomness."""
    limit = float("inf") if options.full else protocols.ROW_LIMIT
    same_rows = (
        options.protocol == "contaminated" and sets.REGISTRY[case["dataset"]].n <= limit
    )
    if not same_rows or not registry.find(case["detector"]).is_deterministic:
        return None
    known = records.read(options.output, KEY)
    known = known[(known.status == "ok") & (known.seed != case["seed"])]
    for name in KEY[:-1]:
        known = known[known[name] == case[name]]
    if known.empty:
        return None
    first = known.iloc[0]
    return first.to_dict() | {"note": f"deterministic: as seed {first.seed}"}


def table(frame):
    """Render means and spread over seeds, one line a set and detector."""
    lines = []
    for (dataset, detector), part in frame.groupby(["dataset", "detector"], sort=False):
        good, last = part[part.status == "ok"], part.iloc[-1]
        size = ["?"] * 3
        if not pd.isna(last.n):
            size = [int(last.n), int(last.d), printing.percent(last.outlier_share)]
        seconds = [good.fit_s.median(), good.score_s.median()]
        spread = [printing.spread(good[metric]) for metric in ("auroc", "ap")]
        failed = part[part.status != "ok"]
        why = f"{len(failed)} x {failed.status.iloc[0]}" if len(failed) else ""
        lines.append([dataset, *size, detector, *spread, *seconds, why])
    head = ["dataset", "n", "d", "out%", "detector", "AUROC", "AP", "fit s", "score s"]
    return printing.columns([*head, "no result"], lines)


def add_options(add):
    """Add what only this suite has."""
    add("--protocol", choices=protocols.PROTOCOLS, default="contaminated")
    add(
        "--datasets",
        type=listed(sets.names),
        default="six",
        help="six, all (of ODDS), outside, loda, development, or names with commas",
    )
    add(
        "--detectors",
        type=listed(registry.names),
        default="all",
        help="all, groups or names with commas",
    )
    add("--full", action="store_true", help="all rows of sets above 10,000 too")


def output(options):
    """Name the result file after the suite of the sets and the protocol."""
    of = {sets.REGISTRY[name].suite for name in options.datasets}
    return f"{of.pop() if len(of) == 1 else 'tables'}_{options.protocol}.csv"


SUITE = Suite(
    name="tables",
    key=KEY,
    columns=(
        *("dataset", "n", "d", "outlier_share", "detector", "protocol", "rows", "seed"),
        *("status", *fits.MEASURED, "note"),
    ),
    cases=cases,
    prepare=prepare,
    measure=measure,
    earlier=earlier,
    table=table,
    add_options=add_options,
    seeds="0-4",
    told=("protocol",),
    output=output,
)
