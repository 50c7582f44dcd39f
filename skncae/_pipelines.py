"""A Pipeline that ends in the detector, explained in the columns that go into it.

What the detector says of its own columns is led back through the steps, from the last
to the first, for as long as each column that a step makes comes from one column that
it got. Scalers, encoders, imputers, selections and ColumnTransformers of them are so;
a PCA is not, and then the words are those of the columns that it makes.
"""

from collections import UserList
from dataclasses import replace
from numbers import Real

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from skncae._sentences import Column, number_of_decimals, usual_ends
from skncae.data._numbers import USUAL_WIDTH
from skncae.data._reading import index_of
from skncae.data._values import is_missing


def final_step(estimator):
    """Return the detector at the end of pipelines; refuse what is none."""
    final = estimator
    while isinstance(final, Pipeline):
        final = final.steps[-1][1]
    if not hasattr(final, "explain"):
        raise TypeError(
            "Expected a fitted NCAEDetector or a Pipeline that ends in one, got "
            f"{type(final).__name__}. Of a search pass its best_estimator_; of "
            "skncae.pyod.NCAE its detector_."
        )
    return final


def rows_for_final_step(estimator, X):
    """Return rows as the detector at the end of pipelines gets them."""
    while isinstance(estimator, Pipeline):
        if len(estimator) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    return X


def explain(estimator, X):
    """Say which columns speak against each row, also through a Pipeline.

    Parameters
    ----------
    estimator : NCAEDetector or Pipeline
        Fitted; the last step of a pipeline is the detector.
    X : array-like of shape (n_samples, n_features)
        The rows, as the estimator takes them.

    Returns
    -------
    explanation : Explanation
        In the columns of X where each step makes its columns out of one each; else in
        the columns after the last step that does not.

    Raises
    ------
    TypeError
        If the estimator is no detector, nor a Pipeline that ends in one.

    See Also
    --------
    NCAEDetector.explain : The same of a detector alone.

    Examples
    --------
    >>> import numpy as np
    >>> import skncae
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X = np.random.default_rng(0).normal(5, 1, size=(300, 4))
    >>> X[0, 2] = 19.0
    >>> detector = skncae.NCAEDetector(random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    >>> float(skncae.explain(pipeline, X).cells(k=1).value[0])
    19.0
    """
    detector = final_step(estimator)
    steps = []
    index = index_of(X)
    while isinstance(estimator, Pipeline):
        for step in estimator.named_steps.values():
            if hasattr(step, "transform"):
                steps.append((step, X))
                X = step.transform(X)
        estimator = estimator.steps[-1][1]
    explanation = detector.explain(X)
    for step, rows in reversed(steps):
        led_back = _explained_before(explanation, step, rows)
        if led_back is None:
            break
        explanation = led_back
    return explanation if index is None else replace(explanation, index=index)


def _explained_before(explanation, step, rows):
    """Return an explanation in the columns that a step got; None where it cannot be."""
    sources = _sources(step, rows)
    if sources is None or len(sources) != len(explanation.feature_names):
        return None
    names = _names(rows)
    n_rows, n_columns = len(explanation.contributions), len(names)
    contributions = np.zeros((n_columns, n_rows))
    np.add.at(contributions, sources, explanation.contributions.T)
    expected = _inverse(step, explanation.expected.astype(object), rows, sources)
    known = explanation.columns
    bounds = np.array([[c.low for c in known], [c.high for c in known]], dtype=object)
    bounds = _inverse(step, bounds, rows, sources)
    values = _cells(rows)
    columns = tuple(
        _column(name, values[:, j], *bounds[:, j]) for j, name in enumerate(names)
    )
    return replace(
        explanation,
        values=values,
        expected=expected,
        contributions=contributions.T,
        feature_names=np.array(names, dtype=object),
        columns=columns,
        associates_of=_associates(explanation.associates_of, sources, n_columns),
    )


def _sources(step, rows):
    """For each column that a step makes, the position of the one it comes from.

    None where one of them comes from several.
    """
    n_columns = rows.shape[1]
    if isinstance(step, str):
        return np.arange(n_columns if step == "passthrough" else 0)
    if isinstance(step, Pipeline):
        sources = np.arange(n_columns)
        for part in step.named_steps.values():
            before = _sources(part, rows)
            if before is None:
                return None
            sources = sources[before]
            rows = rows if isinstance(part, str) else part.transform(rows)
        return sources
    if isinstance(step, ColumnTransformer):
        return _sources_of_parts(step, rows)
    if isinstance(step, OneToOneFeatureMixin):
        return np.arange(n_columns)
    if hasattr(step, "get_support"):
        return np.flatnonzero(step.get_support())
    return _sources_by_name(step, _names(rows))


def _sources_of_parts(step, rows):
    """`_sources` of a ColumnTransformer."""
    sources = np.zeros(
        sum(p.stop - p.start for p in step.output_indices_.values()), int
    )
    for part, inputs, outputs in _parts(step, rows):
        within = _sources(part, _safe_indexing(rows, inputs, axis=1))
        if within is None or len(within) != outputs.stop - outputs.start:
            return None
        sources[outputs] = np.asarray(inputs, dtype=int)[within]
    return sources


def _sources_by_name(step, names):
    """`_sources` of a step that names what it makes after what it got: city_Rome."""
    try:
        made = step.get_feature_names_out(
            names if hasattr(step, "feature_names_in_") else None
        )
    except (AttributeError, ValueError, TypeError):
        return None
    sources = []
    for name in map(str, made):
        same = [j for j, source in enumerate(names) if source == name]
        like = [j for j, source in enumerate(names) if name.startswith(f"{source}_")]
        # Of "a" and "a_b", the name "a_b_c" comes from the longer one.
        found = same or sorted(like, key=lambda j: len(names[j]))[-1:]
        if not found:
            return None
        sources.append(found[0])
    return np.array(sources, dtype=int)


def _parts(step, rows):
    """Yield each part of a ColumnTransformer with its columns in, and out."""
    names = _names(rows)
    for name, part, columns in step.transformers_:
        outputs = step.output_indices_[name]
        if outputs.stop > outputs.start:
            yield part, _positions(columns, names), outputs


def _positions(columns, names):
    """Positions of the columns that a part of a ColumnTransformer takes."""
    if isinstance(columns, str):
        columns = [columns]
    if isinstance(columns, slice):
        start, stop = columns.start, columns.stop
        if isinstance(start, str):
            start = names.index(start)
        if isinstance(stop, str):
            # A slice of names holds the last one too.
            stop = names.index(stop) + 1
        return list(range(len(names)))[slice(start, stop, columns.step)]
    # What is left over is a list that warns of later versions when it is read.
    columns = columns.data if isinstance(columns, UserList) else columns
    columns = list(np.atleast_1d(columns))
    if all(isinstance(column, bool | np.bool_) for column in columns):
        return np.flatnonzero(columns).tolist()
    return [names.index(c) if isinstance(c, str) else int(c) for c in columns]


def _inverse(step, outputs, rows, sources):
    """Values of what a step makes, in the columns that it got; None where unknown.

    What a step gives back for the rows themselves must be the rows: of a logarithm
    without an inverse, or a column that was dropped, nothing is known.
    """
    if isinstance(step, str):
        return outputs
    if isinstance(step, Pipeline):
        befores = []
        for part in step.named_steps.values():
            if not isinstance(part, str):
                befores.append((part, rows))
                rows = part.transform(rows)
        for part, before in reversed(befores):
            outputs = _inverse(part, outputs, before, _sources(part, before))
        return outputs
    led_back = np.full((len(outputs), rows.shape[1]), None, dtype=object)
    if isinstance(step, ColumnTransformer):
        for part, inputs, made in _parts(step, rows):
            some = _safe_indexing(rows, inputs, axis=1)
            within = _inverse(part, outputs[:, made], some, _sources(part, some))
            led_back[:, inputs] = within
        return led_back
    values, given_back = _cells(rows), _given_back(step, outputs, rows, sources)
    if given_back is not None:
        outputs_back, again = given_back
        for column in range(values.shape[1]):
            if _are_same(values[:, column], again[:, column]):
                led_back[:, column] = outputs_back[:, column]
    return led_back


def _given_back(step, outputs, rows, sources):
    """What a step gives back for values that it makes, and for the rows; or None."""
    made = step.transform(rows)
    made = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
    if hasattr(step, "inverse_transform"):
        try:
            numbers = np.asarray(outputs, dtype=float)
            return [_cells(step.inverse_transform(some)) for some in (numbers, made)]
        except (ValueError, TypeError, AttributeError):
            return None
    places = []
    for given in (outputs, made):
        place = np.full((len(given), rows.shape[1]), None, dtype=object)
        place[:, sources] = given
        places.append(place)
    return places


def _are_same(values, again):
    """Say whether values, but for the missing ones, came back."""
    there = [i for i, value in enumerate(values) if not is_missing(value)]
    try:
        old, new = (np.asarray(v[there], dtype=float) for v in (values, again))
    except (ValueError, TypeError):
        return bool((values[there] == again[there]).all())
    return np.allclose(old, new, rtol=1e-5, atol=1e-9 * np.abs(old).max(initial=0))


def _associates(associates_of, sources, n_columns):
    """For each column that a step got, those that go with it; a function of it."""
    if associates_of is None:
        return None
    found = []
    for column in range(n_columns):
        made = np.flatnonzero(sources == column)
        others = [sources[other] for one in made for other in associates_of(one)]
        found.append([j for j in dict.fromkeys(others) if j != column])
    return found.__getitem__


def _column(name, values, low, high):
    """Describe a column to the sentences, by its values and the usual ones."""
    present = [value for value in values if not is_missing(value)]
    try:
        decimals = number_of_decimals(np.asarray(present, dtype=float))
        low, high = usual_ends(*sorted([float(low), float(high)]))
    except (ValueError, TypeError):
        if all(isinstance(value, Real) for value in present):
            return Column(name, decimals=number_of_decimals(present))
        return Column(name, "category")
    spread = (high - low) / USUAL_WIDTH
    return Column(name, "number", spread, low, high, decimals=decimals)


def _names(rows):
    """Names of the columns of rows; x0, x1, ... of those without."""
    if hasattr(rows, "columns"):
        return [str(name) for name in rows.columns]
    return [f"x{column}" for column in range(rows.shape[1])]


def _cells(rows):
    """Rows as an array of objects, each value as it is."""
    cells = np.empty(rows.shape, dtype=object)
    for column in range(rows.shape[1]):
        cells[:, column] = list(_safe_indexing(rows, column, axis=1))
    return cells
