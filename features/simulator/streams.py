"""Where does each part of the simulator get its randomness, so that a new part disturbs no other?

Every component draws from a stream that is keyed by the seed and the component's name alone.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


class Streams:
    """Independent random streams of one seed, found by name."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def named(self, name: str, part: int = 0) -> np.random.Generator:
        """A fresh generator for ``name`` (and a numbered part of it); the same arguments give the same draws."""
        digest = blake2b(name.encode(), digest_size=8).digest()
        key = (int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big"), part)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=key)))
