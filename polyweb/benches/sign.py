"""`bench sign`: from an approved order to the signed bytes of its request; how long one order takes.

Law: everything is measured in one process, in rounds that take turns, and medians are compared: a machine that is
busy slows all of them alike. Time is processor time of this thread. Nobody is timed who would send another order.

Measured are our signer and the venue's own clients doing the same work (amounts, order, signature, JSON body, no
network), each with the fast curve library and with the pure Python that stands in where it is not installed.
"""

import gc
import json
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from execution.signing import LocalSigner, OrderToSign, SignatureType, SigningKey, post_order_body, sandbox_key
from execution.signing.keys import coincurve_backend, eth_keys_backend
from markets.domain.events import Side
from polyweb.benches.bench import BenchError, Report, machine
from polyweb.benches.official import HAS_COINCURVE, Official, curve, official_clients

OWNER = "00000000-0000-4000-8000-000000000001"
CHAIN_ID = 137
OURS = "polyweb"
SLOWER = 10  # without the fast library only every tenth order of a round is signed
_CHOSEN_BY_EACH = ("salt", "timestamp", "signature")  # a client makes up the first two


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    fast: bool
    make: Callable[[Any], bytes]
    asked: Sequence[Any]


class Sign:
    help = "sign an order and build its request body, beside the venue's own clients"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=int, default=200, help="orders in a round (default 200)")
        parser.add_argument("--rounds", type=int, default=11)

    def run(self, options: Mapping[str, Any]) -> Report:
        if options["orders"] < SLOWER or options["rounds"] < 1:
            raise BenchError(f"--orders must be at least {SLOWER} and --rounds at least 1")
        orders = [_order(number) for number in range(1, options["orders"] + 1)]
        contestants = _contestants(orders)
        _check_same_orders(contestants)
        return _report(_measure(contestants, options["rounds"]), options)


def _order(number: int) -> OrderToSign:
    """An ordinary quote: one of two tokens, either side, a tick of a cent, whole hundredths of a share."""
    return OrderToSign(
        client_order_id=(number << 20) + 1,
        asset_id=str(7**90 + number % 2),
        side=Side.SELL if number % 3 == 0 else Side.BUY,
        price=100 * (1 + number % 99),
        size=5_000_000 + 10_000 * (number % 4_001),
        tick=100,
        neg_risk=number % 4 == 0,
        version="v1",
        timestamp_ms=1_795_305_600_000 + number,
        post_only=True,
    )


def _ours(fast: bool) -> Callable[[OrderToSign], bytes]:
    secret = bytes.fromhex(sandbox_key().reveal()[2:])
    key = SigningKey(secret, coincurve_backend if fast else eth_keys_backend)
    signer = LocalSigner(key, key.address, SignatureType.EOA, CHAIN_ID)

    def make(order: OrderToSign) -> bytes:
        return post_order_body(signer.sign_one(order), OWNER)

    return make


def _contestants(orders: Sequence[OrderToSign]) -> list[Contestant]:
    found: list[Contestant] = []
    for fast in (True, False) if HAS_COINCURVE else (False,):
        with curve(fast):
            clients = official_clients(sandbox_key(), CHAIN_ID, OWNER)
        own = Official(OURS, lambda order: order, _ours(fast))
        some = orders if fast else orders[::SLOWER]
        found += [
            Contestant(each.name, fast, each.make, [each.wanted(order) for order in some]) for each in (own, *clients)
        ]
    return found


def _check_same_orders(contestants: Sequence[Contestant]) -> None:
    """What each would send, but for what it makes up itself, is the same."""
    bodies = {}
    for each in contestants:
        with curve(each.fast):
            bodies[each.name] = [_comparable(each.make(asked)) for asked in each.asked[: SLOWER + 1 : SLOWER]]
    for name, made in bodies.items():
        if made != bodies[OURS]:
            raise BenchError(f"{name} makes another order of the same wish: {made} instead of {bodies[OURS]}")


def _comparable(body: bytes) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(body)
    for name in _CHOSEN_BY_EACH:
        del request["order"][name]
    return request


def _measure(contestants: Sequence[Contestant], rounds: int) -> dict[tuple[str, bool], float]:
    """Microseconds an order by name and whether the curve library is the fast one, medians over the rounds."""
    taken: dict[tuple[str, bool], list[float]] = {(each.name, each.fast): [] for each in contestants}
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(rounds):
            for each in contestants:
                with curve(each.fast):
                    taken[each.name, each.fast].append(_timed(each))
    finally:
        gc.enable()
        gc.unfreeze()
    return {who: median(times) for who, times in taken.items()}


def _timed(contestant: Contestant) -> float:
    make = contestant.make
    began = time.thread_time_ns()
    for asked in contestant.asked:
        make(asked)
    return (time.thread_time_ns() - began) / len(contestant.asked) / 1_000


def _report(times: Mapping[tuple[str, bool], float], options: Mapping[str, Any]) -> Report:
    ours = times[OURS, HAS_COINCURVE]
    # Ours against the fastest of them, each with the same curve library: what is ours of the difference.
    fastest = min(us for (name, fast), us in times.items() if name != OURS and fast is HAS_COINCURVE)
    official = {
        name: {
            "with_coincurve_us": _rounded(times.get((name, True))),
            "plainly_installed_us": _rounded(times[name, False]),
            "times_ours_with_coincurve": _times(times.get((name, True)), ours),
            "times_ours_plainly_installed": _times(times[name, False], ours),
        }
        for name in sorted({name for name, _ in times if name != OURS})
    }
    figures: dict[str, object] = {
        "us_per_order": round(ours, 2),
        "ratio_to_official": round(ours / fastest, 3),
        "official": official,
        "without_coincurve_us_per_order": round(times[OURS, False], 1),
        "coincurve": HAS_COINCURVE,
        "orders": options["orders"],
        "rounds": options["rounds"],
        "machine": machine(),
    }
    table = [
        ("sign + request body", f"{ours:.1f} us/order" + ("" if HAS_COINCURVE else ", without coincurve")),
        ("ratio to the fastest official client", f"{ours / fastest:.3f}"),
        *(
            (
                f"{name}, {'with coincurve' if fast else 'plainly installed'}",
                f"{us:.0f} us/order, {us / ours:.0f} x ours",
            )
            for (name, fast), us in times.items()
            if name != OURS
        ),
        ("ours without coincurve", f"{times[OURS, False]:.0f} us/order"),
        ("rounds", f"{options['rounds']} of {options['orders']} orders, medians, processor time"),
        ("machine", machine()),
    ]
    return Report(figures, tuple(table))


def _rounded(us: float | None) -> float | None:
    return None if us is None else round(us, 1)


def _times(us: float | None, ours: float) -> float | None:
    return None if us is None else round(us / ours, 1)
