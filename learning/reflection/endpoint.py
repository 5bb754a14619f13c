"""One question to an OpenAI-compatible endpoint, which is not trusted: what comes back is text, or a problem in a line.

The protocol is OpenAI's `POST {base_url}/chat/completions`, https://platform.openai.com/docs/api-reference/chat.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from sources.errors import TickwaxError
from sources.redaction import HIDDEN

MOST_REPLY = 1 << 20  # bytes
_AGAIN = (408, 429, 500, 502, 503, 504)
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and what it may cost.

    Attributes:
        base_url: of the API, such as ``https://host/v1``.
        key: is sent to it, and shown nowhere.
        timeout: seconds that an attempt may take in all.
        attempts: how often a question is sent if the endpoint does not answer, or is busy.
        pause: seconds before the second attempt; twice as many before each further one.
        most_tokens: of a reply.
        price_in, price_out: of a million tokens.
    """

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    attempts: int = 3
    pause: float = 1.0
    most_tokens: int = 4096
    price_in: float = 0.0
    price_out: float = 0.0


class Reply(NamedTuple):
    """What came back.

    Attributes:
        status: of HTTP; 0: there was no answer.
        text: the body, without the key; empty if it was not read whole.
        problem: in words; empty if the text is a whole answer.
        tokens: that it cost; ``cost``: in money.
        attempts: that were made.
    """

    status: int
    text: str
    problem: str
    tokens: int
    cost: float
    attempts: int


def check_endpoint(endpoint: Endpoint) -> None:
    """Refuse what could not be asked, or would give the key away.

    Raises:
        TickwaxError: one line that does not show the key.
    """
    if not endpoint.base_url:
        raise TickwaxError("rules.llm.base_url: empty; name the endpoint, such as http://localhost:8000/v1")
    if not endpoint.model:
        raise TickwaxError("rules.llm.model: empty; name the model")
    parts = urlsplit(endpoint.base_url)
    if endpoint.key and parts.scheme != "https" and parts.hostname not in _HERE:
        raise TickwaxError(
            f"rules.llm.base_url: a key is sent over https alone, and not to {parts.hostname} in the clear"
        )
    if not (endpoint.key.isascii() and (endpoint.key == "" or endpoint.key.isprintable())):
        raise TickwaxError("rules.llm.key: the value, which is not shown, has signs that no header takes")


def tokens_about(text: str) -> int:
    """At least how many tokens a text is taken for, where nobody trustworthy has counted."""
    return len(text.encode()) // 4 + 1


def ask(endpoint: Endpoint, question: dict[str, Any]) -> Reply:
    """Send a question, and again if need be; never raises for what the other side does."""
    return asyncio.run(_ask(endpoint, question))


async def _ask(endpoint: Endpoint, question: dict[str, Any]) -> Reply:
    sent, tokens, reply = json.dumps(question), 0, Reply(0, "", "no attempt was allowed", 0, 0.0, 0)
    for attempt in range(endpoint.attempts):
        if attempt:
            await asyncio.sleep(endpoint.pause * 2 ** (attempt - 1))
        status, body, problem = await _attempt(endpoint, sent)
        used_in, used_out = _used(sent, body) if status == 200 else (0, 0)
        tokens += used_in + used_out
        cost = (used_in * endpoint.price_in + used_out * endpoint.price_out) / 1e6
        reply = Reply(status, body, problem, tokens, reply.cost + cost, attempt + 1)
        if status != 0 and status not in _AGAIN:
            break
    return reply


async def _attempt(endpoint: Endpoint, sent: str) -> tuple[int, str, str]:
    """Status, body and problem of one request. Redirects are not followed: they would carry the question elsewhere."""
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    status = 0
    try:
        limit = aiohttp.ClientTimeout(total=endpoint.timeout)
        async with (
            aiohttp.ClientSession(timeout=limit, auto_decompress=False, trust_env=False) as session,
            session.post(
                f"{endpoint.base_url}/chat/completions", data=sent.encode(), headers=headers, allow_redirects=False
            ) as response,
        ):
            status = response.status
            body = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > MOST_REPLY:
                    return status, "", f"its answer is longer than {MOST_REPLY:,} bytes"
    except TimeoutError:
        return status, "", f"no whole answer within {endpoint.timeout:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as e:
        return status, "", f"the connection failed: {type(e).__name__}"
    text = body.decode("utf-8", "replace")
    if endpoint.key:
        text = text.replace(endpoint.key, HIDDEN)
    if 300 <= status < 400:
        return status, text, f"it answers with a redirect ({status}), which is not followed"
    return status, text, "" if status == 200 else f"it answers with HTTP status {status}"


def _used(sent: str, body: str) -> tuple[int, int]:
    """Tokens of question and answer: as the endpoint counts, but never fewer than the texts show."""
    told_in = told_out = 0
    try:
        usage = json.loads(body)["usage"]
        told_in, told_out = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return max(told_in, tokens_about(sent) // 2), max(told_out, tokens_about(body) // 2)


def _count(value: Any) -> int:
    return min(value, 1 << 40) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
