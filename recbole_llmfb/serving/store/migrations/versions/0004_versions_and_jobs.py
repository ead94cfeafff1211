"""Which version was served from when to when, and trainings that somebody asked for. Nobody wrote `bundle` before."""

import sqlalchemy as sa
from alembic import op

revision = "0004_versions_and_jobs"
down_revision = "0003_undoes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("bundle", schema=None) as batch_op:
        batch_op.add_column(sa.Column("model", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("pruned_us", sa.BigInteger(), nullable=True))
        batch_op.drop_column("champion_since_us")
    with op.batch_alter_table("bundle", schema=None) as batch_op:
        batch_op.alter_column("model", existing_type=sa.String(), existing_nullable=False, server_default=None)
        batch_op.create_index(batch_op.f("ix_bundle_model"), ["model"], unique=False)
    _create_versions()
    _create_jobs()


def _create_versions() -> None:
    op.create_table(
        "alias",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("name IN ('champion', 'challenger')", name=op.f("ck_alias_name")),
        sa.ForeignKeyConstraint(["version"], ["bundle.version"], name=op.f("fk_alias_version")),
        sa.PrimaryKeyConstraint("model", "name", name=op.f("pk_alias")),
    )
    op.create_table(
        "served",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["bundle.version"], name=op.f("fk_served_version")),
        sa.PrimaryKeyConstraint("model", "position", name=op.f("pk_served")),
    )


def _create_jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("tail", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("timeout_s", sa.Float(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("process_group", sa.Integer(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("sent_us", sa.BigInteger(), nullable=True),
        sa.Column("started_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("lease_us", sa.BigInteger(), nullable=True),
        sa.Column("cancel_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_job_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_created_us"), ["created_us"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_state"), ["state"], unique=False)

    op.create_table(
        "worker",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
    )


def downgrade() -> None:
    op.drop_table("worker")
    op.drop_table("job")
    op.drop_table("served")
    op.drop_table("alias")
    with op.batch_alter_table("bundle", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bundle_model"))
    with op.batch_alter_table("bundle", schema=None) as batch_op:
        batch_op.add_column(sa.Column("champion_since_us", sa.BigInteger(), nullable=True))
        batch_op.drop_column("pruned_us")
        batch_op.drop_column("model")
