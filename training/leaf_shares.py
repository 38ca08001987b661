"""What does one leaf give to each group of features, for every way in which a row can agree with its path?

A row agrees with a feature of the path when it passes all splits by that feature. For a leaf of value v, agreements
o_i (0 or 1) and shares z_i of the training rows, the path-dependent Shapley value of feature i is

    phi_i = v * (o_i - z_i) * integral over t from 0 to 1 of the product over j != i of (t * o_j + (1 - t) * z_j)

which is LightGBM's own ``pred_contrib`` (Lundberg et al. 2018, algorithm 2) without its recursion. The integrand is a
polynomial of degree d - 1 in t, so Gauss-Legendre quadrature with ceil(d / 2) points is exact. Nothing is divided by.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from training.periods import Floats
from training.trees import Flags, Integers

LANES = 8
"""Groups that a table holds side by side: as many 8-byte numbers as a line of the processor's cache."""

_LEAVES_AT_ONCE = 512


def group_shares(values: Floats, shares: Floats, owners: Integers) -> Floats:
    """What leaves give to each group: shape (leaves, 2^d, :data:`LANES`), in log-odds.

    ``values`` are the leaves' (n), ``shares`` and ``owners`` the share z and the group of each of the d features on
    their paths (n, d). Entry c is for rows that agree with exactly the features whose bit is set in c.
    """
    count, features = shares.shape
    given = np.zeros((count, 2**features, LANES))
    for start in range(0, count, _LEAVES_AT_ONCE):
        part = slice(start, start + _LEAVES_AT_ONCE)
        factors = _factors(shares[part])
        for one in range(features):
            phi = values[part, None] * _shapley_weight(factors, one, shares[part, one])
            for group in np.unique(owners[part, one]).tolist():
                chosen = owners[part, one] == group
                given[part, :, group][chosen] += phi[chosen]
    return given


@lru_cache
def agreements(bits: int) -> Flags:
    """Every way in which ``bits`` conditions can hold: shape (2^bits, bits), row c holds where bit b of c is set."""
    return (np.arange(2**bits)[:, None] >> np.arange(bits)[None, :] & 1).astype(bool)


def _factors(shares: Floats) -> Floats:
    # t * o + (1 - t) * z, shape (leaves, 2^d, d, points).
    features = shares.shape[1]
    points = _quadrature(features)[0]
    agree = agreements(features)[None, :, :, None]
    return points * agree + (1.0 - points) * shares[:, None, :, None]


def _shapley_weight(factors: Floats, one: int, share: Floats) -> Floats:
    features = factors.shape[2]
    others = np.delete(factors, one, axis=2).prod(axis=2)
    integral = (others * _quadrature(features)[1]).sum(axis=2)
    own: Floats = agreements(features)[None, :, one] - share[:, None]
    weight: Floats = own * integral
    return weight


@lru_cache
def _quadrature(features: int) -> tuple[Floats, Floats]:
    # On 0 to 1; numpy gives points and weights for -1 to 1.
    points, weights = np.polynomial.legendre.leggauss(max(1, -(-features // 2)))
    return (points + 1.0) / 2.0, weights / 2.0
