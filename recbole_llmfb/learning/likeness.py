"""Groups of near-identical texts, in time that grows with their number and not with its square.

Two texts are near-identical where the Jaccard similarity of their sets of four-character shingles reaches a threshold; upper and
lower case, punctuation and forms of one character do not count. Candidates come from MinHash signatures in bands (Broder, "On the
Resemblance and Containment of Documents", 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4). They
are verified exactly, each with a few representatives of its bucket, so that no crowd of texts makes it slow. With 16 bands of
three, a pair of similarity .6 becomes a candidate with a chance of 98 in 100, and links of a chain make up for one that does not.
The numbers behind the signatures are fixed: the same texts give the same groups.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SHINGLE = 4
_BANDS, _ROWS = 16, 3
_REPRESENTATIVES = 4  # of a bucket, that a text is compared with
_DOUBT = 0.2  # of an estimate from 48 places: three standard errors
_APART = re.compile(r"[\W_]+")
_FACTORS = np.random.default_rng(0).integers(1, 2**63, size=(_BANDS * _ROWS, 1), dtype=np.uint64) | np.uint64(1)
_PLACES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], dtype=np.uint64)

Hashes = NDArray[np.uint64]


def plain(text: str) -> str:
    """Words in one case and form, one space between two."""
    return _APART.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def groups(keys: Sequence[tuple[str, str]], threshold: float) -> list[list[int]]:
    """Places of near-identical texts, each group in order; a text without its like is a group of its own.

    Args:
        keys: a scope, within which alone texts are compared, and a text as `plain` gives it. threshold: above 0 to 1.
    """
    distinct = list(dict.fromkeys(keys))
    leader = list(range(len(distinct)))
    signatures: dict[int, Hashes] = {}
    buckets: dict[tuple[int, str, bytes], list[int]] = {}
    for place, (scope, text) in enumerate(distinct):
        mine = _shingles(text)
        signature = signatures[place] = _signature(mine)
        for band in range(_BANDS):
            bucket = buckets.setdefault((band, scope, signature[band * _ROWS : (band + 1) * _ROWS].tobytes()), [])
            for other in bucket:
                first, second = sorted((_root(leader, place), _root(leader, other)))
                if first != second and _may_be_like(signature, signatures[other], threshold):
                    leader[second] = first if _jaccard(mine, _shingles(distinct[other][1])) >= threshold else second
            if len(bucket) < _REPRESENTATIVES:
                bucket.append(place)
    number = {key: place for place, key in enumerate(distinct)}
    found: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(_root(leader, number[key]), []).append(place)
    return list(found.values())


def likeness(one: str, other: str) -> float:
    """Jaccard similarity of the shingles of two texts as `plain` gives them."""
    return _jaccard(_shingles(one), _shingles(other))


def _may_be_like(one: Hashes, other: Hashes, threshold: float) -> bool:
    """Whether two signatures, whose equal places estimate the similarity, leave it open that the threshold is reached."""
    return float((one == other).mean()) >= threshold - _DOUBT


def _jaccard(one: Hashes, other: Hashes) -> float:
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def _root(leader: list[int], place: int) -> int:
    while leader[place] != place:
        leader[place] = leader[leader[place]]
        place = leader[place]
    return place


def _shingles(text: str) -> Hashes:
    """Hashes of all substrings of four characters, distinct and in order; of a shorter text, of what there is."""
    codes = np.frombuffer(f" {text} ".ljust(_SHINGLE).encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, _SHINGLE)
    return np.unique(_mixed((windows + np.uint64(1)) @ _PLACES))


def _signature(shingles: Hashes) -> Hashes:
    least: Hashes = _mixed(_FACTORS * shingles[None]).min(axis=1)
    return least


def _mixed(numbers: Hashes) -> Hashes:
    """Every bit of a number depends on all of it: the finalizer of splitmix64."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
