"""Carries out faults and healing on a running sandbox, and takes the orders for them over HTTP."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from canary.sandbox.broker import ImpossibleError
from canary.sandbox.doors import Mode as DoorMode
from canary.sandbox.faults import PART_KINDS, Fault, FaultError, fault_from
from canary.sandbox.gate import Gate
from canary.sandbox.gate import Mode as GateMode
from canary.sandbox.httpd import HttpServer, Request, Response
from canary.sandbox.supervisor import Parts, Sandbox

_LOG = logging.getLogger(__name__)
_TOPICS = ("raw", "processed")


class Control:
    """Faults of whole parts are carried out here; those of single events are left to the plan."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []
        self._gate = Gate()
        self._http = HttpServer(self._answer, gate=self._gate, name="control")

    def start(self) -> int:
        """The port on which orders are taken."""
        self._http.start()
        return self._http.port

    def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._gate.close()
        self._http.stop()

    def fault(self, fault: Fault) -> None:
        """Switch it on; raises ImpossibleError where this sandbox cannot."""
        parts = self._sandbox.parts
        with self._lock:
            undo = self._part(parts, fault)
            if undo is None:
                parts.plan.add(fault)
                return
            if fault.lasts is not None:
                timer = threading.Timer(
                    fault.lasts.total_seconds(), self._end, args=(undo, parts.plan.healings)
                )
                timer.daemon = True
                self._timers = [each for each in self._timers if each.is_alive()] + [timer]
                timer.start()

    def heal(self) -> None:
        """All faults off; whatever was frozen, shut or slow is as it was."""
        parts = self._sandbox.parts
        with self._lock:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
            parts.plan.clear()
            for gate in parts.gates.values():
                gate.set("open")
            parts.broker.heal()
            for door in _all_doors(parts):
                parts.doors.close(door, closed=False)
                parts.doors.switch(door, "open")
            parts.ingress.heal()
            parts.clickhouse.skew(timedelta())

    def status(self) -> dict[str, Any]:
        parts = self._sandbox.parts
        return {
            "faults": [
                {"kind": each.fault.kind, "at": each.fault.at, "left": each.left}
                for each in parts.plan.active()
            ],
            "gates": {name: gate.mode for name, gate in parts.gates.items()},
            "doors": {name: door.mode for name, door in parts.door.items()},
            "broker": parts.broker.outside,
        }

    def _end(self, undo: Callable[[], None], healed: int) -> None:
        """What has been healed since is not undone once more: it might be a fault of now that ends."""
        with self._lock:
            if healed == self._sandbox.parts.plan.healings:
                undo()

    def _part(self, parts: Parts, fault: Fault) -> Callable[[], None] | None:
        """Do what is done to a whole part, and say how to undo it; None where the plan has to."""
        if fault.kind == "blind":
            return _blind(parts, fault)
        if fault.kind == "skew":
            return _skew(parts, fault)
        if fault.kind in PART_KINDS and fault.at in _TOPICS:
            return _broker(parts, fault)
        if fault.kind in PART_KINDS or fault.at == "slack":
            return _server(parts, fault)
        return None

    def _answer(self, request: Request) -> Response:
        orders: dict[str, Callable[[dict[str, Any]], object]] = {
            "/fault": lambda options: self.fault(fault_from(options)),
            "/heal": lambda _: self.heal(),
            "/status": lambda _: self.status(),
        }
        order = orders.get(request.path)
        if order is None:
            return _json(404, {"error": f"control: there is no such order (got {request.path})"})
        try:
            return _json(200, order(json.loads(request.body or b"{}")))
        except (FaultError, json.JSONDecodeError) as error:
            return _json(400, {"error": str(error)})
        except ImpossibleError as error:
            return _json(409, {"error": str(error)})


def _json(status: int, body: object) -> Response:
    return Response(status, json.dumps(body or {}).encode(), {"Content-Type": "application/json"})


def _all_doors(parts: Parts) -> list[Any]:
    kafka = [] if parts.broker.door is None else [parts.broker.door]
    return [*parts.door.values(), *kafka]


def _blind(parts: Parts, fault: Fault) -> Callable[[], None]:
    door = parts.broker.door if fault.at in _TOPICS else parts.door[fault.at]
    if door is None:
        raise ImpossibleError(f"blind: there is no door before a broker that is not ours (got {fault.at})")
    parts.doors.switch(door, cast(DoorMode, fault.how))
    return lambda: parts.doors.switch(door, "open")


def _skew(parts: Parts, fault: Fault) -> Callable[[], None] | None:
    """The table's own times are shifted by a change of it, which has to go again when this fault goes."""
    if fault.at != "events":
        return None
    parts.plan.add(fault)
    parts.clickhouse.skew(parts.plan.skew("events"))

    def undo() -> None:
        parts.plan.remove(fault)
        parts.clickhouse.skew(parts.plan.skew("events"))

    return undo


def _broker(parts: Parts, fault: Fault) -> Callable[[], None]:
    if fault.kind == "slow":
        parts.broker.slow(fault.by)
    else:
        {"freeze": parts.broker.freeze, "down": parts.broker.down, "restart": parts.broker.restart}[
            fault.kind
        ]()
    return parts.broker.heal


def _server(parts: Parts, fault: Fault) -> Callable[[], None]:
    gate = parts.gates[fault.at]
    if fault.kind == "restart":
        parts.restart[fault.at]()
        return lambda: None
    gate.set(cast(GateMode, fault.kind), by=fault.by)
    door = parts.door.get(fault.at)
    if fault.kind == "down" and door is not None:
        parts.doors.close(door, closed=True)

    def undo() -> None:
        gate.set("open")
        if door is not None:
            parts.doors.close(door, closed=False)

    return undo
