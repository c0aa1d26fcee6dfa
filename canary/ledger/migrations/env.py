"""Tells Alembic to migrate within the transaction that `canary.ledger.schema` holds."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
