"""Write the reference pages: messages, configuration, commands and figures, from the code.

Usage: python docs/generate.py            (a test fails when a page is not what this would write)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

HERE = Path(__file__).parent
MADE = "<!-- made by docs/generate.py; change the code, not this page -->\n\n"


def messages_page() -> str:
    """Return the reference of every message."""
    from tradeagent.messages import SCHEMA_VERSION, Message

    lines = [
        "# Messages\n",
        f"Schema version {SCHEMA_VERSION}. Times are UTC nanoseconds.\n",
        "Money, prices and sizes from `ORDER_REQUEST` on are decimal strings in JSON.\n",
        "| Message | Delivery | Expires |",
        "|---|---|---|",
    ]
    kinds = {
        wire: kind
        for wire, kind in sorted(Message.kinds.items())
        if kind.__module__.startswith("tradeagent.")
    }
    for wire, kind in kinds.items():
        expires = "by `valid_until`" if kind.expires else ""
        lines.append(f"| [`{wire}`](#{wire.lower()}) | {kind.delivery.value} | {expires} |")
    for wire, kind in kinds.items():
        lines += [f"\n## {wire}\n", _paragraphs(kind.__doc__ or ""), ""]
        lines += ["| field | type | default |", "|---|---|---|"]
        for name, field in kind.model_fields.items():
            default = "required" if field.is_required() else f"`{_default(field)}`"
            lines.append(f"| `{name}` | `{_type(field.annotation)}` | {default} |")
    return MADE + "\n".join(lines) + "\n"


def sections() -> dict[str, type[BaseModel]]:
    """Return the model of each section besides our own settings, by where it stands."""
    from tradeagent.plan import SECTIONS
    from tradeagent.strategies import BUILT_IN, load_strategy

    params = {
        f"strategies.<name>.params (type: {name})": load_strategy(name).Params for name in BUILT_IN
    }
    return {**SECTIONS, **params}


def configuration_page() -> str:
    """Return the reference of every setting."""
    from tradeagent.config import reference

    return MADE + reference(sections())


def commands_page() -> str:
    """Return the help of every command."""
    from typer.testing import CliRunner

    from tradeagent.cli import COMMANDS, command, usage

    runner = CliRunner()
    lines = ["# Commands\n", "```text", usage().rstrip(), "```\n"]
    for name in COMMANDS:
        app = command(name)
        subs = (
            [one.name or "" for one in app.registered_commands] if app.registered_callback else []
        )
        for sub in ("", *sorted(subs)):
            words = [sub, "--help"] if sub else ["--help"]
            shown = runner.invoke(app, words, prog_name=f"tradeagent {name}", terminal_width=90)
            text = shown.output.rstrip()
            lines += [f"## tradeagent {name} {sub}".rstrip() + "\n", "```text", text, "```\n"]
    return MADE + "\n".join(lines)


def metrics_page() -> str:
    """Return the reference of every figure of a backtest."""
    from tradeagent.quant.meanings import GROUPS

    lines = [
        "# Figures of a backtest\n",
        "Every figure of `summary.json` (under `metrics`) and of the [report](reports.md), with",
        "its definition. A year has 365 days; days are in UTC; money is in quote currency. A ratio",
        "of 0.01 is printed as 1 %. What is undefined is `null`, and `-` in print.",
    ]
    for heading, group in GROUPS.items():
        lines += [f"\n## {heading}\n", "| field | title | unit | definition |", "|---|---|---|---|"]
        for field, meaning in group.items():
            definition = meaning.definition.replace("|", "\\|")
            lines.append(f"| `{field}` | {meaning.title} | {meaning.unit} | {definition} |")
    return MADE + "\n".join(lines) + "\n"


def _paragraphs(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _type(annotation: object) -> str:
    text = (
        str(getattr(annotation, "__name__", annotation))
        if isinstance(annotation, type)
        else str(annotation)
    )
    for noise in (
        "tradeagent.messages.orders.",
        "tradeagent.messages.risk.",
        "tradeagent.messages.market.",
        "tradeagent.messages.system.",
        "tradeagent.messages.base.",
        "typing.",
        "decimal.",
        "<class '",
        "'>",
    ):
        text = text.replace(noise, "")
    import re

    text = re.sub(r"Annotated\[(\w+), .*?\)\]", r"\1", text)
    return text.replace("|", "or")


def _default(field: object) -> str:
    value = getattr(field, "default", None)
    return str(getattr(value, "value", value)) or '""'


PAGES = {
    "messages.md": messages_page,
    "configuration.md": configuration_page,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
