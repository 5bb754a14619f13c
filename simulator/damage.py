"""What a fault makes of a message."""

import re

from simulator.faults import Fault
from simulator.wire import frame

_TIMES = re.compile(rb'"(E|T|ts|cts)":"?(\d+)"?')
_IDS = re.compile(rb'"(U|u|pu|a|t|lastUpdateId)":(\d+)')
_LEAST_ID = 2  # 1 says at some venues that the service has restarted
_GARBAGE = b'\x7f{]"]:,\\u12 e+-0.0.0 NaN'
_UNKNOWN = b'{"e":"somethingNew","stream":"!unknown@arr","topic":"unknown.ALL","data":[1,{"deep":[[]]}]}'

# As of a service in front of the exchange.
PAGE = """<!DOCTYPE html><html><head><title>ERROR: The request could not be satisfied</title>
<style>body { color: red }</style></head><body><h1>403 ERROR</h1><p>The Amazon CloudFront distribution is configured to
block access from your country.&nbsp;We can&#39;t connect to the server.</p><script>alert("x")</script></body></html>"""


def damaged_body(fault: Fault | None, body: bytes) -> bytes:
    """What a REST reply becomes."""
    if fault is None:
        return body
    if fault.kind == "rest_truncate":
        return body[: len(body) // 2]
    if fault.kind == "rest_future":
        return _ahead(fault, body)
    if fault.kind == "rest_renumber":
        return _renumbered(fault, body)
    if fault.kind == "rest_huge":
        return body + b" " * max(0, fault.size - len(body))
    return body


def _ahead(fault: Fault, payload: bytes) -> bytes:
    ms = int(fault.ahead * 1000)
    return _TIMES.sub(lambda match: b'"%b":%d' % (match[1], int(match[2]) + ms), payload)


def _renumbered(fault: Fault, payload: bytes) -> bytes:
    return _IDS.sub(lambda match: b'"%b":%d' % (match[1], max(_LEAST_ID, int(match[2]) - fault.back)), payload)


def damaged(fault: Fault, payload: bytes) -> list[bytes]:
    """Websocket frames to send in place of a message with ``payload``; none if it is to be lost."""
    kind = fault.kind
    if kind in ("drop", "silent"):
        return []
    if kind == "truncate":
        return [frame(payload[: len(payload) // 2])]
    if kind == "garbage":
        return [frame(_GARBAGE)]
    if kind == "bad_utf8":  # a text frame that a client must fail the connection for (RFC 6455, 8.1)
        return [frame(payload[:-1] + b"\xff\xfe")]
    if kind == "oversize":  # spaces keep it valid: a client that takes frames of this size can go on
        return [frame(payload[:-1] + b" " * max(0, fault.size - len(payload)) + payload[-1:])]
    if kind == "future":
        return [frame(_ahead(fault, payload))]
    if kind == "zero":  # a field that nobody has filled in
        return [frame(_TIMES.sub(rb'"\1":0', payload))]
    if kind == "renumber":
        return [frame(_renumbered(fault, payload))]
    if kind == "retype":  # a number becomes a text
        return [frame(_TIMES.sub(rb'"\1":"\2"', payload))]
    if kind == "duplicate":
        return [frame(payload)] * 2
    assert kind == "unknown"
    return [frame(_UNKNOWN), frame(payload)]
