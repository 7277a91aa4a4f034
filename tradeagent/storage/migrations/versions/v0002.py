"""Find fills by their number, and signals and views by who gave them on what."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

INDEXES = {
    "analyses_author": ("analyses", ["author", "symbol", "seq"]),
    "fills_tid": ("fills", ["tid"]),
}


def upgrade() -> None:
    """Create the indexes."""
    for index, (table, names) in INDEXES.items():
        op.create_index(index, table, names)
