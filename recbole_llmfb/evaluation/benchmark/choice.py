"""The point of a grid that validation chose. Test figures play no part: this module never sees one."""

from recbole_llmfb.evaluation.benchmark.plan import Entrant, Plan, Point
from recbole_llmfb.evaluation.benchmark.records import Records, Tuned


def candidates(plan: Plan, records: Records, entrant: Entrant, seed: int) -> list[Point] | None:
    """What has to be trained on a seed: the grid, or the first seed's choice; None as long as that is open."""
    if entrant.tuned_on == "every_seed" or seed == plan.seeds[0]:
        return plan.points(entrant, seed)
    first = chosen(plan, records, entrant, plan.seeds[0])
    return [first.at(seed)] if first else None


def chosen(plan: Plan, records: Records, entrant: Entrant, seed: int, split: str | None = None) -> Point | None:
    """The candidate with the best validation score, the first of equals; None as long as one has not been trained.

    split: count only what was trained on this one.
    """
    points = candidates(plan, records, entrant, seed)
    if points is None or len(points) == 1:
        return points[0] if points else None
    runs = [records.find(Tuned, point.key, split) for point in points]
    scores = [run.valid for run in runs if run]
    return points[scores.index(max(scores))] if len(scores) == len(points) else None
