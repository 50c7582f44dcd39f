"""Detectors on the ODDS data sets: ``python -m benchmarks.odds --help``.

Rows are written as they finish and skipped when they are there already, so an
interrupted run continues where it stopped.
"""

import argparse
import itertools
from concurrent.futures import ThreadPoolExecutor, as_completed

import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.detectors import registry as detectors
from benchmarks.harness import isolation, protocols, records
from benchmarks.sets import tables as datasets


def parse(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.odds")
    add = parser.add_argument
    add("--protocol", choices=protocols.PROTOCOLS, default="contaminated")
    add(
        "--datasets",
        default="six",
        help="six, all (of ODDS), outside, or names with commas",
    )
    add("--detectors", default="all", help="all, groups or names with commas")
    add("--seeds", default="0-4", help="such as 0-4 or 0,3")
    add("--output", help="CSV; benchmarks/results/odds_<protocol>.csv by default")
    add("--full", action="store_true", help="all rows of sets above 10,000 too")
    add("--jobs", type=int, default=1, help="processes side by side")
    add("--time-limit", type=float, default=600, help="seconds a fit and scoring")
    add("--again", action="store_true", help="run rows that are there already too")
    options = parser.parse_args(arguments)
    options.datasets = datasets.names(options.datasets)
    options.detectors = detectors.names(options.detectors)
    options.seeds = parse_seeds(options.seeds)
    if options.output is None:
        options.output = f"benchmarks/results/odds_{options.protocol}.csv"
    return options


def parse_seeds(text):
    """Turn ``"0-2,7"`` into ``[0, 1, 2, 7]``."""
    seeds = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds.extend(range(int(first), int(last or first) + 1))
    return seeds


def run(options):
    """Run what is missing in the output file, and return the file's rows."""
    isolation.one_thread()
    records.append_provenance(
        options.output,
        records.provenance(protocol=options.protocol, seeds=_span(options.seeds)),
    )
    context = isolation.start_context()
    for seed, dataset in itertools.product(options.seeds, options.datasets):
        missing = missing_detectors(options, dataset, seed)
        if missing:
            _run_dataset(options, context, dataset, seed, missing)
    return records.read(options.output)


def missing_detectors(options, dataset, seed):
    """Say which detectors have no row for this set and seed yet."""
    if options.again:
        return options.detectors
    known = records.read(options.output)
    # What was missing may have been installed or downloaded since.
    known = known[~known.status.isin(isolation.MISSING)]
    keys = set(known[list(records.KEY)].itertuples(index=False, name=None))
    return [
        name
        for name in options.detectors
        if (dataset, name, options.protocol, _rows(options), seed) not in keys
    ]


def _run_dataset(options, context, dataset, seed, missing):
    base = {"dataset": dataset, "protocol": options.protocol, "seed": seed}
    base["rows"] = _rows(options)
    try:
        X, y = datasets.load(dataset)
    except (datasets.MissingDataError, ValueError) as error:
        for name in missing:
            outcome = {"status": "missing-data", "note": str(error)}
            _write(options, base | {"detector": name} | outcome)
        return
    task = protocols.prepare(X, y, options.protocol, seed, options.full)
    base |= {"n": task.n, "d": task.d, "outlier_share": task.outlier_share}
    with ThreadPoolExecutor(options.jobs) as pool:
        futures = [
            pool.submit(_run_one, options, context, task, base | {"detector": name})
            for name in missing
        ]
        for future in as_completed(futures):
            _write(options, future.result())


def _run_one(options, context, task, row):
    earlier = _same_result(options, task, row)
    if earlier is not None:
        return earlier
    outcome = isolation.run_isolated(
        context, row["detector"], task, row["seed"], options.time_limit
    )
    scores = outcome.pop("scores", None)
    if scores is not None:
        outcome["auroc"] = roc_auc_score(task.y_score, scores)
        outcome["ap"] = average_precision_score(task.y_score, scores)
    return row | outcome


def _same_result(options, task, row):
    """Find a row that this one must repeat: same rows, no randomness."""
    if task.depends_on_seed or not detectors.find(row["detector"]).is_deterministic:
        return None
    known = records.read(options.output)
    known = known[(known.status == "ok") & (known.seed != row["seed"])]
    for key in ("dataset", "detector", "protocol", "rows"):
        known = known[known[key] == row[key]]
    if options.again or known.empty:
        return None
    first = known.iloc[0]
    note = f"deterministic: as seed {first.seed}"
    return first.to_dict() | {"seed": row["seed"], "note": note}


def _write(options, row):
    records.append(options.output, row)
    print(
        f"{row['dataset']:<12} seed {row['seed']} {row['detector']:<14} "
        f"{row['status']} {row.get('auroc', float('nan')):.3f} "
        f"{row.get('ap', float('nan')):.3f} {row.get('fit_s', float('nan')):.2f} s "
        f"{row['note']}",
        flush=True,
    )


def table(frame):
    """Render rows as fixed columns, with the spread over seeds."""
    lines = [
        f"{'dataset':<12} {'n':>6} {'d':>4} {'out%':>5}   {'detector':<14} "
        f"{'AUROC':<13} {'AP':<13} {'fit s':>7} {'score s':>8}"
    ]
    for (dataset, detector), part in frame.groupby(["dataset", "detector"], sort=False):
        failed = part[part.status != "ok"]
        good = part[part.status == "ok"]
        start = f"{dataset:<12} {_size(part)}   {detector:<14} "
        if len(good):
            lines.append(
                f"{start}{_spread(good.auroc)} {_spread(good.ap)} "
                f"{good.fit_s.median():7.2f} {good.score_s.median():8.3f}"
            )
        for status, count in failed.status.value_counts().items():
            lines.append(f"{start}{status} x {count}: {failed.note.iloc[0]}")
    return "\n".join(lines)


def _size(part):
    if pd.isna(part.n.iloc[-1]):
        return f"{'?':>6} {'?':>4} {'?':>5}"
    last = part.iloc[-1]
    return f"{last.n:6.0f} {last.d:4.0f} {100 * last.outlier_share:5.1f}"


def _spread(values):
    deviation = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{100 * values.mean():5.1f} +- {100 * deviation:4.1f}"


def _rows(options):
    return "full" if options.full else f"max-{protocols.ROW_LIMIT}"


def _span(seeds):
    return ",".join(str(seed) for seed in seeds)


def main(arguments=None):
    """Run the benchmark and print its table."""
    options = parse(arguments)
    frame = run(options)
    chosen = frame[
        frame.dataset.isin(options.datasets)
        & frame.detector.isin(options.detectors)
        & (frame.protocol == options.protocol)
        & (frame["rows"] == _rows(options))
        & frame.seed.isin(options.seeds)
    ]
    line = records.provenance(protocol=options.protocol, seeds=_span(options.seeds))
    print(f"\n{line}\n{table(chosen)}")


if __name__ == "__main__":
    main()
