"""Mining on images: the paper's Figure 5 (sigma and tau) and Figure 6 (four rules).

The score is the reconstruction error, as in the paper: mining changes nothing that the
other kinds of evidence see. `benchmarks.reports.image_figures` draws them.
"""

from sklearn.metrics import roc_auc_score

from benchmarks.harness import printing
from benchmarks.harness.suite import Suite
from benchmarks.suites.images import BUDGETS, task_of

SETS = ("mnist", "fmnist")

# Those that most and fewest detectors have trouble with on MNIST come first.
CLASSES = (8, 0, 1, 2, 3, 4, 5, 6, 7, 9)

SIGMAS = (0.01, 0.1, 1.0)
TAUS = (0.0, 0.1, 0.2, 0.4)
SIGMA, TAU, RHO = 0.1, 0.2, 0.2


def settings_of(figure, budget):
    """Give (rho, rule, sigma, tau) of every fit of a figure on one class."""
    from skncae.training._mining import RULES

    if figure == "5":
        pairs = [(sigma, TAU) for sigma in SIGMAS] + [(SIGMA, tau) for tau in TAUS]
        return [(RHO, "reconstruction", *pair) for pair in dict.fromkeys(pairs)]
    shares = (0.2, 0.0, 0.05, 0.01, 0.1) if budget == "full" else (0.2, 0.0, 0.05)
    return [(rho, rule, SIGMA, TAU) for rho in shares for rule in RULES]


def cases(options):
    """Yield every setting on every class, a seed after the other."""
    for seed in options.seeds:
        for normal in CLASSES:
            for setting in settings_of(options.figure, options.budget):
                for dataset in SETS:
                    names = ("rho", "mining", "sigma", "tau")
                    case = {"dataset": dataset, "normal": normal}
                    case |= dict(zip(names, setting, strict=True))
                    yield case | {"budget": options.budget, "seed": seed}


def prepare(case, options):
    """Draw the images."""
    names = ("dataset", "normal", "rho", "seed")
    task = task_of(*(case[name] for name in names), BUDGETS[case["budget"]])
    return {}, task


def measure(case, task, options):
    """Fit with one setting, and give the AUROC of the reconstruction error."""
    from skncae import NCAEDetector

    budget = BUDGETS[case["budget"]]
    detector = NCAEDetector(
        evidence="reconstruction",
        mining=case["mining"],
        mining_rate=case["tau"],
        generation_scale=case["sigma"],
        max_iter=budget.max_iter,
        batch_size=budget.batch_size,
        random_state=case["seed"],
    ).fit(task.X_train)
    scores = -detector.score_samples(task.X_score)
    return {"auroc": roc_auc_score(task.y_score, scores)}


def table(frame):
    """Render means over classes and seeds."""
    names = ["dataset", "rho", "mining", "sigma", "tau"]
    lines = [
        [*key, printing.spread(part.auroc)]
        for key, part in frame.groupby(names, sort=False)
    ]
    return printing.columns([*names, "AUROC"], lines)


def add_options(add):
    """Add what only this suite has."""
    add("--figure", choices=("5", "6"), required=True)
    add("--budget", choices=BUDGETS, default="cpu")


KEY = ("dataset", "normal", "rho", "mining", "sigma", "tau", "budget", "seed")
SUITE = Suite(
    name="mining",
    key=KEY,
    columns=(*KEY, "status", "auroc", "note"),
    cases=cases,
    prepare=prepare,
    measure=measure,
    table=table,
    add_options=add_options,
    seeds="0",
    told=("figure", "budget"),
    output=lambda options: f"figure{options.figure}.csv",
)
