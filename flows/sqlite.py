"""Prefect's embedded database with writers that wait for each other.

Imports Prefect's server, so the environment must be ready.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


class WaitingSqlite(AioSqliteConfiguration):
    """SQLite whose transactions take the right to write when they begin.

    Prefect's own begin with reading. If somebody else writes before they do, SQLite ends them at once with
    "database is locked" (SQLITE_BUSY_SNAPSHOT), whatever the timeout. The automations do so at every sign of
    life, and lose the event after four attempts: a run that dies then would never be noticed. Who asks at
    the beginning waits for up to a minute instead (``PRAGMA busy_timeout`` of Prefect).
    """

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        """Begin a transaction that may write, whatever ``with_for_update`` says."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def let_writers_wait() -> None:
    """Have the server of this process use ``WaitingSqlite``; of no effect with PostgreSQL."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(url).name == "sqlite":
        set_database_config(WaitingSqlite(connection_url=url))
