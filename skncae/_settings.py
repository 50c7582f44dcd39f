"""The parameters of a detector with every "auto" resolved, once for a fit."""

from dataclasses import dataclass, fields, replace
from typing import Any

from skncae._checks import plain
from skncae._parameters import as_names, check_parameters
from skncae.data._validation import allows_nan
from skncae.evidence._kinds import FRAME_EVIDENCE, IMAGE_EVIDENCE, TABLE_EVIDENCE

# What "auto" stands for: for the rows of a table, and for images.
AUTO = {
    "n_estimators": (2, 2),
    "hidden_units": ((32, 16), (8, 16)),
    "latent_dim": (3, 16),
    "scaling": ("whitened", "contrast"),
    "mining": ("similarity", "reconstruction"),
    "mining_rate": (0.1, 0.2),
    "max_iter": (70, 200),
    "learning_rate": (5e-3, 3e-3),
    "evidence": (TABLE_EVIDENCE, IMAGE_EVIDENCE),
}

# Those that say what the networks are and what they see.
NETWORK_PARAMETERS = (
    "n_estimators",
    "hidden_units",
    "latent_dim",
    "scaling",
    "calibration_rounds",
    "image_shape",
)


@dataclass(frozen=True)
class Settings:
    """The parameters of `NCAEDetector` under their names, valid and without "auto".

    `image_shape` is the (height, width, channels) of the rows, None for a table;
    `is_typed` says whether that has columns of more types than numbers.
    """

    contamination: Any
    n_estimators: int
    hidden_units: tuple[int, ...]
    latent_dim: int
    scaling: str
    calibration_rounds: int
    mining: str
    mining_rate: float
    generation_scale: float
    sample_discriminator: bool
    latent_discriminator: bool
    evidence: tuple[str, ...]
    dictionary_size: int
    max_iter: int
    batch_size: int
    learning_rate: float
    decay_steps: int | None
    tol: float | None
    warm_start: bool
    allow_nan: bool
    image_shape: tuple[int, int, int] | None
    device: str
    precision: str
    random_state: Any
    verbose: int
    is_typed: bool = False

    @property
    def of_networks(self):
        """The parameters that trained networks cannot go on without."""
        return {name: getattr(self, name) for name in NETWORK_PARAMETERS}


def settings_of(detector):
    """Resolve and check the parameters of a detector that knows the shape of its rows.

    Parameters
    ----------
    detector : NCAEDetector
        With `image_shape_`.

    Returns
    -------
    settings : Settings

    Raises
    ------
    ValueError, TypeError
        For the first parameter that is not valid.
    """
    # Not get_params: a subclass may fix some of them.
    parameters = {
        field.name: plain(getattr(detector, field.name))
        for field in fields(Settings)
        if field.name not in ("is_typed", "random_state")
    }
    parameters["random_state"] = detector.random_state
    parameters["image_shape"] = detector.image_shape_
    parameters["allow_nan"] = plain(allows_nan(detector))
    parameters["is_typed"] = getattr(detector, "_layout", None) is not None
    for name, values in AUTO.items():
        # Not ==, which of an array is an array.
        if isinstance(parameters[name], str) and parameters[name] == "auto":
            parameters[name] = values[detector.image_shape_ is not None]
            if name == "evidence" and parameters["is_typed"]:
                parameters[name] = FRAME_EVIDENCE
    check_parameters(parameters)
    settings = Settings(**parameters)
    return replace(
        settings,
        hidden_units=tuple(map(int, settings.hidden_units)),
        evidence=as_names(settings.evidence),
    )


def check_warm_start(before, now):
    """Raise a ValueError if trained networks cannot go on with these parameters.

    Parameters
    ----------
    before, now : dict
        `Settings.of_networks` of then and now.
    """
    changed = [name for name in now if now[name] != before[name]]
    if changed:
        name = changed[0]
        raise ValueError(
            f"{name}={now[name]!r}, but the networks that warm_start=True goes on with "
            f"were fitted with {name}={before[name]!r}. Set it back, or set "
            "warm_start=False to start anew."
        )
