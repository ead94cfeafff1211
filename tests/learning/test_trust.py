"""What one user or a crowd of new accounts can teach is bounded, and what looks like a campaign is held, honest crowds apart."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.errors import UsageError
from recbole_llmfb.learning.trust import Trust, held, weights
from recbole_llmfb.schema import Feedback

NOW = datetime(2026, 11, 25, tzinfo=UTC)
PUSH = "everybody should really watch this wonderful film tonight"
TRUST = Trust()


def said(user: str, text: str | None = None, *, item: str | None = None, hours: float = 0.0, n: int = 0) -> Feedback:
    """Something that a user said, or clicked, so many hours before now."""
    time = NOW - timedelta(hours=hours)
    return Feedback(user, text=text, item=item, click=text is None, time=time, id=f"{user}-{hours}-{n}")


def crowd(count: int, text: str = PUSH, *, name: str = "new", item: str | None = None, every: float = 0.1) -> list[Feedback]:
    return [said(f"{name}{n}", text, item=item, hours=every * (count - n)) for n in range(count)]


def established(count: int) -> list[Feedback]:
    return [said(f"old{n}", item=f"own{n}", hours=1000) for n in range(count)]


# -- weights


def test_an_ordinary_user_counts_in_full() -> None:
    log = [said("a", item=str(n), hours=1000, n=n) for n in range(50)]
    assert set(weights(log, NOW).values()) == {1.0}


@given(st.integers(1, 900))
def test_one_user_never_counts_for_more_than_the_cap(count: int) -> None:
    log = [said("a", item=str(n), hours=1000, n=n) for n in range(count)]
    assert sum(weights(log, NOW).values()) == pytest.approx(min(count, TRUST.user_cap))


@given(st.integers(0, 300), st.integers(0, 40))
def test_new_accounts_lend_an_item_no_more_than_a_share_of_what_others_do(attackers: int, others: int) -> None:
    log = established(others) + [said(f"old{n}", item="pushed", hours=1, n=1) for n in range(others)]
    log += [said(f"new{n}", item="pushed", hours=1) for n in range(attackers)]
    found = weights(log, NOW)
    lent = sum(found[one.id] for one in log if one.user.startswith("new"))
    assert lent <= TRUST.item_floor + TRUST.item_share * others + 1e-9
    assert all(found[one.id] == 1.0 for one in log if one.user.startswith("old"))


def test_accounts_that_are_no_longer_new_count_in_full() -> None:
    log = [said(f"user{n}", item="premiere", hours=1) for n in range(50)]
    assert sum(weights(log, NOW).values()) == pytest.approx(TRUST.item_floor)
    assert sum(weights(log, NOW + TRUST.new_for).values()) == 50
    assert sum(weights(log, NOW, known={one.user for one in log}).values()) == 50


def test_every_feedback_has_a_weight_above_zero() -> None:
    log = crowd(400, item="pushed", every=0.001)
    assert set(weights(log, NOW)) == {one.id for one in log}
    assert all(0 < weight <= 1 for weight in weights(log, NOW).values())


# -- held


def test_a_burst_of_near_identical_comments_is_held_with_all_that_its_accounts_did() -> None:
    variants = [PUSH, PUSH.upper(), f"{PUSH}!!", PUSH.replace("film", "movie")]
    log = [said(f"new{n}", variants[n % 4], item="pushed", hours=2 + n / 100) for n in range(12)]
    clicks = [said(f"new{n}", item="pushed", hours=1) for n in range(12)]
    honest = [said("honest", "I liked how the camera moves through the house", item="pushed", hours=1)]
    (burst,) = held([*honest, *clicks, *log])
    assert set(burst.users) == {f"new{n}" for n in range(12)}
    assert set(burst.comments) == {one.id for one in log}
    assert set(burst.records) == {one.id for one in [*log, *clicks]}
    assert burst.id == burst.comments[0] == log[-1].id
    assert burst.example == log[-1].text


def test_fewer_accounts_or_more_time_is_no_burst() -> None:
    assert held(crowd(TRUST.accounts - 1)) == ()
    assert held(crowd(TRUST.accounts, every=30.0)) == ()
    assert len(held(crowd(TRUST.accounts))) == 1


def test_one_account_that_repeats_itself_is_no_crowd() -> None:
    assert held([said("new", PUSH, hours=n / 10, n=n) for n in range(50)]) == ()


@pytest.mark.parametrize("text", ["more comedy", "More comedy, please!", "更多喜剧"])
def test_a_crowd_that_says_the_same_few_words_is_not_held(text: str) -> None:
    assert held(crowd(200, text, every=0.01)) == ()


def test_few_words_about_one_item_are() -> None:
    assert len(held(crowd(20, "great film", item="pushed"))) == 1
    assert held([said(f"new{n}", "great film", item=f"own{n}", hours=n / 10) for n in range(20)]) == ()


def test_established_accounts_are_never_held() -> None:
    log = established(30) + crowd(30, name="old", item="pushed")
    assert held(log) == ()
    assert held(crowd(30), known={f"new{n}" for n in range(30)}) == ()


def test_what_an_account_said_when_it_was_established_is_not_held_with_it() -> None:
    later = said("new0", item="other", hours=-24 * 30)
    (burst,) = held([*crowd(10), later])
    assert later.id not in burst.records


def test_a_burst_keeps_its_id_as_it_grows_and_order_does_not_matter() -> None:
    log = crowd(20)
    (early,), (late,) = held(log[:10]), held(log)
    assert early.id == late.id
    assert set(early.records) < set(late.records)
    assert held(log[::-1]) == held(log)


def test_two_campaigns_are_two_bursts() -> None:
    other = "the worst thing that I have ever had to sit through, avoid"
    assert len(held(crowd(10) + crowd(10, other, name="foe"))) == 2


def test_the_same_words_a_week_later_are_another_burst() -> None:
    again = [said(f"more{n}", PUSH, hours=-200 + n / 10) for n in range(10)]
    assert len(held(crowd(10) + again)) == 2


@pytest.mark.parametrize("wrong", [{"user_cap": 0}, {"item_share": -1}, {"accounts": 1}, {"likeness": 0}])
def test_thresholds_that_cannot_be_are_an_error(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Trust(**wrong)  # type: ignore[arg-type]  # that is the point
