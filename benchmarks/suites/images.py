"""The paper's Table 2: one class of images is normal, some of the others are not.

One class is normal. A share rho of the training images is drawn from the other nine;
everything is judged on test images of all classes. `benchmarks.reports.images` makes
tables of it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.detectors import image_peers as peers
from benchmarks.detectors.registry import find, split
from benchmarks.harness import fits, printing
from benchmarks.harness.suite import Suite, listed, numbers, one_of
from benchmarks.sets import images as sets

KEY = ("dataset", "normal", "rho", "detector", "budget", "seed")

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


def task_of(dataset, normal, rho, seed, budget):
    """Draw the images of one experiment.

    Parameters
    ----------
    dataset : str
        A name of `benchmarks.sets.images`.
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
    X, y, X_test, y_test = sets.load(dataset)
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


def names(choice):
    """Turn ``"all"``, or names of Table 2 or of the registry, into names."""
    known = detectors(BUDGETS["cpu"])
    if choice == "all":
        return list(known)
    for name in split(choice):
        find(known.get(name, name))
    return split(choice)


def cases(options):
    """Yield every detector on every set, class and share, a seed after the other."""
    for seed in options.seeds:
        for rho in options.rho:
            for normal in options.classes:
                for dataset in options.datasets:
                    for name in options.detectors:
                        case = {"dataset": dataset, "normal": normal, "rho": rho}
                        case |= {"detector": name, "budget": options.budget}
                        yield case | {"seed": seed}


def prepare(case, options):
    """Give the size of an experiment, and its images."""
    columns = ("dataset", "normal", "rho", "seed", "budget")
    task = _task(*(case[column] for column in columns))
    return {"n_train": len(task.X_train), "n_score": len(task.X_score)}, task


@lru_cache(maxsize=1)
def _task(dataset, normal, rho, seed, budget):
    return task_of(dataset, normal, rho, seed, BUDGETS[budget])


def measure(case, task, options):
    """Fit and score a detector."""
    label = case["detector"]
    name = detectors(BUDGETS[case["budget"]]).get(label, label)
    return fits.judged(name, task, case["seed"])


def table(frame):
    """Render means over classes and seeds."""
    lines = []
    for key, part in frame.groupby(["dataset", "rho", "detector"], sort=False):
        good = part[part.status == "ok"]
        auroc = printing.spread(good.auroc)
        failed = len(part) - len(good)
        lines.append([*key, auroc, good.fit_s.median(), len(good), failed])
    head = ["dataset", "rho", "detector", "AUROC", "fit s", "fits", "failed"]
    return printing.columns(head, lines)


def add_options(add):
    """Add what only this suite has."""
    add("--budget", choices=BUDGETS, default="cpu")
    known = one_of(sets.NAMES, "data set")
    add("--datasets", type=known, default=",".join(sets.NAMES))
    add("--classes", type=numbers(int), default="0,1,2,3,4,5,6,7,8,9")
    add("--rho", type=numbers(float), default=",".join(map(str, RHO)))
    add(
        "--detectors",
        type=listed(names),
        default="all",
        help="all, or names of them or of the registry",
    )


SUITE = Suite(
    name="images",
    key=KEY,
    columns=(*KEY, "n_train", "n_score", "status", *fits.MEASURED, "note"),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0",
    told=("budget",),
    time_limit=1200,
)
