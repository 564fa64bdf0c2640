"""The edge of the gateway: request ids, errors rendered once, the access log."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from aiohttp import hdrs
from multidict import CIMultiDict

from gateway.errors import GatewayError, InternalError, ServiceUnavailable
from gateway.s3.message import Body, Note, Reply, Request
from gateway.s3.xml import render_error
from gateway.web import access_log, request_ids
from gateway.web.access_log import Entry, Observer
from gateway.web.arrival import Arrival, Bodiless, Network
from gateway.web.asked import Asked
from gateway.web.cors import Cors, announced
from gateway.web.exchange import Door, Exchange
from gateway.web.headers import final_headers
from gateway.web.hosts import Hosts
from gateway.web.hypha import failures
from gateway.web.reply import Before, Sent, before_body, close, send, send_stream, send_whole
from gateway.web.telling import TELLING, telling
from gateway.web.websocket import Sockets, Upgrade

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = "1"
EDGE = "edge"
PREFLIGHT = "preflight"
CLIENT_LEFT = "ClientLeft"
_NOW = partial(datetime.now, UTC)
# No status went out, or nobody was there to hear it; nginx's number for that.
CLIENT_CLOSED_REQUEST = 499
SWITCHING = 101

# Of a request that came before, and was found to be meant for this door.
WAY: Note[tuple[Bodiless, Door]] = Note()


class Boundary:
    """The one handler of the web application: chooses the door, and answers for it.

    `choose` gives the door of a request by its method, path, query and headers. `hosts`
    refuses requests for others at every door but "operations"; `cors` answers preflights, and
    says of every answer which pages may read it. Every answered request is told to the
    `observers`.
    """

    def __init__(
        self,
        choose: Callable[[Request], Door],
        *,
        hosts: Hosts | None = None,
        cors: Cors | None = None,
        trusted: Sequence[Network] = (),
        observers: Sequence[Observer] = (access_log.write,),
        clock: Callable[[], datetime] = _NOW,
    ) -> None:
        self._choose = choose
        self._hosts = hosts or Hosts()
        self._cors = cors or Cors()
        self._trusted = trusted
        self._observers = observers
        self._clock = clock
        self._sockets = Sockets()

    async def handle(self, asked: Asked) -> Sent:
        """What was sent, whatever happened; only a connection that was cut has no answer."""
        started = time.monotonic()
        request_id = request_ids.draw()
        known = asked.known
        request = None if known is None else known.request
        way = None if request is None else request.notes.get(WAY)
        arrival, door = (Arrival(asked, self._trusted), None) if way is None else way
        exchange = Exchange(arrival.message, request_id, self._clock())
        try:
            if door is not None:
                reply = await door.answer(exchange)
            else:
                arrival.check()
                method = announced(exchange.request)
                # A preflight is for the door to which the request will come that it announces.
                door = self._choose(
                    replace(exchange.request, method=method) if method else exchange.request
                )
                if door.name != "operations":
                    self._hosts.check(exchange.request)
                if known is not None:
                    known.request = exchange.request
                    exchange.request.notes[WAY] = (Bodiless(exchange.request), door)
                if exchange.request.method == hdrs.METH_OPTIONS and door.methods:
                    exchange.notes.operation = PREFLIGHT
                    reply = self._cors.preflight(exchange.request, door, method)
                else:
                    reply = await door.answer(exchange)
            told = self._send(asked, arrival, exchange, door, reply)
            sent = told if isinstance(told, Sent) else await told
        except Exception as error:  # noqa: BLE001 - here, once, every failure becomes an answer
            refusal = self._refused(exchange, door, error)
            sent = await self._send_anew(asked, arrival, exchange, door, refusal)
        except asyncio.CancelledError:
            exchange.notes.error = CLIENT_LEFT
            seconds = time.monotonic() - started
            self._tell(exchange, arrival, door, None, seconds)
            raise
        if sent.failure is not None:
            self._note_cut(exchange, sent.failure)
        seconds = time.monotonic() - started
        self._tell(exchange, arrival, door, sent, seconds)
        return sent

    def leave(self) -> None:
        """Tell those whose connections last that the gateway stops."""
        self._sockets.leave()

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        """What was sent to who could not be understood; it ends the connection."""
        arrival = Arrival(asked)
        exchange = Exchange(arrival.message, request_ids.draw(), self._clock())
        exchange.notes.error = error.code
        reply = Reply(error.status, body=_xml(error, exchange))
        headers = final_headers(reply, exchange, None, self._cors)
        headers[hdrs.CONTENT_TYPE] = "application/xml"
        sent = await send(asked, reply, headers, last=True)
        self._tell(exchange, arrival, None, sent, 0.0)
        return sent

    def _send(
        self,
        asked: Asked,
        arrival: Arrival | Bodiless,
        exchange: Exchange,
        door: Door | None,
        reply: Reply | Upgrade,
    ) -> Sent | Awaitable[Sent]:
        """What was sent, or what is awaited for it."""
        if isinstance(reply, Upgrade):
            switching = final_headers(Reply(SWITCHING), exchange, door, self._cors)
            return self._sockets.switch(asked, switching, reply)
        if reply.of is None or asked.known is None:
            return self._send_anew(asked, arrival, exchange, door, reply)
        body = reply.body
        if not isinstance(body, bytes):
            return self._send_stream(asked, exchange, door, reply, body)
        return send_whole(asked, self._told(asked, exchange, door, reply), body)

    async def _send_stream(
        self, asked: Asked, exchange: Exchange, door: Door | None, reply: Reply, body: Body
    ) -> Sent:
        try:
            before = self._told(asked, exchange, door, reply)
        except BaseException:
            await close(body)
            raise
        return await send_stream(asked, before, body)

    async def _send_anew(
        self,
        asked: Asked,
        arrival: Arrival | Bodiless,
        exchange: Exchange,
        door: Door | None,
        reply: Reply,
    ) -> Sent:
        headers = final_headers(reply, exchange, door, self._cors)
        sent = await send(asked, reply, headers, last=arrival.last)
        if arrival.ended:
            asked.drop()
        return sent

    def _told(self, asked: Asked, exchange: Exchange, door: Door | None, reply: Reply) -> Before:
        """What goes before the body of a reply to a head that may come again."""
        request, request_id = exchange.request, exchange.request_id
        known = request.notes.get(TELLING)
        before = None if known is None else known.again(reply, request_id)
        if before is not None:
            return before
        before = before_body(asked, reply, final_headers(reply, exchange, door, self._cors))
        known = telling(reply, before, request_id)
        if known is not None:
            request.notes[TELLING] = known
        return before

    def _refused(self, exchange: Exchange, door: Door | None, error: Exception) -> Reply:
        if not isinstance(error, GatewayError):
            logger.error("request %s failed", exchange.request_id, exc_info=error)
            error = InternalError("the gateway failed; its log has the reason under this id")
        elif isinstance(error, ServiceUnavailable):
            logger.warning("request %s: %s", exchange.request_id, error.message)
        exchange.notes.error = error.code
        headers = CIMultiDict[str]()
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers[hdrs.RETRY_AFTER] = RETRY_AFTER_SECONDS
        if exchange.request.method == hdrs.METH_HEAD:
            return Reply(error.status, headers)
        name = EDGE if door is None else door.name
        if name == "s3":
            headers[hdrs.CONTENT_TYPE] = "application/xml"
            return Reply(error.status, headers, _xml(error, exchange))
        headers[hdrs.CONTENT_TYPE] = "application/json"
        told = failures.document(error) if name == "hypha" else _json(error)
        return Reply(error.status, headers, told)

    def _note_cut(self, exchange: Exchange, failure: Exception) -> None:
        notes = exchange.notes
        if isinstance(failure, ConnectionError):
            notes.error = notes.error or CLIENT_LEFT
        elif isinstance(failure, GatewayError):
            notes.error = failure.code
            logger.warning("request %s was cut off: %s", exchange.request_id, failure.message)
        else:
            notes.error = InternalError.code
            logger.error("request %s was cut off", exchange.request_id, exc_info=failure)

    def _tell(
        self,
        exchange: Exchange,
        arrival: Arrival | Bodiless,
        door: Door | None,
        sent: Sent | None,
        seconds: float,
    ) -> None:
        request, notes = exchange.request, exchange.notes
        entry = Entry(  # in the order of its fields: by their names it takes twice as long
            exchange.now,
            exchange.request_id,
            request.remote,
            EDGE if door is None else door.name,
            notes.operation,
            request.method,
            access_log.shown(request),
            CLIENT_CLOSED_REQUEST if sent is None else sent.status,
            arrival.received + (0 if sent is None else sent.received),
            0 if sent is None else sent.size,
            seconds,
            sent is not None and sent.failure is None,
            notes.access_key_id,
            notes.workspace,
            notes.error,
        )
        for observer in self._observers:
            observer(entry)


def _xml(error: GatewayError, exchange: Exchange) -> bytes:
    return render_error(
        error.code,
        error.message,
        resource=exchange.request.path,
        request_id=exchange.request_id,
        details=error.details,
    )


def _json(error: GatewayError) -> bytes:
    body = {"code": error.code, "message": error.message, "details": error.details}
    return json.dumps({"error": body}, ensure_ascii=False).encode("utf-8", "replace")
