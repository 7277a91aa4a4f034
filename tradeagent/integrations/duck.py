"""DuckDB in memory, which reads and writes Parquet; imported here and nowhere else."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from tradeagent.errors import DataError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "384MB"
"""What DuckDB may use before it writes to the disk; the daemon's machine may have 1 GB."""
THREADS = 2


def duck(wanted_for: str) -> DuckDBPyConnection:
    """Open a database in memory; raises DataError, naming what it is for, without duckdb.

    Each caller opens its own: the threads of one that was kept would be missing after a fork.
    """
    try:
        import duckdb
    except ImportError as error:
        raise DataError(f"{wanted_for} needs duckdb: pip install 'tradeagent[research]'") from error
    options: dict[str, str | bool | int | float | list[str]] = {
        "threads": THREADS,
        "memory_limit": MEMORY,
        "temp_directory": tempfile.gettempdir(),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(config=options)


def asked(
    connection: DuckDBPyConnection, sql: str, file: str, remedy: str = "write it again"
) -> DuckDBPyConnection:
    """Run a query over Parquet; raises DataError, naming `file`, where that cannot be read."""
    import duckdb

    try:
        return connection.execute(sql)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file}: is not whole Parquet ({reason}); {remedy}") from error


def quoted(text: object) -> str:
    """Return a value as SQL text."""
    return "'" + str(text).replace("'", "''") + "'"


def named(column: str) -> str:
    """Return the name of a column as SQL writes it."""
    return '"' + column.replace('"', '""') + '"'
