"""Alembic's entry: runs migrations on the connection that `database.upgrade` hands over, or a developer's `-x url=...`."""

from alembic import context
from sqlalchemy import Connection, create_engine

from recbole_llmfb.serving.store.tables import Table


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as opened:
        _run(opened)
