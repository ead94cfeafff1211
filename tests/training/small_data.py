"""A small data set on disk with a known structure."""

from pathlib import Path

import numpy as np

USERS, ITEMS, EACH = 60, 50, 20
NAME = "checkerboard"


def write_checkerboard(folder: Path) -> None:
    """Even users take even items, odd users odd ones, but one in twenty: 20 interactions of each of 60 users with 50 items.

    Items are spread evenly over time, so that a split by time has every item in its training part.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    inter = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    for user in range(USERS):
        same = rng.permutation(np.arange(user % 2, ITEMS, 2))[: EACH - 1]
        other = rng.permutation(np.arange(1 - user % 2, ITEMS, 2))[:1]
        for step, item in enumerate(rng.permutation(np.concatenate([same, other]))):
            rating = 5 if item % 2 == user % 2 else 2
            inter.append(f"u{user}\ti{item}\t{rating}\t{1_000_000_000 + 60 * (USERS * step + user)}")
    item_rows = [f"i{item}\t{1990 + item % 10}\t{'even' if item % 2 == 0 else 'odd'} kind{item % 3}" for item in range(ITEMS)]
    user_rows = [f"u{user}\t{'MF'[user % 2]}" for user in range(USERS)]
    kg = [f"e{item}\tparity\tp{item % 2}" for item in range(ITEMS)] + [f"e{item}\tyear\ty{item % 10}" for item in range(ITEMS)]
    files = {
        "inter": inter,
        "item": ["item_id:token\tyear:token\tclass:token_seq", *item_rows],
        "user": ["user_id:token\tgender:token", *user_rows],
        "kg": ["head_id:token\trelation_id:token\ttail_id:token", *kg],
        "link": ["item_id:token\tentity_id:token", *(f"i{item}\te{item}" for item in range(ITEMS))],
    }
    for suffix, rows in files.items():
        (folder / f"{NAME}.{suffix}").write_text("\n".join(rows) + "\n", encoding="utf-8")
