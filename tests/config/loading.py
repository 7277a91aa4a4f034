"""Load a configuration from texts, with nothing from this machine in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tradeagent.config import Loaded, SecretSource, load


def load_text(
    folder: Path,
    *texts: str,
    profile: str | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    env: str | None = None,
    secrets: SecretSource | None = None,
) -> Loaded:
    """Load `texts` as files 1.yaml, 2.yaml ... of `folder`, and `env` as its `.env`."""
    files = []
    for number, text in enumerate(texts, start=1):
        files.append(folder / f"{number}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    env_file = folder / ".env"
    if env is not None:
        env_file.write_text(env, encoding="utf-8")
    return load(profile, files, overrides or {}, environ or {}, env_file, secrets)


def said(loaded: Loaded, folder: Path) -> list[str]:
    """Return the mistakes, files named without their folder."""
    return [mistake.replace(f"{folder}/", "") for mistake in loaded.mistakes]
