"""The schema's revisions, in order, and the way from any of them to the last."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from tradeagent.crash import crashpoint


def script_directory() -> ScriptDirectory:
    """Return the revisions of this package."""
    return ScriptDirectory.from_config(_config())


def upgrade(engine: Engine, revision: str | None) -> bool:
    """Bring a database from `revision` to the last, all or nothing; returns False if unknown."""
    known = {script.revision for script in script_directory().walk_revisions()}
    if revision is not None and revision not in known:
        return False
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        crashpoint("CP10")
    return True


def _config() -> Config:
    config = Config()
    # a percent sign is Alembic's own
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
