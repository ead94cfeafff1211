"""How far feedback is trusted in training: what one user and what a crowd of new accounts can teach, and what is held for review.

Nothing here is deleted. What a user said always counts for that user's own next list; the two functions below say what it counts
for what others are shown. An account is new until `Trust.new_for` after its first feedback, unless it was known before the log.

`weights`: the weight of feedback r, of user u, about item i, with n_u feedbacks of the user, and e_i established and n_i new
accounts that speak about the item:

    w(r) = min(1, user_cap / n_u) * (min(1, (item_floor + item_share * e_i) / n_i) if u is new else 1)

so that the weights of one user sum to at most `user_cap`, and those of all new accounts about one item, each of them counted once
as in training, to at most `item_floor + item_share * e_i`: however many accounts an attacker opens, they lend an item no more
than a share of what others think of it. It is a bound by design, and needs no guess who attacks. The price is that an honest
crowd's new favourite waits until its accounts are no longer new; its text recommends it meanwhile. Fighting false accounts by
limiting what they can add to what trusted ones say goes back to Resnick and Sami, "The Influence Limiter", RecSys 2007.

`held`: near-identical comments of many new accounts within a short time; see there.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recbole_llmfb.errors import UsageError
from recbole_llmfb.learning.likeness import groups, plain
from recbole_llmfb.schema import Feedback

_DENSE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Trust:
    """Thresholds.

    new_for: how long an account is new. user_cap: feedbacks that one user counts for at most. item_floor, item_share: how many
    new accounts count about an item at most, whoever else speaks about it, and for each established account that does.
    window: within which a burst falls. accounts: of a burst, at least. likeness: Jaccard similarity from which two comments are
    near-identical. words: a comment of fewer says something about an item only where it is given with one.
    """

    new_for: timedelta = timedelta(days=7)
    user_cap: float = 200.0
    item_floor: float = 2.0
    item_share: float = 0.1
    window: timedelta = timedelta(hours=24)
    accounts: int = 8
    likeness: float = 0.6
    words: int = 5

    def __post_init__(self) -> None:
        if min(self.user_cap, self.item_floor) <= 0 or self.item_share < 0:
            raise UsageError(
                f"user_cap={self.user_cap}, item_floor={self.item_floor}, item_share={self.item_share}: give positive"
            )
        if self.accounts < 2 or not 0 < self.likeness <= 1:
            raise UsageError(f"accounts={self.accounts}, likeness={self.likeness}: give at least 2, and above 0 to 1")


@dataclass(frozen=True, slots=True)
class Burst:
    """Near-identical comments of many new accounts.

    id: of its first comment; it stays as the burst grows. comments, users: ids, in the order of time. example: the first text.
    records: ids of all that those accounts said while they were new, the comments among it: what is held.
    """

    id: str
    comments: tuple[str, ...]
    users: tuple[str, ...]
    example: str
    records: tuple[str, ...]


def weights(
    feedback: Sequence[Feedback], now: datetime, *, known: Collection[str] = (), trust: Trust | None = None
) -> dict[str, float]:
    """Id of each feedback -> how much it counts for what others are shown, from above 0 to 1; see the module.

    Args:
        now: of the training; an account that is not new any more is established. known: users who were there before the log.
    """
    trust = trust or Trust()
    first = first_seen(feedback)
    new = {user for user, moment in first.items() if user not in known and now - moment < trust.new_for}
    of_user = Counter(one.user for one in feedback)
    speakers: dict[str, set[str]] = defaultdict(set)
    for one in feedback:
        if one.item is not None:
            speakers[one.item].add(one.user)
    of_item = {
        item: min(1.0, (trust.item_floor + trust.item_share * len(users - new)) / max(1, len(users & new)))
        for item, users in speakers.items()
    }
    return {
        one.id: min(1.0, trust.user_cap / of_user[one.user])
        * (of_item[one.item] if one.item is not None and one.user in new else 1.0)
        for one in feedback
    }


def held(feedback: Sequence[Feedback], *, known: Collection[str] = (), trust: Trust | None = None) -> tuple[Burst, ...]:
    """Bursts that a person should look at before anything is learned from them, in the order of their beginning.

    A burst is a group of comments that are near-identical (see `likeness`), by at least `Trust.accounts` accounts that were new
    when they wrote, within `Trust.window`. Comments of fewer than `Trust.words` words, of which an honest crowd writes many alike
    ("more comedy"), count only together with the item that they were given with. Established accounts are never held.
    """
    trust = trust or Trust()
    first = first_seen(feedback)

    def is_new(one: Feedback) -> bool:
        return one.user not in known and one.time - first[one.user] < trust.new_for

    said = sorted((one for one in feedback if one.text and is_new(one)), key=_place)
    said = [one for one in said if one.item is not None or _length(one) >= trust.words]
    alike = groups([_key(one, trust) for one in said], trust.likeness)
    found = [burst for group in alike for burst in _bursts([said[place] for place in group], trust)]
    of_user: dict[str, list[Feedback]] = defaultdict(list)
    for one in sorted(feedback, key=_place):
        if is_new(one):
            of_user[one.user].append(one)
    return tuple(_burst(burst, of_user) for burst in sorted(found, key=lambda burst: _place(burst[0])))


def first_seen(feedback: Sequence[Feedback]) -> dict[str, datetime]:
    """When each user said something for the first time."""
    first: dict[str, datetime] = {}
    for one in feedback:
        first[one.user] = min(one.time, first.get(one.user, one.time))
    return first


def _bursts(alike: Sequence[Feedback], trust: Trust) -> list[list[Feedback]]:
    """Of like comments, in the order of time, those that lie in a window with enough accounts; windows that overlap are one."""
    bursts: list[list[Feedback]] = []
    reached, start = 0, 0  # the first comment that no burst has, and the first of the window
    in_window: Counter[str] = Counter()
    for end, one in enumerate(alike):
        in_window[one.user] += 1
        while one.time - alike[start].time > trust.window:
            in_window[alike[start].user] -= 1
            if not in_window[alike[start].user]:
                del in_window[alike[start].user]
            start += 1
        if len(in_window) < trust.accounts:
            continue
        if not bursts or start >= reached:
            bursts.append([])
        bursts[-1].extend(alike[max(start, reached) : end + 1])
        reached = end + 1
    return bursts


def _burst(comments: Sequence[Feedback], of_user: Mapping[str, Sequence[Feedback]]) -> Burst:
    users = tuple(dict.fromkeys(one.user for one in comments))
    records = tuple(one.id for user in users for one in of_user[user])
    return Burst(comments[0].id, tuple(one.id for one in comments), users, comments[0].text or "", records)


def _place(one: Feedback) -> tuple[datetime, str]:
    return one.time, one.id


def _length(one: Feedback) -> float:
    """Words; of a script without spaces between them, two characters are about one."""
    text = plain(one.text or "")
    dense = len(_DENSE.findall(text))
    return len(_DENSE.sub(" ", text).split()) + dense / 2


def _key(one: Feedback, trust: Trust) -> tuple[str, str]:
    """What a comment is compared by: its text, and of a short one the item."""
    return (str(one.item) if _length(one) < trust.words else "", plain(one.text or ""))
