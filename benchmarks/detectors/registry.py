"""Every detector of the benchmark by name, with its defaults.

A `Spec` makes an unfitted detector for a seed and a number of features, and says
which package it needs. Nothing is imported before that. A name such as
``package.module:Class`` stands for a detector of one's own, with PyOD's or
scikit-learn's interface. Any name may carry parameters, as in
``NCAEDetector(n_estimators=8, latent_dim=3)``.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.detectors.baselines import NoLearning, SquaredZ


@dataclass(frozen=True)
class Spec:
    """How to make a detector.

    ``is_deterministic`` says that the same rows give the same scores whatever the
    seed; ``requires`` is what `pip` has to install for it.
    """

    make: Callable
    family: str
    is_deterministic: bool = False
    requires: str = ""


def imported(module, name, **parameters):
    """Make a factory that imports a class when called, and seeds it if it can."""

    def make(seed, n_features, **more):
        cls = getattr(importlib.import_module(module), name)
        offered = {"random_state": seed, "n_features": n_features, "verbose": 0}
        known = inspect.signature(cls).parameters
        accepted = {key: offered[key] for key in offered if key in known}
        return cls(**(accepted | parameters | more))

    return make


def paper_configuration():
    """Give the paper's configuration (section 4) as parameters of `NCAEDetector`.

    The paper counts epochs: 50 of them, a guess, with ten between decays. A step
    count cannot follow the number of rows, so an epoch is taken as 40 steps.
    """
    return {
        "n_estimators": 1,
        "hidden_units": (32, 16),
        "latent_dim": 8,
        "scaling": "minmax",
        "calibration_rounds": 0,
        "mining_rate": 0.1,
        "generation_scale": 0.1,
        "evidence": "reconstruction",
        "max_iter": 2000,
        "batch_size": 128,
        "learning_rate": 0.01,
        "decay_steps": 400,
    }


def plain_autoencoder():
    """Give a plain autoencoder as parameters of `NCAEDetector`: everything off."""
    return {
        "scaling": "standardized",
        "calibration_rounds": 0,
        "mining_rate": 0.0,
        "sample_discriminator": False,
        "latent_discriminator": False,
        "evidence": "reconstruction",
    }


# As in `NCAEDetector`; skncae is not imported before a detector is made.
EVIDENCE = (
    "reconstruction",
    "distance",
    "dictionary",
    "tails",
    "rarity",
    "neighbors",
)


def _ncae(**parameters):
    return Spec(imported("skncae", "NCAEDetector", **parameters), "skncae")


def _without(kind):
    return _ncae(evidence=tuple(other for other in EVIDENCE if other != kind))


def _pyod(module, name, family="pyod", is_deterministic=False):
    return Spec(
        imported(f"pyod.models.{module}", name), family, is_deterministic, "pyod"
    )


def _deepod(name):
    # deepod's own pins would bring an old torch; what it imports is there anyway.
    return Spec(
        imported("deepod.models", name, device="cpu"),
        "deepod",
        requires="--no-deps deepod==0.4.1",
    )


FAST = {
    "SquaredZ": Spec(lambda seed, n_features: SquaredZ(), "baseline", True),
    "IForest": _pyod("iforest", "IForest"),
    "ECOD": _pyod("ecod", "ECOD", is_deterministic=True),
    "COPOD": _pyod("copod", "COPOD", is_deterministic=True),
    "HBOS": _pyod("hbos", "HBOS", is_deterministic=True),
    "KNN": _pyod("knn", "KNN", is_deterministic=True),
    "LOF": _pyod("lof", "LOF", is_deterministic=True),
    "PCA": _pyod("pca", "PCA", is_deterministic=True),
    "CBLOF": _pyod("cblof", "CBLOF"),
    "MCD": _pyod("mcd", "MCD"),
    "INNE": _pyod("inne", "INNE"),
    "LODA": _pyod("loda", "LODA"),
    "GMM": _pyod("gmm", "GMM"),
    "KDE": _pyod("kde", "KDE", is_deterministic=True),
    "OCSVM": _pyod("ocsvm", "OCSVM", is_deterministic=True),
}
SLOW = {
    "COF": _pyod("cof", "COF", is_deterministic=True),
    "SOD": _pyod("sod", "SOD", is_deterministic=True),
    "AnoGAN": _pyod("anogan", "AnoGAN", "deep"),
}
DEEP = {
    "AutoEncoder": _pyod("auto_encoder", "AutoEncoder", "deep"),
    "VAE": _pyod("vae", "VAE", "deep"),
    "DeepSVDD": _pyod("deep_svdd", "DeepSVDD", "deep"),
    "DIF": _pyod("dif", "DIF", "deep"),
    "LUNAR": _pyod("lunar", "LUNAR", "deep"),
    "ALAD": _pyod("alad", "ALAD", "deep"),
    "SO_GAAL": _pyod("so_gaal", "SO_GAAL", "deep"),
}
DEEPOD = {name: _deepod(name) for name in ("RCA", "ICL", "NeuTraL", "SLAD")}
NCAE = {
    "NCAEDetector": _ncae(),
    "NCAE-1-member": _ncae(n_estimators=1),
    "NCAE-no-mining": _ncae(mining_rate=0.0),
    "NCAE-no-sample-discriminator": _ncae(sample_discriminator=False),
    "NCAE-no-latent-discriminator": _ncae(latent_discriminator=False),
    "NCAE-no-rounds": _ncae(calibration_rounds=0),
    **{f"NCAE-no-{kind}": _without(kind) for kind in EVIDENCE},
    "NCAE-reconstruction": _ncae(evidence="reconstruction"),
    "NCAE-no-learning": Spec(lambda seed, n_features: NoLearning(seed), "skncae"),
    "NCAE-paper": _ncae(**paper_configuration()),
    "AE": _ncae(**plain_autoencoder()),
}
GROUPS = {"fast": FAST, "slow": SLOW, "deep": DEEP, "deepod": DEEPOD, "ncae": NCAE}
DETECTORS = {name: spec for group in GROUPS.values() for name, spec in group.items()}


def names(choice="all"):
    """Turn ``"all"``, groups and names with commas into a list of names."""
    if choice == "all":
        return list(DETECTORS)
    chosen = []
    for part in split(choice):
        chosen.extend(GROUPS.get(part, [part]))
    for name in chosen:
        find(name)
    return list(dict.fromkeys(chosen))


def split(text):
    """Cut a text at commas, but not at those between the parameters of a name."""
    return [part.strip() for part in re.split(r",(?![^()]*\))", text)]


def find(name):
    """Find the `Spec` of a name, with the parameters that it carries."""
    plain, bracket, _ = name.partition("(")
    spec = DETECTORS.get(plain) or _own(plain)
    if bracket:
        spec = replace(spec, make=partial(spec.make, **_parameters(name)))
    return spec


def _own(name):
    module, colon, cls = name.partition(":")
    if not colon:
        raise ValueError(
            f"There is no detector {name!r}. Choose from {', '.join(DETECTORS)}, the "
            f"groups {', '.join(GROUPS)}, or write package.module:Class."
        )
    return Spec(imported(module, cls), "own", requires=module.split(".")[0])


def _parameters(name):
    call = ast.parse("f" + name[name.index("(") :], mode="eval").body
    return {item.arg: ast.literal_eval(item.value) for item in call.keywords}
