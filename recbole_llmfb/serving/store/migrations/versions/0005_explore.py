"""Whether a slate spent a place on learning."""

import sqlalchemy as sa
from alembic import op

revision = "0005_explore"
down_revision = "0004_versions_and_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("slate", schema=None) as batch_op:
        batch_op.add_column(sa.Column("explore", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("slate", schema=None) as batch_op:
        batch_op.drop_column("explore")
