"""Create the journal and its state tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

KINDS: dict[str, TypeEngine[Any]] = {
    "long": sa.BigInteger().with_variant(sa.Integer, "sqlite"),
    "word": sa.String(),
    "text": sa.Text(),
    "bytes": sa.LargeBinary(),
    "real": sa.Float(),
}
TABLES = {
    "analyses": (
        "seq:long! ts:long type:word source:word symbol:word author:word valid_until:long "
        "payload:text"
    ),
    "bars": (
        "symbol:word! timeframe:word! time:long! open:real high:real low:real close:real "
        "volume:real"
    ),
    "config": (
        "epoch:long! seq:long ts:long configuration:word profile:word version:word code:word "
        "payload:text"
    ),
    "events": ("seq:long! ts:long type:word source:word subject:word payload:text"),
    "fills": (
        "cloid:word! tid:word! seq:long ts:long source:word intent_id:word symbol:word side:word "
        "size:word price:word fee:word strategy:word time:long payload:text"
    ),
    "incidents": (
        "seq:long! ts:long type:word source:word code:word severity:word symbol:word? payload:text"
    ),
    "intents": (
        "intent_id:word! symbol:word strategy:word seq:long? ts:long? side:word? request:text? "
        "assessed_seq:long? assessed_ts:long? assessed_by:word? verdict:word? reasons:text? "
        "cloid:word? assessment:text?"
    ),
    "journal": (
        "seq:long! ts:long type:word source:word epoch:long cause:long trace:long derived:long "
        "wire_id:word? payload:bytes prev_hash:bytes hash:bytes"
    ),
    "orders": (
        "cloid:word! seq:long ts:long source:word intent_id:word symbol:word side:word "
        "strategy:word status:word open:long size:word filled:word payload:text"
    ),
    "positions": (
        "symbol:word! seq:long ts:long size:word entry_price:word realised_pnl:word fees:word "
        "funding:word payload:text"
    ),
    "runtime_state": ("type:word! name:word! scope:word! seq:long ts:long value:text"),
}
"""Each column with its kind; `!` marks the key, `?` what may be missing."""
INDEXES = {
    "events_subject": ("events", ["subject", "seq"]),
    "fills_seq": ("fills", ["seq"]),
    "fills_time": ("fills", ["time"]),
    "intents_assessed": ("intents", ["assessed_seq"]),
    "intents_cloid": ("intents", ["cloid"]),
    "orders_intent": ("orders", ["intent_id"]),
    "orders_open": ("orders", ["open", "ts"]),
    "orders_seq": ("orders", ["seq"]),
}
CLUSTERED = {"bars", "runtime_state"}


def upgrade() -> None:
    """Create everything."""
    for table, columns in TABLES.items():
        options = {"sqlite_with_rowid": False} if table in CLUSTERED else {}
        op.create_table(table, *map(_column, columns.split()), **options)
    for index, (table, names) in INDEXES.items():
        op.create_index(index, table, names)


def _column(text: str) -> sa.Column[Any]:
    name, _, kind = text.partition(":")
    return sa.Column(
        name,
        KINDS[kind.rstrip("!?")],
        primary_key=kind.endswith("!"),
        nullable=kind.endswith("?"),
        autoincrement=False,
    )
