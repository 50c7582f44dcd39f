"""The paper's Table 2: ``python -m benchmarks.images --help``.

One class is normal. A share rho of the training images is drawn from the other nine;
everything is judged on test images of all classes. Rows are written as they finish and
skipped when they are there already, so an interrupted run continues where it stopped.
"""

import argparse
import itertools
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.detectors import image_peers as peers
from benchmarks.detectors.registry import find, split
from benchmarks.harness import isolation, records
from benchmarks.sets import images as image_sets
from benchmarks.sets.tables import MissingDataError

KEY = ("dataset", "normal", "rho", "detector", "budget", "seed")
COLUMNS = (
    *KEY,
    *("n_train", "n_score", "status", "auroc", "ap", "fit_s", "fit_cpu_s", "score_s"),
    *("peak_mb", "note"),
)
# In the order of what is worth most to know first.
RHO = (0.2, 0.0, 0.05, 0.1, 0.01)

# Known outliers that methods with labels are shown beside the training images.
KNOWN_SHARE = 0.05


@dataclass(frozen=True)
class Budget:
    """How much of the experiment is run.

    ``n_normal`` and ``n_score`` limit the images; None takes all.
    """

    n_normal: int | None
    n_score: int | None
    max_iter: int
    batch_size: int
    epochs: int


BUDGETS = {
    "cpu": Budget(n_normal=800, n_score=1000, max_iter=200, batch_size=64, epochs=100),
    "full": Budget(
        n_normal=None, n_score=None, max_iter=2000, batch_size=128, epochs=100
    ),
}


@dataclass(frozen=True)
class Task:
    """Images to fit, to score, and known outliers for methods with labels."""

    X_train: np.ndarray
    X_score: np.ndarray
    y_train: np.ndarray
    y_score: np.ndarray
    X_known: np.ndarray


def prepare(dataset, normal, rho, seed, budget):
    """Draw the images of one experiment.

    Parameters
    ----------
    dataset : str
        A name of `image_sets`.
    normal : int
        The class that is normal.
    rho : float
        Share of the training images that are not.
    seed : int
    budget : Budget

    Returns
    -------
    task : Task
    """
    X, y, X_test, y_test = image_sets.load(dataset)
    rng = np.random.default_rng([seed, normal])
    inside = _some(np.flatnonzero(y == normal), budget.n_normal, rng)
    outside = rng.permutation(np.flatnonzero(y != normal))
    # Those of a smaller rho are among those of a larger one.
    n_outside = round(len(inside) * rho / (1 - rho))
    train = rng.permutation(np.concatenate([inside, outside[:n_outside]]))
    # The paper's known outliers are of one class, as in Ruff et al. (2020).
    known = outside[n_outside:]
    known = known[y[known] == (normal + 1) % 10][: round(KNOWN_SHARE * len(train))]
    score = _some(np.arange(len(y_test)), budget.n_score, rng)
    return Task(
        X_train=X[train],
        X_score=X_test[score],
        y_train=(y[train] != normal).astype(int),
        y_score=(y_test[score] != normal).astype(int),
        X_known=X[known],
    )


def _some(rows, limit, rng):
    rows = rng.permutation(rows)
    return rows if limit is None else rows[:limit]


def detectors(budget):
    """Return the detectors of Table 2: what each is called, and how it is made."""
    epochs = f"(epochs={budget.epochs})"
    steps = {"max_iter": budget.max_iter, "batch_size": budget.batch_size}
    ours = {
        "NCAE": steps,
        "CAE": peers.plain_autoencoder() | steps,
        "NCAE-paper": peers.paper_configuration(budget.max_iter),
    }
    names = {
        label: "skncae:NCAEDetector" + _call(parameters)
        for label, parameters in ours.items()
    }
    for name in ("Neighbors", "OCSVM", "IForest", "KDE"):
        names[name] = f"benchmarks.detectors.image_peers:{name}"
    for name in ("DeepSVDD", "DAGMM", "DeepSAD", "Classifier"):
        names[name] = f"benchmarks.detectors.image_peers:{name}{epochs}"
    names["LatentOut"] = f"benchmarks.detectors.image_peers:LatentOut{_call(steps)}"
    return names


def _call(parameters):
    return f"({', '.join(f'{key}={value!r}' for key, value in parameters.items())})"


def parse(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.images")
    add = parser.add_argument
    add("--budget", choices=BUDGETS, default="cpu")
    add("--datasets", default=",".join(image_sets.NAMES))
    add("--classes", default="0,1,2,3,4,5,6,7,8,9")
    add("--rho", default=",".join(map(str, RHO)))
    add(
        "--detectors", default="all", help="all, or names of them or of benchmarks.odds"
    )
    add("--seeds", default="0")
    add("--output", default="benchmarks/results/images.csv")
    add("--time-limit", type=float, default=1200, help="seconds a fit and scoring")
    add("--again", action="store_true", help="run rows that are there already too")
    options = parser.parse_args(arguments)
    known = detectors(BUDGETS[options.budget])
    if options.detectors == "all":
        options.detectors = list(known)
    else:
        options.detectors = split(options.detectors)
        for name in options.detectors:
            find(known.get(name, name))
    options.datasets = options.datasets.split(",")
    for name in options.datasets:
        if name not in image_sets.NAMES:
            raise ValueError(
                f"There is no data set {name!r}. Choose from {image_sets.NAMES}."
            )
    options.classes = [int(part) for part in options.classes.split(",")]
    options.rho = [float(part) for part in options.rho.split(",")]
    options.seeds = [int(part) for part in options.seeds.split(",")]
    return options


def run(options):
    """Run what is missing in the output file, and return the file's rows."""
    isolation.one_thread()
    line = records.provenance(protocol="one-vs-rest", budget=options.budget)
    records.append_provenance(options.output, line)
    context = isolation.start_context()
    budget = BUDGETS[options.budget]
    for key in itertools.product(
        options.seeds, options.rho, options.classes, options.datasets
    ):
        _run_task(options, context, budget, *key)
    return records.read(options.output, KEY)


def _run_task(options, context, budget, seed, rho, normal, dataset):
    base = {"dataset": dataset, "normal": normal, "rho": rho, "seed": seed}
    base["budget"] = options.budget
    known = records.read(options.output, KEY)
    done = known
    for name, value in base.items():
        done = done[done[name] == value] if len(done) else done
    there = set() if options.again else set(done.detector)
    missing = [name for name in options.detectors if name not in there]
    if not missing:
        return
    names = detectors(budget)
    try:
        task = prepare(dataset, normal, rho, seed, budget)
    except MissingDataError as error:
        print(f"{dataset}: {error}", flush=True)
        return
    base |= {"n_train": len(task.X_train), "n_score": len(task.X_score)}
    for label in missing:
        outcome = isolation.run_isolated(
            context, names.get(label, label), task, seed, options.time_limit
        )
        scores = outcome.pop("scores", None)
        if scores is not None:
            outcome["auroc"] = roc_auc_score(task.y_score, scores)
            outcome["ap"] = average_precision_score(task.y_score, scores)
        row = base | {"detector": label} | outcome
        records.append(options.output, row, COLUMNS)
        print(
            f"{dataset:<8} {normal} rho {rho:<4} {label:<20} {row['status']} "
            f"{row.get('auroc', float('nan')):.3f} {row.get('fit_s', 0):6.1f} s "
            f"{row.get('fit_cpu_s', 0):6.1f} CPU s {row['note']}",
            flush=True,
        )


def main(arguments=None):
    """Run the benchmark; `benchmarks.image_report` makes tables of it."""
    options = parse(arguments)
    frame = run(options)
    failed = frame[frame.status != "ok"]
    print(f"{len(frame)} rows in {options.output}, {len(failed)} of them failures")


if __name__ == "__main__":
    main()
