"""Random numbers of the members, each from a stream of its own.

What a member draws does not depend on how many others there are, or on where they
are trained.
"""

import numpy as np
import torch


class MemberStreams:
    """A private random stream for each member, on the CPU.

    Every device then sees the same numbers.

    Parameters
    ----------
    seed : int
    members : range
        Their numbers; the streams of a member depend on its number only.
    """

    def __init__(self, seed, members):
        self.seed = seed
        self.members = members
        seeds = [np.random.SeedSequence(seed, spawn_key=(m,)) for m in members]
        self._generators = [
            torch.Generator().manual_seed(int(s.generate_state(1, np.uint64)[0]))
            for s in seeds
        ]

    def __len__(self):
        return len(self._generators)

    def uniform(self, shape, bound):
        """Numbers between -bound and bound, float32 of (members, *shape)."""
        drawn = torch.empty(len(self), *shape, dtype=torch.float32)
        for member, generator in zip(drawn, self._generators, strict=True):
            member.uniform_(-bound, bound, generator=generator)
        return drawn

    def normal(self, shape):
        """Normally distributed numbers, float32 of (members, *shape)."""
        drawn = torch.empty(len(self), *shape, dtype=torch.float32)
        for member, generator in zip(drawn, self._generators, strict=True):
            member.normal_(generator=generator)
        return drawn

    def integers(self, high, shape):
        """Integers from 0 to high - 1, int64 of (members, *shape)."""
        drawn = torch.empty(len(self), *shape, dtype=torch.int64)
        for member, generator in zip(drawn, self._generators, strict=True):
            member.random_(0, high, generator=generator)
        return drawn


class NoStreams:
    """Stands in for streams where what they draw is overwritten: shapes, no numbers.

    Parameters
    ----------
    n_members : int
    """

    def __init__(self, n_members):
        self.n_members = n_members

    def __len__(self):
        return self.n_members

    def uniform(self, shape, bound):
        """Tensor of (members, *shape) that takes no memory."""
        return torch.empty(self.n_members, *shape, dtype=torch.float32, device="meta")
