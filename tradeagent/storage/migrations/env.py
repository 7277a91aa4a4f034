"""Run the revisions on the connection `upgrade` brings along."""

from __future__ import annotations

from alembic import context

from tradeagent.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
