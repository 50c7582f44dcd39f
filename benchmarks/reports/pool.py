"""One detector against every other on many tables: ranks, paired tests, parts.

Made for the development pool, whose 200 tables can tell detectors apart. A detector has
a rank once it was run on every table; a slower one is compared on those that it was run
on. A failed fit counts as the worst rank of its table, and in the means as scores that
say nothing.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from benchmarks.detectors import registry
from benchmarks.harness import records
from benchmarks.harness.printing import folded, markdown
from benchmarks.reports import _figures
from benchmarks.reports import tables as report
from benchmarks.suites import tables

OURS = "NCAEDetector"
LEVEL = 0.05
RESULTS = Path(__file__).parents[1] / "results" / "oddbench_contaminated.csv"

# What each variant of the detector lacks.
PARTS = {
    "NCAE-no-learning": "the networks (all rows reconstructed as the centre)",
    "NCAE-1-member": "all members but one",
    "NCAE-no-mining": "mining",
    "NCAE-no-sample-discriminator": "the sample discriminator",
    "NCAE-no-latent-discriminator": "the latent discriminator",
    "NCAE-no-rounds": "the calibration of scales",
    "NCAE-reconstruction": "all component scores but the reconstruction error",
    **{f"NCAE-no-{kind}": f"the component `{kind}`" for kind in registry.EVIDENCE},
    "NCAE-paper": "(the paper's configuration)",
    "AE": "(a plain autoencoder)",
}


def comparison(frame, metric, ours=OURS):
    """Compare one detector with every other, paired by table.

    Parameters
    ----------
    frame : DataFrame
        Rows of `benchmarks.reports.tables.filled`.
    metric : {"auroc", "ap"}
    ours : str
        The detector that the others are compared with.

    Returns
    -------
    table : DataFrame
        One row for each other detector: ``difference``, the mean over tables of ours
        minus theirs, its standard error ``error``, the tables on which ours is
        ``higher``, ``equal`` and ``lower``, and ``p`` of Wilcoxon's signed-rank test,
        two-sided, with Holm's correction for all rows.
    """
    values = report.per_set(frame, metric)
    rows = {}
    for name in values.columns.drop(ours):
        gain = values[ours] - values[name]
        rows[name] = {
            "difference": gain.mean(),
            "error": gain.std(ddof=1) / np.sqrt(len(gain)),
            "higher": int((gain > 0).sum()),
            "equal": int((gain == 0).sum()),
            "lower": int((gain < 0).sum()),
            "p": _p_value(gain),
        }
    columns = ["difference", "error", "higher", "equal", "lower", "p"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.assign(p=holm(table.p)).sort_values("difference")


def _p_value(gain):
    """p-value of Wilcoxon's signed-rank test that the gains lie around 0."""
    if not gain.any():
        return 1.0
    # Where some are 0 there is no exact distribution; older scipy only warns of it.
    return wilcoxon(gain, method="auto" if gain.all() else "approx").pvalue


def holm(p_values):
    """Correct p-values for their number, by Holm's step-down procedure."""
    from statsmodels.stats.multitest import multipletests

    if not len(p_values):
        return p_values
    return multipletests(p_values, method="holm")[1]


def verdict(frame, metric, ours=OURS):
    """Say in one sentence where a detector stands, losses and ties included."""
    title, compared = report.TITLES[metric], comparison(frame, metric, ours)
    ranks = report.ranks(frame, metric).mean().sort_values()
    place = int((ranks < ranks[ours]).sum()) + 1
    clear = compared[compared.p < LEVEL]
    better = int((clear.difference > 0).sum())
    text = (
        f"By {title} `{ours}` has place {place} of {len(ranks)} in mean rank "
        f"({ranks[ours]:.2f}) and is better than {better} of {len(compared)} detectors "
        f"(p < {LEVEL})"
    )
    for names, says in (
        (clear.index[clear.difference <= 0], "is worse than"),
        (compared.index[compared.p >= LEVEL], "cannot be told from"),
    ):
        if len(names):
            text += f"; it {says} {', '.join(f'`{name}`' for name in names)}"
    return text + "."


def render_comparison(compared, head="other", names=None):
    """Render `comparison` as Markdown, the strongest first."""
    rows = [
        [
            f"`{name}`" if names is None else names.get(name, f"`{name}`"),
            f"{100 * row.difference:+.1f} ± {100 * row.error:.1f}",
            f"{row.higher:.0f} / {row.equal:.0f} / {row.lower:.0f}",
            f"{row.p:.1g}",
        ]
        for name, row in compared.iterrows()
    ]
    return markdown([head, "difference", "higher / equal / lower", "p (Holm)"], rows)


def on_every_table(frame):
    """Keep the detectors that were run on every table; say which were not."""
    frame = frame[~frame.status.isin(records.MISSING)]
    runs = frame.groupby("detector").dataset.nunique()
    n_tables = frame.dataset.nunique()
    kept = frame[frame.detector.map(runs) == n_tables]
    return kept, runs[runs < n_tables]


def render_fewer(frame, names, ours=OURS):
    """Render a comparison with each detector on the tables that it was run on."""
    rows = []
    for name in names:
        both = frame[frame.detector.isin([ours, name])]
        shared = both[both.dataset.isin(both.dataset[both.detector == name])]
        shared = report.filled(shared)
        sizes = shared.groupby("dataset").n.first()
        row = [f"`{name}`", len(sizes), f"{sizes.max():.0f}"]
        for metric in report.METRICS:
            means = 100 * report.per_set(shared, metric).mean()
            compared = comparison(shared, metric, ours).loc[name]
            row += [f"{means[name]:.1f}", f"{means[ours]:.1f}"]
            row += [
                f"{100 * compared.difference:+.1f} ± {100 * compared.error:.1f}",
                f"{compared.p:.1g}",
            ]
        rows.append(row)
    head = ["other", "tables", "rows at most"]
    for metric in report.METRICS:
        head += [report.TITLES[metric], f"`{ours}`", "difference", "p"]
    return markdown(head, rows)


def document(path, frame, ours=OURS):
    """Write the report as Markdown, and give the rows of its rank diagrams."""
    kept, partial = on_every_table(frame)
    completed = report.filled(kept)
    is_variant = completed.detector.isin(set(PARTS))
    rivals = completed[~is_variant]
    n_tables, n_rivals = rivals.dataset.nunique(), rivals.detector.nunique()
    parts = [
        f"# {path.stem}",
        f"{n_rivals} detectors on {n_tables} tables, protocol "
        f"`{frame.protocol.iloc[0]}`. Made by `python -m benchmarks report pool "
        f"{path.name}`. Means over tables in percent; ± behind a difference is its "
        "standard error over tables. p: Wilcoxon's signed-rank test over tables, "
        "two-sided, corrected by Holm for all rows of its table.",
        " ".join(verdict(rivals, metric, ours) for metric in report.METRICS),
        folded("Where this was measured", report.provenance_of(path)),
        "## All detectors",
        report.render_summary(report.summary(rivals)),
    ]
    for metric in report.METRICS:
        parts += [
            f"## {report.TITLES[metric]}: `{ours}` minus each other",
            render_comparison(comparison(rivals, metric, ours)),
        ]
    variants = completed[is_variant | completed.detector.eq(ours)]
    variants = report.on_common_seeds(variants)
    if variants.detector.nunique() > 1:
        parts += ["## The value of each part"]
        parts += [f"`{ours}` minus itself without the part, on the seeds of all."]
        for metric in report.METRICS:
            compared = comparison(variants, metric, ours).iloc[::-1]
            head = f"{report.TITLES[metric]}, without"
            parts += [render_comparison(compared, head, PARTS)]
    parts += ["## No result", report.render_failures(kept, completed)]
    if len(partial):
        parts += [
            "## On fewer tables",
            f"Not run on all {n_tables} tables, for time, and so without a rank: "
            "compared on those that each was run on, p not corrected.",
            render_fewer(frame, partial.index, ours),
        ]
    return "\n\n".join(parts) + "\n", rivals


def main(arguments=None):
    """Write the report, and the rank diagrams beside it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report pool")
    add = parser.add_argument
    add("results", nargs="?", type=Path, default=RESULTS, help="of the suite tables")
    add("--ours", default=OURS, help="the detector that others are compared with")
    add("--no-figures", action="store_true")
    options = parser.parse_args(arguments)
    frame = records.read(options.results, tables.KEY)
    if options.ours not in set(on_every_table(frame)[0].detector):
        n = frame[frame.detector == options.ours].dataset.nunique()
        parser.error(
            f"{options.results} has {options.ours} on {n} of its "
            f"{frame.dataset.nunique()} tables. Run the suite tables on the others."
        )
    text, rivals = document(options.results, frame, options.ours)
    options.results.with_suffix(".md").write_text(text)
    if not options.no_figures:
        for metric in report.METRICS:
            name = f"{options.results.stem}_{metric}_ranks.png"
            _figures.critical_difference(
                report.ranks(rivals, metric),
                report.TITLES[metric],
                options.results.with_name(name),
            )
    print(text)
