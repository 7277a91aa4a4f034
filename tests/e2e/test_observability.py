"""What a scrape and a probe of a running daemon tell."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from tests.e2e.daemon import Process, run

LISTENS = {"TRADEAGENT__API__ENABLED": "true", "TRADEAGENT__API__PORT": "0"}
PROMISED = set(re.findall(r"`(tradeagent_[a-z_]+)", Path("docs/operating.md").read_text("utf-8")))
pytestmark = pytest.mark.timeout(90)


def address(daemon: Process) -> str:
    """Return where a daemon answers."""
    daemon.until_said("metrics and health on ")
    found = re.search(r"metrics and health on (http://127\.0\.0\.1:\d+)", daemon.log.read_text())
    assert found is not None
    return found[1]


def ask(url: str) -> tuple[int, str]:
    """Return status and body of an answer, whatever the status."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def samples(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample of a scrape by name and labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families(ask(f"{url}/metrics")[1])
        for one in family.samples
    }


def test_a_trading_daemon_shows_all_that_is_promised(tmp_path: Path) -> None:
    """Every metric of the operating page is there, whole, and follows a halt; probes say yes."""
    daemon = Process(tmp_path / "state", "--speed", "600", **LISTENS)
    url = address(daemon)
    daemon.until_said("fill ", 2)

    assert ask(f"{url}/livez") == (200, '{"alive": true}')
    status, body = ask(f"{url}/readyz")
    assert (status, json.loads(body)["trading_state"]) == (200, "ACTIVE")
    before = samples(url)
    shown = {re.sub(r"_(bucket|sum|count|info)$", "", name) for name, _ in before}
    without = {"tradeagent_build", "tradeagent_agent_errors_total", "tradeagent_bus_dropped_total"}
    seldom = {"tradeagent_risk_alerts_total", "tradeagent_incidents_open"}
    seldom |= {"tradeagent_risk_rejections_total", "tradeagent_rate_limit_remaining"}
    promised = {re.sub(r"_info$", "", name) for name in PROMISED}
    assert len(PROMISED) > 15
    assert promised - shown <= without | seldom  # what has not happened has no sample
    assert before["tradeagent_trading_state", (("state", "ACTIVE"),)] == 1
    _histogram_is_whole(before)

    run("halt", "--reason", "to see it", "--state", str(daemon.state))
    after = samples(url)
    assert after["tradeagent_trading_state", (("state", "HALTED"),)] == 1
    assert after["tradeagent_trading_state", (("state", "ACTIVE"),)] == 0
    assert daemon.interrupt() == 0


def _histogram_is_whole(
    shown: dict[tuple[str, tuple[tuple[str, str], ...]], float],
) -> None:
    name = "tradeagent_message_handling_seconds"
    buckets = {
        float(dict(labels)["le"]): value
        for (sample, labels), value in shown.items()
        if sample == f"{name}_bucket" and dict(labels)["agent"] == "risk"
    }
    counts = [buckets[bound] for bound in sorted(buckets)]
    assert len(counts) > 5
    assert counts == sorted(counts)
    assert counts[-1] == shown[f"{name}_count", (("agent", "risk"),)] > 0


def test_a_daemon_without_data_is_not_ready_and_says_why(tmp_path: Path) -> None:
    """Where nobody plays a market the probe is a no with its reason, while the daemon lives."""
    agents = "trading,risk,execution,monitor"
    daemon = Process(tmp_path / "state", "--agents", agents, **LISTENS)
    url = address(daemon)
    daemon.until_said("running from")

    status, body = ask(f"{url}/readyz")
    assert status == 503
    assert "no market data yet" in json.loads(body)["reasons"]
    assert ask(f"{url}/livez")[0] == 200
    assert ask(f"{url}/nothing")[0] == 404
    assert daemon.interrupt() == 0
