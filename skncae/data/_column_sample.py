"""A uniform sample of the rows of typed tables that arrive in pieces."""

from dataclasses import dataclass, field

import numpy as np

from skncae.data._pieces import joined, taken
from skncae.data._sample import Sample
from skncae.data._texts import as_text
from skncae.data._values import Raw


@dataclass(frozen=True)
class ColumnSample:
    """At most `size` of all rows seen, as columns that were read.

    Parameters
    ----------
    sample : Sample
        Of the places of the rows among all.
    columns : list of Raw
        Values of these rows; none before the first piece.
    """

    sample: Sample
    columns: list = field(default_factory=list)

    @classmethod
    def empty(cls, size, seed):
        """Make the sample that has seen no row yet."""
        return cls(Sample.empty(size, seed, np.arange(0)))

    @classmethod
    def of_part(cls, size, seed, columns, start, n_rows):
        """Sample the part that begins at row `start` of n_rows rows, for `total`."""
        places = np.arange(start, start + len(columns[0].values))
        sample = Sample.of_part(size, seed, places, start, n_rows)
        return cls(sample, taken(columns, sample.rows - start))

    @classmethod
    def total(cls, samples):
        """Return the sample of all parts, given in the order of their rows."""
        total = Sample.total([part.sample for part in samples])
        columns = joined([part.columns for part in samples])
        before = np.concatenate([part.sample.rows for part in samples])
        return cls(total, taken(columns, np.isin(before, total.rows)))

    @property
    def n_seen(self):
        """Number of rows seen."""
        return self.sample.n_seen

    def extended(self, columns):
        """Return the sample that has seen the rows of a piece too."""
        n_seen, before = self.n_seen, self.sample.rows
        places = np.arange(n_seen, n_seen + len(columns[0].values))
        sample = self.sample.extended(places)
        piece = taken(columns, np.isin(places, sample.rows))
        if not self.columns:
            return ColumnSample(sample, piece)
        kept = taken(self.columns, np.isin(before, sample.rows))
        return ColumnSample(sample, joined([kept, piece]))

    def state(self):
        """Everything kept, as nested dictionaries of arrays."""
        columns = [_column_state(raw) for raw in self.columns]
        return {"sample": self.sample.state(), "columns": columns}

    @classmethod
    def from_state(cls, state):
        """Build the sample that `state` was taken from."""
        columns = [_column_from_state(content) for content in state["columns"]]
        return cls(Sample(**state["sample"]), columns)


def sample_from_state(state):
    """Build the sample that a state was taken from, of rows or of columns."""
    return ColumnSample.from_state(state) if "columns" in state else Sample(**state)


def _column_state(raw):
    """A column as arrays; text by its different values."""
    content = vars(raw).copy()
    if raw.values.dtype == object:
        keys = as_text(raw.values)
        texts = sorted({key for key in keys if key is not None})
        codes = {text: code for code, text in enumerate(texts)} | {None: -1}
        content["values"] = np.array([codes[key] for key in keys], dtype=np.int64)
        content["texts"] = np.array(texts, dtype=object)
    if raw.exact is not None:
        content["exact"] = np.array([text or "" for text in raw.exact], dtype=object)
    return content


def _column_from_state(content):
    """Build the column that `_column_state` took apart."""
    content = dict(content)
    if "texts" in content:
        texts = np.array([*content.pop("texts"), None], dtype=object)
        content["values"] = texts[content["values"]]
    if content.get("exact") is not None:
        exact = [str(text) or None for text in content["exact"]]
        content["exact"] = np.array(exact, dtype=object)
    return Raw(**content)
