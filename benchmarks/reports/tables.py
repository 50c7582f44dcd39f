"""Tables and figures of one result file of the suite tables.

A failed fit counts as the worst rank of its set, and in the means as scores that
say nothing: AUROC 0.5, AP the share of outliers. So does a fit that is not in
the file. Both are listed. A set that nobody could read, and a detector whose
package was not installed, are listed and left out; so is a seed that has not
seen all sets yet, when another has.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.detectors import registry
from benchmarks.harness import printing, protocols, records
from benchmarks.reports import _figures
from benchmarks.sets import tables as sets
from benchmarks.suites import tables

METRICS = ("auroc", "ap")
TITLES = {"auroc": "AUROC", "ap": "AP"}


def parse(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report tables")
    parser.add_argument("results", help="a result file of the suite tables")
    parser.add_argument("--detectors", help="names with commas; all of the file")
    parser.add_argument("--full", action="store_true", help="rows of runs with --full")
    parser.add_argument("--output", help="folder; that of the CSV by default")
    parser.add_argument("--no-figures", action="store_true")
    return parser.parse_args(arguments)


def filled(frame):
    """Give every detector a row for every set and seed of the file.

    Parameters
    ----------
    frame : DataFrame
        The rows of one protocol.

    Returns
    -------
    frame : DataFrame
        With ``auroc`` and ``ap`` at chance level where there is no result, and
        ``status`` "not run" where there is no row.
    """
    protocol = frame.protocol.iloc[0]
    frame = frame[~frame.status.isin(records.MISSING)]
    shares = frame.groupby("dataset").outlier_share.mean()
    seeds = {
        name: _whole_seeds(part, len(shares)) for name, part in _by_detector(frame)
    }
    index = pd.MultiIndex.from_tuples(
        [
            (dataset, detector, seed)
            for dataset in shares.index
            for detector in frame.detector.unique()
            for seed in seeds[detector]
        ],
        names=["dataset", "detector", "seed"],
    )
    frame = frame.set_index(index.names).reindex(index).reset_index()
    frame["status"] = frame.status.fillna("not run")
    frame["auroc"] = frame.auroc.fillna(0.5)
    frame["ap"] = frame.ap.fillna(frame.dataset.map(share_scored(shares, protocol)))
    return frame


def per_set(frame, metric):
    """Average over seeds: one row a set, one column a detector."""
    return frame.pivot_table(
        index="dataset", columns="detector", values=metric, sort=False
    )


def ranks(frame, metric):
    """Rank detectors within each set; 1 is best, no result at all is worst."""
    values = per_set(frame, metric)
    good = frame.assign(good=frame.status.eq("ok"))
    never = ~per_set(good, "good").astype(bool).loc[values.index, values.columns]
    values = values.mask(never, -np.inf)
    return values.rank(axis=1, ascending=False).mask(never, values.shape[1])


def summary(frame, with_ranks=True):
    """One row a detector: means over sets, spread over seeds, ranks, fit time."""
    lines = {}
    for name, part in _by_detector(frame):
        line = {}
        for metric in METRICS:
            by_seed = part.groupby("seed")[metric].mean()
            line[metric] = by_seed.mean()
            line[f"{metric}_spread"] = by_seed.std(ddof=1) if len(by_seed) > 1 else 0.0
        line["fit_cpu_s"] = part.fit_cpu_s.median()
        line["seeds"] = len(by_seed)
        line["failed"] = int((part.status != "ok").sum())
        lines[name] = line
    result = pd.DataFrame(lines).T
    if with_ranks:
        for metric in METRICS:
            result[f"{metric}_rank"] = ranks(frame, metric).mean()
    return result.sort_values("auroc", ascending=False)


def render_summary(result):
    """Render `summary` as Markdown."""
    with_ranks = "auroc_rank" in result
    head = ["detector", "AUROC", "AP"]
    head += ["rank AUROC", "rank AP"] if with_ranks else []
    rows = []
    for name, line in result.iterrows():
        row = [name]
        for m in METRICS:
            # One seed has no spread.
            spread = f" ± {100 * line[f'{m}_spread']:.1f}" if line.seeds > 1 else ""
            row.append(f"{100 * line[m]:.1f}{spread}")
        if with_ranks:
            row += [f"{line[f'{m}_rank']:.1f}" for m in METRICS]
        row += [f"{line.fit_cpu_s:.2f}", int(line.seeds), int(line.failed)]
        rows.append(row)
    return printing.markdown([*head, "fit, CPU s", "seeds", "no result"], rows)


def render_per_set(frame, metric):
    """Render a metric as Markdown, one row a set, the best of each in bold."""
    values = 100 * per_set(frame, metric)
    values = values[values.mean().sort_values(ascending=False).index]
    rows = []
    for dataset, line in values.iterrows():
        best = line.max()
        cells = [f"**{v:.1f}**" if v == best else f"{v:.1f}" for v in line]
        rows.append([dataset, *cells])
    return printing.markdown([TITLES[metric], *values.columns], rows)


def render_failures(original, completed):
    """List what has no result, and why."""
    bad = original[original.status != "ok"]
    rows = [
        [name, dataset, _span(part.seed), status, part.note.iloc[0]]
        for (name, dataset, status), part in bad.groupby(
            ["detector", "dataset", "status"], sort=False
        )
    ]
    holes = completed[completed.status == "not run"]
    for name, part in _by_detector(holes):
        sets = ", ".join(part.dataset.unique())
        rows.append([name, sets, "", "not run", f"{len(part)} fits"])
    if not rows:
        return "Every fit gave a result."
    return printing.markdown(["detector", "data set", "seeds", "status", "why"], rows)


def document(path, frame):
    """Write the whole report of one protocol as Markdown."""
    completed = filled(frame)
    variants = completed.detector.isin(set(registry.NCAE) - {"NCAEDetector"})
    main_rows, own = completed[~variants], completed[variants]
    six = main_rows[main_rows.dataset.isin(sets.SIX)]
    protocol, rows = frame.protocol.iloc[0], frame["rows"].iloc[0]
    parts = [
        f"# {path.stem}",
        f"Protocol `{protocol}`, rows `{rows}`, {frame.dataset.nunique()} sets. Means "
        "over sets and seeds in percent, ± the standard deviation over seeds of the "
        "mean over sets; the fit time is the median over sets, one thread. Made by "
        f"`python -m benchmarks report tables {path.name}` from the file of that name.",
        printing.folded("Where this was measured", provenance_of(path)),
        f"## All {main_rows.dataset.nunique()} sets",
        render_summary(summary(main_rows)),
    ]
    if len(six):
        parts += [f"## The paper's six sets ({six.dataset.nunique()} of them here)"]
        parts += [render_summary(summary(six))]
    if len(own):
        both = completed[variants | completed.detector.eq("NCAEDetector")]
        parts += ["## NCAEDetector with parts off"]
        parts += ["On the seeds that all of these were run on."]
        parts += [render_summary(summary(on_common_seeds(both), with_ranks=False))]
    for metric in METRICS:
        parts += [f"## {TITLES[metric]} of each set", render_per_set(main_rows, metric)]
    parts += ["## No result", render_failures(frame, completed)]
    return "\n\n".join(parts) + "\n", main_rows


def on_common_seeds(frame):
    """Return the rows of the seeds that every detector has.

    Seeds differ more than detectors with one part off do.
    """
    seeds = frame.groupby("detector").seed.agg(set)
    return frame[frame.seed.isin(set.intersection(*seeds))]


def provenance_of(path):
    """Give the provenance lines of a result file."""
    return [line[2:] for line in path.read_text().splitlines() if line[:2] == "# "]


def share_scored(share, protocol):
    """Share of outliers among the scored rows, from the one among all rows."""
    if protocol != "clean":
        return share
    normals = (1 - protocols.TRAIN_SHARE) * (1 - share)
    return share / (share + normals)


def _span(seeds):
    return ", ".join(str(seed) for seed in sorted(seeds))


def _whole_seeds(part, n_sets):
    counts = part.groupby("seed").dataset.nunique()
    whole = counts[counts == n_sets]
    return sorted(whole.index if len(whole) else counts.index)


def _by_detector(frame):
    return frame.groupby("detector", sort=False)


def main(arguments=None):
    """Write the report, and the figures beside it."""
    options = parse(arguments)
    path = Path(options.results)
    frame = records.read(path, tables.KEY)
    frame = frame[(frame["rows"] == "full") == options.full]
    if options.detectors:
        frame = frame[frame.detector.isin(options.detectors.split(","))]
    if frame.empty:
        raise SystemExit(f"{path} has no rows to report.")
    folder = Path(options.output or path.parent)
    text, rows = document(path, frame)
    (folder / f"{path.stem}.md").write_text(text)
    if not options.no_figures:
        for metric in METRICS:
            stem = folder / f"{path.stem}_{metric}"
            values = per_set(rows, metric)
            title = TITLES[metric]
            _figures.critical_difference(
                ranks(rows, metric), title, stem.with_name(stem.name + "_ranks.png")
            )
            _figures.box_plot(values, title, stem.with_name(stem.name + "_box.png"))
            _figures.accuracy_against_time(
                summary(rows), metric, title, stem.with_name(stem.name + "_time.png")
            )
    print(text)
