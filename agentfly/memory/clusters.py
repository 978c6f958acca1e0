"""Kinds of tasks: clusters over the embeddings of their questions, the same ones every time. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentfly.protocols import Vector

    Labels: TypeAlias = NDArray[np.int64]

MOST_KINDS = 4096
"""Kinds told apart at most; what comes after them joins the nearest one. Bounds time and memory."""

LEAST_LIKE, MOST_LIKE = 0.25, 0.6
"""The mean cosine from which on two groups are one kind lies between these, whatever the embedder."""

_SAMPLE = 512
_BLOCK = 1024


def kinds(vectors: Vector) -> Labels:
    """Tell kinds of tasks apart.

    Leader clustering (Hartigan, Clustering Algorithms, 1975, chapter 3) in the order given finds as many kinds as
    there are; groups whose members are alike on average (average linkage) are joined, because a leader at the edge of
    its kind leaves fragments behind; last, each case goes to the nearest centre, once (spherical k-means, Dhillon and
    Modha 2001). No random numbers: the same vectors in the same order give the same kinds.

    Args:
        vectors: embeddings of shape (n, d), rows of unit length; rows of zeros are a kind of their own.

    Returns:
        The kind of each row, shape (n,), numbered from 0 in the order of their first members.
    """
    import numpy as np

    labels = np.full(len(vectors), -1, dtype=np.int64)
    placed = np.flatnonzero(vectors.any(axis=1))
    if len(placed):
        known = vectors[placed]
        alike = likeness(known)
        found = _led(known, alike)
        found = _joined(known, found, alike)[found]
        labels[placed] = _nearest(known, _centres(known, found))
    return _numbered(labels)


def likeness(vectors: Vector) -> float:
    """The cosine that tells one kind from another: halfway between the likeness of any two cases and that of a case and
    its nearest neighbour, so that it suits a broad bank as well as one on a single subject.

    Args:
        vectors: embeddings of shape (n, d), rows of unit length.
    """
    import numpy as np

    n = len(vectors)
    if n < 2:
        return MOST_LIKE
    picked = np.unique(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64))
    near = np.empty(len(picked))
    total = 0.0
    for start in range(0, len(picked), 64):  # 64 rows at a time: 26 MB at 100,000 cases
        part = picked[start : start + 64]
        cosines = vectors[part] @ vectors.T
        cosines[np.arange(len(part)), part] = -1.0
        near[start : start + 64] = cosines.max(axis=1)
        total += float(cosines.sum(dtype=np.float64)) + len(part)
    usual = total / (len(picked) * (n - 1))
    return float(np.clip((float(np.median(near)) + usual) / 2, LEAST_LIKE, MOST_LIKE))


def cells(vectors: Vector, most: int) -> list[Labels]:
    """Cut a kind into neighbourhoods small enough to compare all pairs in.

    Each cut is across the direction of widest spread, at the widest gap in the middle third: copies stay together.

    Args:
        vectors: embeddings of shape (n, d).
        most: rows of a neighbourhood.

    Returns:
        Row numbers of each neighbourhood, rising; each row is in one of them.
    """
    import numpy as np

    done: list[Labels] = []
    todo = [np.arange(len(vectors), dtype=np.int64)]
    while todo:
        rows = todo.pop()
        if len(rows) <= most:
            done.append(rows)
            continue
        places = _along_widest(vectors[rows])
        order = np.argsort(places, kind="stable")
        low = max(1, len(rows) // 3)
        high = len(rows) - low
        gaps = np.diff(places[order])[low - 1 : high]
        # Without a gap worth the name the middle is as good as any place.
        cut = low + int(np.argmax(gaps)) if gaps.max() > 0 else len(rows) // 2
        todo += [np.sort(rows[order[cut:]]), np.sort(rows[order[:cut]])]
    return done


def _along_widest(vectors: Vector) -> Vector:
    """Places along the first principal direction, by a few rounds of power iteration; shape (n,)."""
    import numpy as np

    centred = vectors - vectors.mean(axis=0)
    axis = centred[int(np.argmax(np.vecdot(centred, centred)))]
    for _ in range(4):
        axis = (centred @ axis) @ centred
        axis = axis / max(float(np.linalg.norm(axis)), 1e-12)
    places: Vector = np.round(centred @ axis, 5)  # copies come out equal, whatever the rounding of the sums
    return places


def _led(vectors: Vector, alike: float) -> Labels:
    """The leader that each row follows: the nearest of those so far, or itself where it is like none of them."""
    import numpy as np

    leaders = np.empty((min(len(vectors), MOST_KINDS), vectors.shape[1]), dtype=vectors.dtype)
    found = np.zeros(len(vectors), dtype=np.int64)
    count = 0
    for start in range(0, len(vectors), _BLOCK):
        block, follows = vectors[start : start + _BLOCK], found[start : start + _BLOCK]
        best = np.full(len(block), -np.inf, dtype=np.float32)
        if count:
            cosines = block @ leaders[:count].T
            follows[:] = cosines.argmax(axis=1)
            best = cosines[np.arange(len(block)), follows]
        strange = np.flatnonzero(best < alike)
        among = block[strange] @ block[strange].T
        led = np.zeros(len(strange), dtype=np.bool_)
        for i, row in enumerate(strange):
            if not led[i] and count < len(leaders):
                leaders[count] = block[row]
                closer = among[i] > best[strange]
                follows[strange[closer]], best[strange[closer]] = count, among[i][closer]
                led |= among[i] >= alike
                led[i] = True
                count += 1
    return found


def _nearest(vectors: Vector, centres: Vector) -> Labels:
    """The nearest centre of each row; the first of equals."""
    import numpy as np

    found = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), _BLOCK):
        np.argmax(vectors[start : start + _BLOCK] @ centres.T, axis=1, out=found[start : start + _BLOCK])
    return found


def _means(vectors: Vector, labels: Labels) -> tuple[Vector, Labels]:
    """Mean of each label's rows, and how many there are; labels must be 0 to k - 1 but some may be unused."""
    import numpy as np

    sizes = np.bincount(labels)
    used = np.flatnonzero(sizes)
    starts = np.concatenate([[0], np.cumsum(sizes[used])[:-1]])
    order = np.argsort(labels, kind="stable")
    sums = np.zeros((len(sizes), vectors.shape[1]), dtype=np.float32)
    sums[used] = np.add.reduceat(vectors[order], starts, axis=0)
    means: Vector = np.divide(sums, np.maximum(sizes, 1)[:, None], dtype=np.float32)
    return means, sizes


def _centres(vectors: Vector, labels: Labels) -> Vector:
    """Directions of the used labels' means, shape (k, d)."""
    import numpy as np

    means, sizes = _means(vectors, labels)
    means = means[sizes > 0]
    centres: Vector = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return centres


def _joined(vectors: Vector, labels: Labels, alike: float) -> Labels:
    """Join groups, small ones first, whose members' mean cosine is at least `alike`; where each label went.

    The product of two means is the mean of all products, so no pair of members need be looked at.
    """
    import numpy as np

    means, sizes = _means(vectors, labels)
    where = np.arange(len(sizes), dtype=np.int64)
    between = means @ means.T
    np.fill_diagonal(between, -1.0)
    gone = sizes == 0
    between[gone], between[:, gone] = -1.0, -1.0
    for i in np.argsort(sizes, kind="stable"):
        other = int(np.argmax(between[i]))
        if gone[i] or between[i, other] < alike:
            continue
        weight = sizes[i] / (sizes[i] + sizes[other])
        means[other] += weight * (means[i] - means[other])
        sizes[other] += sizes[i]
        gone[i] = True
        where[where == i] = other
        row = means @ means[other]
        row[gone], row[other] = -1.0, -1.0
        between[other], between[:, other] = row, row
        between[i], between[:, i] = -1.0, -1.0
    return where


def _numbered(labels: Labels) -> Labels:
    """The same groups, numbered in the order of their first members."""
    import numpy as np

    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    numbered: Labels = place[inverse]
    return numbered
