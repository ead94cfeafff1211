"""Commands that ask a bundle: `rank` and `recommend`."""

from typing import Annotated

import typer

from recbole_llmfb.cli.options import AsJson, BundlePath, Count, Explore, Lang, one_of
from recbole_llmfb.cli.printing import print_slate


def rank(
    bundle: BundlePath,
    text: Annotated[str, typer.Option(help="What somebody says.")],
    history: Annotated[str, typer.Option(help="Item ids, separated by commas.")] = "",
    exclude: Annotated[str, typer.Option(help="Item ids, separated by commas.")] = "",
    k: Count = 10,
    lang: Lang = "en",
    explore: Explore = False,
    as_json: AsJson = False,
) -> None:
    """Rank items for a text and a history; nothing is remembered."""
    from recbole_llmfb.serving.recommender import Recommender

    recommender = Recommender.load(bundle)
    chosen = one_of("lang", lang, "en", "zh")
    slate = recommender.rank(text=text, history=_ids(history), exclude=_ids(exclude), k=k, lang=chosen, explore=explore)
    print_slate(slate, as_json=as_json)


def recommend(
    bundle: BundlePath,
    user: Annotated[str, typer.Option(help="A user id of the data; an unknown one is a new user.")],
    text: Annotated[str | None, typer.Option(help="What the user says.")] = None,
    k: Count = 10,
    lang: Lang = "en",
    explore: Explore = False,
    as_json: AsJson = False,
) -> None:
    """The next list of a user, after what the user says."""
    from recbole_llmfb.schema import Feedback
    from recbole_llmfb.serving.recommender import Recommender

    recommender = Recommender.load(bundle)
    chosen = one_of("lang", lang, "en", "zh")
    if text is None:
        slate = recommender.recommend(user, k=k, lang=chosen, explore=explore)
    else:
        slate = recommender.respond(Feedback(user, text=text), k=k, lang=chosen, explore=explore)
    print_slate(slate, as_json=as_json)


def _ids(listed: str) -> list[str]:
    return [one.strip() for one in listed.split(",") if one.strip()]
