"""Prometheus' text format, as far as the page Service asks: counts, and percentiles of histograms. Pure functions of the text."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_LINE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(slots=True)
class Histogram:
    """Cumulative counts by upper bound, the last of which is infinite."""

    buckets: dict[float, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def count(self) -> float:
        return max(self.buckets.values(), default=0.0)

    def quantile(self, q: float) -> float | None:
        """The value below which a share q lies, taken as evenly spread within its bucket; None without observations.

        Beyond the last finite bound it is that bound: more is not known.
        """
        if not self.count:
            return None
        wanted, lower, below = q * self.count, 0.0, 0.0
        for bound, count in sorted(self.buckets.items()):
            if count >= wanted:
                if bound == float("inf"):
                    return lower
                return lower + (bound - lower) * ((wanted - below) / (count - below) if count > below else 1.0)
            lower, below = bound, count
        return lower


def parse(text: str) -> list[Sample]:
    """Every sample of a metrics text; comments and lines of another form are left out."""
    found = (_LINE.match(line) for line in text.splitlines())
    return [Sample(one["name"], dict(_LABEL.findall(one["labels"] or "")), float(one["value"])) for one in found if one]


def histograms(samples: Iterable[Sample], name: str, label: str) -> dict[str, Histogram]:
    """The histograms of a name by one of their labels; what differs in other labels only is added up."""
    found: dict[str, Histogram] = defaultdict(Histogram)
    for sample in samples:
        value = sample.labels.get(label, "")
        if sample.name == f"{name}_bucket":
            found[value].buckets[float(sample.labels["le"])] += sample.value
    return dict(found)


def total(samples: Iterable[Sample], name: str, **labels: str) -> float:
    """The sum of all samples of a name whose labels begin with what is given."""
    chosen = (one for one in samples if one.name == name)
    return sum(one.value for one in chosen if all(one.labels.get(key, "").startswith(value) for key, value in labels.items()))
