"""What the door lets through: signers, agents, nonces, expiry, budgets and shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hyperliquid.utils import signing as sdk

from tests.venue.place import Place, Trader, cancel, opened, order, trader
from tests.venue.server import wallet
from tradeagent.simulation.venue.intake import Rules

DONE = {"status": "ok", "response": {"type": "default"}}
NOOP = {"type": "noop"}


def err(text: str) -> dict[str, str]:
    """Return a refusal of a whole action."""
    return {"status": "err", "response": text}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A venue in which every signer has an account."""
    async with opened() as made:
        yield made


@pytest.fixture
async def strict() -> AsyncIterator[Place]:
    """A venue that knows only who has signed for itself."""
    async with opened(Rules(limited=False, open_accounts=False)) as made:
        yield made


async def test_an_unknown_signer_is_told_its_address(strict: Place) -> None:
    """A stranger, and whoever signed something else than was sent, is nobody."""
    stranger = trader(strict, 1)
    answer = await stranger.act(NOOP)
    assert answer == err(f"User or API Wallet {stranger.user} does not exist.")
    body = stranger.signed(order("60000.0"))
    answer = (await strict.ask("/exchange", body))[1]
    assert answer["response"].startswith("User or API Wallet 0x")
    assert stranger.user not in answer["response"]


async def test_an_agent_acts_for_its_master_and_for_nobody_else(strict: Place) -> None:
    """It trades on the master's account, cannot move money, and ends when it is replaced."""
    master, first, second = (trader(strict, number) for number in (1, 2, 3))
    answer = await master.act(NOOP)
    assert answer["status"] == "err"
    await master.approve(first.key, "one")
    assert await master.act(NOOP) == DONE
    oid = await first.rest()
    assert [one["oid"] for one in await strict.info("openOrders", user=master.user)] == [oid]
    assert await strict.info("openOrders", user=first.user) == []
    answer = await first.send(
        "usdSend", sdk.sign_usd_transfer_action, destination=master.user, amount="1.0"
    )
    assert answer == err(f"Must deposit before performing actions. User: {first.user}")
    await master.approve(second.key, "one")
    assert await second.status(cancel(oid)) == "success"
    answer = await first.act(NOOP)
    assert answer == err(f"User or API Wallet {first.user} does not exist.")


async def test_both_networks_sign_unless_one_is_chosen() -> None:
    """A mainnet signature is found beside a testnet one, and refused where only that counts."""
    for network, accepted in (("any", (0, 1)), ("mainnet", (1,)), ("testnet", (0,))):
        rules = Rules(network, limited=False)
        async with opened(rules) as place:
            master = trader(place, 1)
            await place.info("clearinghouseState", user=master.user)
            for mainnet in (0, 1):
                await master.act(order("1000"), mainnet=bool(mainnet))
                seen = await place.info("historicalOrders", user=master.user)
                assert bool(seen) == (mainnet in accepted), (network, mainnet)
                if seen:
                    break


async def test_a_nonce_counts_for_the_key_that_signs(place: Place) -> None:
    """Duplicates and old ones are refused in the venue's words; agents have nonces of their own."""
    master, agent = trader(place, 1), trader(place, 2)
    await master.approve(agent.key)
    used = master.nonce()
    assert await master.act(NOOP, used) == DONE
    assert await master.act(NOOP, used) == err(f"Invalid nonce: duplicate nonce {used}")
    assert await agent.act(NOOP, used) == DONE
    assert await master.act(NOOP, used - 10_000) == DONE
    old = used - 3 * 86_400_000
    assert (await master.act(NOOP, old))["response"].startswith("Invalid nonce: nonce too low")
    ahead = used + 2 * 86_400_000
    assert (await master.act(NOOP, ahead))["status"] == "err"
    answer = await master.act(order("1"), used)
    assert answer == err(f"Invalid nonce: duplicate nonce {used}")


async def test_a_refused_order_burns_its_nonce_and_an_expired_one_does_not(place: Place) -> None:
    """What the engine judged is used up; what the door turned away may be signed again."""
    master = trader(place, 1)
    nonce = master.nonce()
    status = await master.status(order("1", "0.00001"), nonce=nonce)
    assert "error" in status
    assert await master.act(NOOP, nonce) == err(f"Invalid nonce: duplicate nonce {nonce}")
    late = master.nonce()
    answer = await master.act(NOOP, late, expires=late - 5_000)
    assert answer == err("Action already expired")
    assert await master.act(NOOP, late) == DONE


async def test_a_replayed_request_changes_nothing(place: Place) -> None:
    """The very same bytes sent twice place one order."""
    master = trader(place, 1)
    body = master.signed(order(await place.price(part=0.8)))
    first = (await place.ask("/exchange", body))[1]
    again = (await place.ask("/exchange", body))[1]
    assert first["status"] == "ok"
    assert again == err(f"Invalid nonce: duplicate nonce {body['nonce']}")
    assert len(await place.info("openOrders", user=master.user)) == 1


async def test_a_batch_beyond_two_hundred_is_refused_whole(place: Place) -> None:
    """201 cancels are too heavy, 200 are not."""
    master = trader(place, 1)
    many = [{"a": 0, "o": number} for number in range(201)]
    answer = await master.act({"type": "cancel", "cancels": many})
    assert answer == err("Signed action over weight limit of 200.")
    answer = await master.act({"type": "cancel", "cancels": many[:200]})
    assert len(answer["response"]["data"]["statuses"]) == 200


async def test_a_user_signed_action_stands_for_its_own_nonce_and_network(place: Place) -> None:
    """Outer nonce, expiry and network must be those of what was signed."""
    master = trader(place, 1)
    nonce = master.nonce()
    action = {"destination": wallet(1).address, "amount": "1.0", "time": nonce, "type": "usdSend"}
    signature = sdk.sign_usd_transfer_action(master.key, action, False)
    body = {"action": action, "nonce": nonce + 1, "signature": signature}
    status, answer = await place.ask("/exchange", body)
    assert (status, answer["status"]) == (200, "err")
    body = {**body, "nonce": nonce, "expiresAfter": nonce + 60_000}
    assert (await place.ask("/exchange", body))[1]["status"] == "err"
    body["expiresAfter"] = None
    assert (await place.ask("/exchange", body))[1] == DONE
    answer = (await place.ask("/exchange", body))[1]
    assert answer == err(f"Invalid nonce: duplicate nonce {nonce}")


async def test_a_broken_signature_has_no_signer(place: Place) -> None:
    """Numbers off the curve are told apart from a stranger's."""
    body = trader(place, 1).signed(NOOP)
    body["signature"] = {"r": "0x0", "s": "0x1", "v": 27}
    assert (await place.ask("/exchange", body))[1] == err("Unable to recover signer.")


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "1"},
        {"nonce": None},
        {"signature": None},
        {"signature": {"r": "zz", "s": "0x1", "v": 27}},
        {"vaultAddress": "0x12"},
        {"expiresAfter": "soon"},
        {"more": 1},
        {"action": {"type": "noop", "more": 1}},
        {"action": []},
    ],
)
async def test_an_envelope_of_another_shape_is_answered_with_422(
    place: Place, change: dict[str, object]
) -> None:
    """In plain text, so that no client takes it for an answer."""
    body = {**trader(place, 1).signed(NOOP), **change}
    status, text = await place.ask("/exchange", body)
    assert status == 422
    assert text.startswith("Failed to deserialize the JSON body into the target type")


async def test_the_weight_of_an_ip_is_limited_by_the_minute() -> None:
    """1200 a minute over all paths, then 429, and a minute later it goes on."""
    async with opened(Rules(), speed=40.0) as place:
        query = {"type": "userRole", "user": USER}
        statuses = [(await place.ask("/info", query))[0] for _ in range(21)]
        assert statuses == [200] * 20 + [429]
        assert (await place.ask("/exchange", trader(place).signed(NOOP)))[0] == 429
        await place.later(61)
        assert (await place.ask("/info", {"type": "meta"}))[0] == 200


USER = "0x" + "1" * 40


async def test_an_account_without_requests_left_acts_every_ten_seconds() -> None:
    """Refusals name the figures and cost nothing; cancels have a ceiling of their own."""
    async with opened(Rules(), speed=1.0) as place:
        master = trader(place, 1)
        oid = await master.rest()
        used, allowed = place.floor.budget(master.user)
        assert used == 1
        place.floor.spent(master.user, allowed - used)
        assert await master.act(NOOP) == DONE
        answer = await master.act(NOOP)
        limit = await place.info("userRateLimit", user=master.user)
        assert answer["response"] == (
            f"Too many cumulative requests sent ({allowed + 2} > {allowed}) for cumulative volume "
            f"traded ${limit['cumVlm']}. Place taker orders to free up 1 request per USDC traded."
        )
        assert place.floor.budget(master.user)[0] == allowed + 1
        assert await master.status(cancel(oid)) == "success"


async def test_a_stale_expiry_costs_five_requests(place: Place) -> None:
    """What came too late weighs more than what came in time."""
    master: Trader = trader(place, 1)
    await master.act(NOOP)
    before = place.floor.budget(master.user)[0]
    await master.act(NOOP, expires=place.floor.now_ms() - 1)
    assert place.floor.budget(master.user)[0] == before + 5


async def test_what_was_used_is_used_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Nonces, budgets, agents and orders outlive the process."""
    state = tmp_path_factory.mktemp("state")
    async with opened(state=state) as place:
        master, agent = trader(place, 1), trader(place, 2)
        await master.approve(agent.key, "one")
        nonce = agent.nonce()
        price = await place.price(part=0.8)
        placed = await agent.status(order(price), nonce=nonce)
        used = place.floor.budget(master.user)
    async with opened(state=state) as place:
        agent.place = place
        answer = await agent.act(NOOP, nonce)
        assert answer == err(f"Invalid nonce: duplicate nonce {nonce}")
        assert place.floor.budget(master.user) == used
        (shown,) = await place.info("openOrders", user=master.user)
        assert shown["oid"] == placed["resting"]["oid"]
