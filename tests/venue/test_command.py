"""`tradeagent exchange` as a process: what it prints, refuses and survives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from hyperliquid.utils.signing import get_timestamp_ms, sign_l1_action

from tests.venue.server import ENOUGH, Venue, wallet
from tradeagent.cli import main


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tradeagent", "exchange", *arguments],
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--speed", "0"),
        ("--balance", "0"),
        ("--balance", "much"),
        ("--network", "other"),
        ("--since", "2026-01-01T00:00:00Z"),
        ("--origin", "noon"),
        ("--symbol", "BTC"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(
    arguments: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed on standard output, where the URLs would be."""
    monkeypatch.setattr(sys, "argv", ["tradeagent", "exchange", "--port", "0", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {arguments[0]}:")
    assert len(said.err.splitlines()) == 1


def test_a_killed_venue_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its first line tells where it is, a second is kept off its state, kill -9 loses nothing."""
    state = tmp_path / "state"
    key = wallet(60_000)

    def body(nonce: int, action: dict[str, Any]) -> dict[str, Any]:
        signature = sign_l1_action(key, action, None, nonce, None, False)
        return {"action": action, "nonce": nonce, "signature": signature}

    nonce = get_timestamp_ms()
    with Venue(tmp_path / "log", "--state", str(state), "--seed", "3") as venue:
        assert venue.url.startswith("http://127.0.0.1:")
        assert venue.ws == venue.url.replace("http", "ws") + "/ws"
        port = venue.url.rsplit(":", 1)[1]
        taken = run("--port", port)
        assert taken.returncode == 1
        assert taken.stderr.startswith(f"error: --port: 127.0.0.1:{port} cannot be used")
        second = run("--port", "0", "--state", str(state))
        assert second.returncode == 73
        mids: Any = venue.info("allMids")
        price = str(int(float(mids["BTC"]) * 0.8))
        one = {"a": 0, "b": True, "p": price, "s": "0.01", "r": False}
        order = {
            "type": "order",
            "orders": [{**one, "t": {"limit": {"tif": "Gtc"}}}],
            "grouping": "na",
        }
        answer = requests.post(f"{venue.url}/exchange", json=body(nonce, order), timeout=ENOUGH)
        oid = answer.json()["response"]["data"]["statuses"][0]["resting"]["oid"]
        venue.process.send_signal(signal.SIGKILL)
        venue.process.wait(ENOUGH)
    with Venue(tmp_path / "log", "--state", str(state), "--seed", "3") as venue:
        shown: Any = venue.info("openOrders", user=key.address)
        assert [one["oid"] for one in shown] == [oid]
        answer = requests.post(f"{venue.url}/exchange", json=body(nonce, order), timeout=ENOUGH)
        assert answer.json()["response"] == f"Invalid nonce: duplicate nonce {nonce}"
        assert venue.stop() == 0
    assert (tmp_path / "log").read_text(encoding="utf-8") == ""


def test_equal_clocks_show_equal_times(tmp_path: Path) -> None:
    """Two venues given the same origin, speed and moment agree without talking."""
    options = ("--origin", "2026-03-01T00:00:00Z", "--since", "2026-02-01T00:00:00Z")
    with (
        Venue(tmp_path / "a", *options, "--speed", "2") as one,
        Venue(tmp_path / "b", *options, "--speed", "2") as other,
    ):
        times = [json.loads(requests.get(v.admin, timeout=ENOUGH).text) for v in (one, other)]
    assert 0 <= times[1]["time"] - times[0]["time"] < 1000
