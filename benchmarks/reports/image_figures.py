"""The paper's Figures 1 and 3 to 6.

Each is a CSV and a PNG in ``benchmarks/results``; ``--draw`` alone makes the PNG again.
The numbers of Figures 5 and 6 are measured by the suite mining.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import gaussian_kde
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import isolation, records, suite
from benchmarks.sets import images as image_sets
from benchmarks.sets import tables as datasets
from benchmarks.suites.images import BUDGETS, task_of
from benchmarks.suites.mining import CLASSES, RHO, SETS, SIGMA, TAU
from skncae import NCAEDetector
from skncae._threads import one_thread
from skncae.networks._generators import MemberStreams
from skncae.scaling._calibration import calibrated_view
from skncae.training import _mining
from skncae.training._losses import reconstruction_error
from skncae.training._mining import RULES
from skncae.training._trainer import Recipe, Trainer

RESULTS = Path("benchmarks/results")


def _flat(images):
    return images.reshape(len(images), -1).astype(np.float64)


def figure_4(budget, seeds):
    """Contamination scores of truly normal and contaminated images during training."""
    rows = []
    for seed, normal, name, rule in itertools.product(
        seeds, CLASSES, SETS, ("similarity", "reconstruction")
    ):
        limits = BUDGETS[budget]
        task = task_of(name, normal, RHO, seed, limits)
        for step, scores in _scores_in_training(task, rule, limits, seed):
            mean = [float(scores[task.y_train == label].mean()) for label in (0, 1)]
            rows.append(
                {
                    "dataset": name,
                    "normal": normal,
                    "mining": rule,
                    "seed": seed,
                    "step": step,
                    "score_normal": mean[0],
                    "score_contaminated": mean[1],
                    "deviation": float(scores.std()),
                    "auroc": roc_auc_score(task.y_train, -scores),
                }
            )
        print(name, normal, rule, seed, f"AUROC {rows[-1]['auroc']:.3f}", flush=True)
    return _write(4, budget, rows)


def _write(figure, budget, rows):
    """Write the numbers of a figure below the versions that they come from."""
    path = RESULTS / f"figure{figure}.csv"
    line = records.provenance(figure=figure, budget=budget)
    table = pd.DataFrame(rows).to_csv(index=False, float_format="%.5g")
    path.write_text(f"# {line}\n{table}")
    return path


def _scores_in_training(task, rule, limits, seed, every=20):
    """Yield the step and the mining score of every training image, members' mean."""
    X = _flat(task.X_train)
    rows = calibrated_view("contrast", X, 5).transform(X).astype(np.float32)
    rows = torch.from_numpy(rows)
    shape = (*task.X_train.shape[1:], 1)[:3]
    recipe = Recipe(
        hidden_units=(8, 16),
        latent_dim=16,
        mining=rule,
        mining_rate=TAU,
        generation_scale=SIGMA,
        sample_discriminator=True,
        latent_discriminator=True,
        max_iter=limits.max_iter,
        batch_size=limits.batch_size,
        learning_rate=3e-3,
        decay_steps=None,
        precision="float32",
    )
    trainer = Trainer(rows, MemberStreams(seed, range(2)), recipe, image_shape=shape)
    while trainer.n_steps < limits.max_iter:
        with one_thread():
            trainer.run(n_steps=every)
        with torch.no_grad():
            x = rows.expand(2, *rows.shape)
            if rule == "similarity":
                omega = trainer._omega(SIGMA, next(trainer._noise))
                z_generated = trainer.model.encoder(trainer.model.decoder(omega))
                scores = _mining.similarity(trainer.model.encoder(x), z_generated)
            else:
                scores = -reconstruction_error(x, trainer.model(x))
        yield trainer.n_steps, scores.mean(0).numpy()


def figure_3(budget, seeds):
    """Training images and generated normals at rho = 0.2: zeros, and coats."""
    limits, rows, pictures = BUDGETS[budget], [], []
    for name, normal in (("mnist", 0), ("fmnist", 4)):
        task = task_of(name, normal, RHO, seeds[0], limits)
        for rule in ("similarity", "reconstruction"):
            detector = NCAEDetector(
                mining=rule,
                max_iter=2 * limits.max_iter,
                batch_size=limits.batch_size,
                random_state=seeds[0],
            ).fit(task.X_train)
            generated = detector.generate(200, random_state=0)
            rows.append(
                {
                    "dataset": name,
                    "normal": normal,
                    "mining": rule,
                    "n_generated": len(generated),
                    "share_of_normal_class": _share_of_class(name, normal, generated),
                    "share_of_normal_class_in_training": 1 - task.y_train.mean(),
                }
            )
            pictures.append((f"{name}, mining by {rule}", task.X_train, generated))
            print(rows[-1], flush=True)
    path = _write(3, budget, rows)
    np.savez_compressed(path.with_suffix(".npz"), **_samples(pictures))
    return path


def _samples(pictures, n=20):
    """The first images of each, for the drawing."""
    return {
        f"{i}|{title}|{kind}": np.clip(images[:n], 0, 255).astype(np.uint8)
        for i, (title, *pair) in enumerate(pictures)
        for kind, images in zip(("training", "generated"), pair, strict=True)
    }


def _share_of_class(name, normal, generated):
    """Share of images that a classifier, which has all labels, takes for normal."""
    X, y, _, _ = image_sets.load(name)
    judge = KNeighborsClassifier(5).fit(_flat(X[:10_000]), y[:10_000])
    return float((judge.predict(_flat(generated)) == normal).mean())


def figure_1(budget, seeds):
    """Entropy over the latent space, of normal and contaminated rows."""
    rows = []
    for name, rho, X, y in _latent_tasks(budget, seeds[0]):
        latent = _latent(X, seeds[0])
        entropy = -gaussian_kde(latent.T).logpdf(latent.T)
        picked = np.random.default_rng(0).permutation(len(latent))[:500]
        rows += [
            {
                "dataset": name,
                "rho": rho,
                "latent_1": latent[i, 0],
                "latent_2": latent[i, 1],
                "entropy": entropy[i],
                "contaminated": int(y[i]),
                "auroc_of_entropy": roc_auc_score(y, entropy) if y.any() else np.nan,
            }
            for i in picked
        ]
        print(name, rho, f"{rows[-1]['auroc_of_entropy']:.3f}", flush=True)
    return _write(1, budget, rows)


def _latent_tasks(budget, seed):
    """Yield name, rho, rows and labels: three tables, and fives at five rho."""
    for name in ("cardio", "satellite", "thyroid"):
        X, y = datasets.load(name)
        yield name, float(y.mean()), StandardScaler().fit_transform(X), y
    for rho in (0.0, 0.01, 0.05, 0.1, 0.2):
        task = task_of("mnist", 5, rho, seed, BUDGETS[budget])
        yield "mnist", rho, task.X_train, task.y_train


def _latent(X, seed):
    """Two latent features of a plain autoencoder."""
    detector = NCAEDetector(
        n_estimators=1,
        latent_dim=2,
        scaling="standardized" if X.ndim == 2 else "pixels",
        mining_rate=0.0,
        sample_discriminator=False,
        latent_discriminator=False,
        evidence="reconstruction",
        random_state=seed,
    )
    return detector.fit(X).encode(X)[0]


# --- drawing -------------------------------------------------------------------


def _subplots(n_rows, n_columns, size):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(
        n_rows, n_columns, figsize=size, layout="constrained", squeeze=False
    )


def draw_5(frame):
    """Two panels a data set: over sigma, and over tau."""
    figure, axes = _subplots(1, 2, (8.5, 3.4))
    for ax, name, other, fixed in (
        (axes[0, 0], "sigma", "tau", TAU),
        (axes[0, 1], "tau", "sigma", SIGMA),
    ):
        part = frame[frame[other] == fixed]
        for dataset in SETS:
            mean = 100 * part[part.dataset == dataset].groupby(name).auroc.mean()
            ax.plot(mean.index, mean, "o-", label=dataset)
        ax.set(xlabel=name, ylabel="AUROC, %", title=f"{other} = {fixed}")
    axes[0, 0].set_xscale("log")
    axes[0, 1].legend(fontsize=7)
    return figure


def draw_6(frame):
    """One panel a data set: AUROC of each rule over rho."""
    figure, axes = _subplots(1, 2, (8.5, 3.4))
    for ax, dataset in zip(axes[0], SETS, strict=True):
        for rule in RULES:
            part = frame[(frame.dataset == dataset) & (frame.mining == rule)]
            mean = 100 * part.groupby("rho").auroc.mean()
            ax.plot(mean.index, mean, "o-", label=rule)
        ax.set(xlabel="rho", ylabel="AUROC, %", title=dataset)
    axes[0, 0].legend(fontsize=7)
    return figure


def draw_4(frame):
    """How far apart the two kinds of images are, and how well the score tells them."""
    figure, axes = _subplots(2, 4, (12.5, 5.6))
    panels = itertools.product(SETS, ("similarity", "reconstruction"))
    for column, (dataset, rule) in enumerate(panels):
        part = frame[(frame.dataset == dataset) & (frame.mining == rule)]
        mean = part.groupby("step").mean(numeric_only=True)
        above, below = axes[0, column], axes[1, column]
        for kind, colour in (("normal", "#0072b2"), ("contaminated", "#d55e00")):
            above.plot(mean.index, mean[f"score_{kind}"], color=colour, label=kind)
        above.set(title=f"{dataset}, {rule}", ylabel="mining score, higher is normal")
        for _, run in part.groupby(["normal", "seed"]):
            label = f"class {run.normal.iloc[0]}"
            below.plot(run.step, 100 * run.auroc, label=label)
        below.axhline(50, color="#888888", linewidth=0.8)
        below.set(xlabel="step", ylabel="AUROC of the mining score, %", ylim=(0, 100))
    axes[0, 0].legend(fontsize=8)
    axes[1, 1].legend(fontsize=6, ncols=2, loc="lower left")
    return figure


def draw_3(frame):
    """Training images above generated ones, for each model."""
    samples = np.load(RESULTS / "figure3.npz")
    names = list(samples)
    figure, axes = _subplots(len(names) // 2, 2, (12, 1.6 * len(names) / 2 + 0.4))
    for ax, name in zip(axes.ravel(), names, strict=True):
        images = samples[name].reshape(2, 10, *samples[name].shape[1:])
        ax.imshow(
            np.hstack([np.vstack(pair) for pair in images.swapaxes(0, 1)]), "gray"
        )
        _, title, kind = name.split("|")
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{title}: {kind}", fontsize=9)
    return figure


def draw_1(frame):
    """Entropy over the latent plane; contaminated rows are crosses."""
    figure, axes = _subplots(2, 4, (13, 6))
    for ax, (name, part) in zip(
        axes.ravel(), frame.groupby(["dataset", "rho"], sort=False), strict=True
    ):
        for label, marker in ((0, "."), (1, "x")):
            rows = part[part.contaminated == label]
            ax.scatter(
                rows.latent_1,
                rows.latent_2,
                c=rows.entropy,
                marker=marker,
                s=22,
                vmin=part.entropy.quantile(0.02),
                vmax=part.entropy.quantile(0.95),
                cmap="viridis" if label == 0 else "autumn_r",
            )
        auroc = part.auroc_of_entropy.iloc[0]
        low, high = part[["latent_1", "latent_2"]].quantile([0.01, 0.99]).to_numpy()
        margin = 0.1 * (high - low)
        ax.set_xlim(low[0] - margin[0], high[0] + margin[0])
        ax.set_ylim(low[1] - margin[1], high[1] + margin[1])
        text = "" if np.isnan(auroc) else f", AUROC of entropy {100 * auroc:.0f}"
        ax.set_title(f"{name[0]}, rho {name[1]:.2g}{text}", fontsize=9)
    return figure


FIGURES = {
    "1": (figure_1, draw_1),
    "3": (figure_3, draw_3),
    "4": (figure_4, draw_4),
    # The numbers of these two are results of the suite mining.
    "5": (None, draw_5),
    "6": (None, draw_6),
}


def main(arguments=None):
    """Run an experiment and draw its figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report image_figures")
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--budget", choices=BUDGETS, default="cpu")
    parser.add_argument("--seeds", type=suite.seeds, default="0")
    parser.add_argument(
        "--draw", action="store_true", help="draw the CSV that is there"
    )
    options = parser.parse_args(arguments)
    isolation.one_thread()
    run, draw = FIGURES[options.figure]
    path = RESULTS / f"figure{options.figure}.csv"
    if run and not options.draw:
        path = run(options.budget, options.seeds)
    figure = draw(pd.read_csv(path, comment="#"))
    figure.savefig(path.with_suffix(".png"), dpi=110)
    print(path.with_suffix(".png"))
