"""Prefect's embedded database, as our server uses it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    # Prefect's import passes through libraries whose own deprecations are not ours to fix.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}"


async def read_then_write_while_another_writes(config: object) -> int:
    """Let two transactions read before either writes; return how many rows there are in the end."""
    import sqlalchemy as sa
    from prefect.server.database.configurations import AioSqliteConfiguration

    assert isinstance(config, AioSqliteConfiguration)
    engine = await config.engine()
    try:
        async with engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE events (number INTEGER)"))
        has_read = [asyncio.Event(), asyncio.Event()]

        async def add(number: int) -> None:
            async with await config.session(engine) as session, config.begin_transaction(session):
                await session.execute(sa.text("SELECT count(*) FROM events"))
                has_read[number].set()
                # The other has a second to read, too; where it must wait for its turn it will not.
                await asyncio.wait([asyncio.create_task(has_read[1 - number].wait())], timeout=1)
                await session.execute(sa.text("INSERT INTO events VALUES (:number)"), {"number": number})

        await asyncio.gather(add(0), add(1))
        async with engine.connect() as connection:
            return int((await connection.execute(sa.text("SELECT count(*) FROM events"))).scalar_one())
    finally:
        await engine.dispose()


def test_who_reads_before_writing_waits_for_others_in_place_of_failing(address: str) -> None:
    from flows.sqlite import WaitingSqlite

    assert asyncio.run(read_then_write_while_another_writes(WaitingSqlite(connection_url=address))) == 2


def test_the_server_uses_it_for_sqlite_only(address: str) -> None:
    from prefect.server.database.dependencies import provide_database_interface, temporary_database_config
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings

    from flows.sqlite import WaitingSqlite, let_writers_wait

    with temporary_database_config(None), temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: address}):
        let_writers_wait()
        assert isinstance(provide_database_interface().database_config, WaitingSqlite)
    postgresql = "postgresql+asyncpg://f2f:secret@127.0.0.1/f2f"
    with (
        temporary_database_config(None),
        temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: postgresql}),
    ):
        let_writers_wait()
        assert not isinstance(provide_database_interface().database_config, WaitingSqlite)
