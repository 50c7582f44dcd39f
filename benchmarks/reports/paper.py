"""The paper's Tables 3 and 4 beside our results.

`paper.csv` quotes the paper. Ours come from the result files of the protocols
``clean`` and ``contaminated``, so this is run again whenever those change.
"""

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.harness import protocols, records
from benchmarks.harness.printing import markdown
from benchmarks.reports.tables import METRICS, filled, share_scored
from benchmarks.sets import tables as datasets
from benchmarks.suites import tables

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
OURS = ("clean", "contaminated")
DETECTORS = ("NCAEDetector", "NCAE-paper", "AE", "OCSVM", "IForest", "DeepSVDD")
TITLES = {"auroc": "Table 3: AUROC", "ap": "Table 4: AUC-PR"}
# What the paper claims and nobody here comes near.
DOUBTED = ("satellite", "mammography")


def read(protocol):
    """Read our results on the paper's sets, one row a set, detector and seed."""
    frame = records.read(RESULTS / f"odds_{protocol}.csv", tables.KEY)
    frame = filled(frame[frame["rows"] == f"max-{protocols.ROW_LIMIT}"])
    return frame[frame.dataset.isin(datasets.SIX)]


def by_set(frame, metric):
    """Mean and spread over seeds, one row a detector, the mean of all sets last."""
    values = 100 * frame.pivot_table(
        index=["detector", "seed"], columns="dataset", values=metric
    ).reindex(columns=list(datasets.SIX))
    values["mean"] = values.mean(axis=1)
    groups = values.groupby("detector")
    return groups.mean(), groups.std(ddof=1).fillna(0.0)


def quoted_rows(quoted, metric):
    """Rows of the paper, in italics."""
    part = quoted[quoted.metric == metric]
    rows = []
    for (method, labels), lines in part.groupby(["method", "labels"], sort=False):
        lines = lines.set_index("dataset").loc[list(datasets.SIX)]
        cells = [
            f"*{m:.1f} ± {s:.1f}*"
            for m, s in zip(lines["mean"], lines.spread, strict=True)
        ]
        name = f"{method} (labels)" if labels else method
        rows.append(["*paper*", name, *cells, f"*{lines['mean'].mean():.1f}*"])
    return rows


def our_rows(frames, metric):
    """Rows of ours: each protocol, each detector that the paper has too."""
    rows = []
    for protocol, frame in frames.items():
        means, spreads = by_set(frame, metric)
        for name in DETECTORS:
            cells = [
                _cell(m, s)
                for m, s in zip(means.loc[name], spreads.loc[name], strict=True)
            ]
            name = f"`{name}`" if name.startswith(("NCAE", "AE")) else name
            rows.append([f"ours, `{protocol}`", name, *cells])
    return rows


def random_rows(frames):
    """AP of a random ranking: the share of outliers among the scored rows."""
    rows = []
    for protocol, frame in frames.items():
        shares = frame.groupby("dataset").outlier_share.mean()[list(datasets.SIX)]
        shares = share_scored(shares, protocol)
        cells = [f"{100 * share:.1f}" for share in [*shares, shares.mean()]]
        rows.append([f"ours, `{protocol}`", "random ranking", *cells])
    return rows


def claims(quoted, frames):
    """Table of the paper's claims that could not be reproduced."""
    rows = []
    for dataset in DOUBTED:
        for metric in METRICS:
            claim = quoted[
                (quoted.method == "NCAE")
                & (quoted.dataset == dataset)
                & (quoted.metric == metric)
            ]["mean"].item()
            row = [dataset.capitalize(), metric.upper(), f"*{claim}*"]
            for frame in frames.values():
                means, spreads = (t[dataset] for t in by_set(frame, metric))
                best = means.idxmax()
                row += [_cell(means["NCAEDetector"], spreads["NCAEDetector"])]
                row += [f"{_cell(means[best], spreads[best])} ({best})"]
            rows.append(row)
    head = ["set", "metric", "*paper, NCAE*"]
    for protocol in frames:
        head += [f"`NCAEDetector`, `{protocol}`", f"best of all, `{protocol}`"]
    return markdown(head, rows)


def _cell(mean, spread):
    return f"{mean:.1f} ± {spread:.1f}"


def main(arguments=None):
    """Write the tables to `results/paper_tables.md`."""
    argparse.ArgumentParser(prog="python -m benchmarks report paper").parse_args(
        arguments
    )
    quoted = pd.read_csv(HERE / "paper.csv")
    frames = {protocol: read(protocol) for protocol in OURS}
    head = ["numbers", "detector", *(n.capitalize() for n in datasets.SIX), "mean"]
    parts = []
    for metric, title in TITLES.items():
        rows = quoted_rows(quoted, metric) + our_rows(frames, metric)
        rows += random_rows(frames) if metric == "ap" else []
        parts += [f"### {title}", markdown(head, rows)]
    parts += ["### What could not be reproduced", claims(quoted, frames)]
    text = "\n\n".join(parts) + "\n"
    (RESULTS / "paper_tables.md").write_text(text)
    print(text)
