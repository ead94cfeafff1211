"""What is held back from training until a person has looked at it."""

import sqlalchemy as sa
from alembic import op

revision = "0006_review"
down_revision = "0005_explore"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("feedback", sa.String(), nullable=False),
        sa.Column("burst", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("held_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.CheckConstraint("status IN ('held', 'released', 'rejected')", name=op.f("ck_review_status")),
        sa.ForeignKeyConstraint(["feedback"], ["feedback.id"], name=op.f("fk_review_feedback"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feedback", name=op.f("pk_review")),
    )
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_burst"), ["burst"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_status_held_us"), ["status", "held_us"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_status_held_us"))
        batch_op.drop_index(batch_op.f("ix_review_burst"))

    op.drop_table("review")
