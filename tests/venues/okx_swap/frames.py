"""Frames as the exchange documents them ("WS / Order book channel", "WS / Trades channel"), of swaps."""

import json
from decimal import Decimal
from typing import Any

from sources.multiplier import Multiplier

NOW = 1_790_526_540_000 * 1_000_000
BTC, ETH = "BTC-USDT-SWAP", "ETH-USDT-SWAP"
MULTIPLIERS = {BTC: Multiplier(Decimal("0.01")), ETH: Multiplier(Decimal("0.1"))}

SNAPSHOT = b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"snapshot","data":[{"asks":[["8476.98","415","0","13"],["8477","7","0","2"]],"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","checksum":-855196043,"prevSeqId":-1,"seqId":123456}]}'  # noqa: E501
UPDATE = b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[["8476.98","0.3","0","13"],["8477","0","0","0"]],"bids":[["8476.97","0","0","0"]],"ts":"1597026383185","checksum":0,"prevSeqId":123456,"seqId":123457}]}'  # noqa: E501
HEARTBEAT = b'{"arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"action":"update","data":[{"asks":[],"bids":[],"ts":"1597026443085","checksum":0,"prevSeqId":123457,"seqId":123457}]}'  # noqa: E501
TRADE = b'{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"130639474","px":"42219.9","sz":"3","side":"buy","ts":"1630048897897","count":"3","source":"0","seqId":1234}]}'  # noqa: E501
NOTICE = b'{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a4d3ae55"}'  # noqa: E501
ACK = b'{"id":"1512","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"accb8e21"}'
ERROR = b'{"id":"1513","event":"error","code":"60018","msg":"Wrong URL or channel:books,instId:BTC-USD-200327 doesn\'t exist. Please use the correct URL, channel and parameters referring to API document.","connId":"a4d3ae55"}'  # noqa: E501


def edited(raw: bytes, **fields: Any) -> bytes:
    """A frame with other values in its data; a field that becomes None is left out."""
    frame = json.loads(raw)
    (data,) = frame["data"]
    frame["data"] = [{k: v for k, v in (data | fields).items() if v is not None}]
    return json.dumps(frame, separators=(",", ":")).encode()
