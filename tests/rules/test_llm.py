"""The reflector that asks, and an endpoint that does what it should not: nothing is adopted, hangs or leaks."""

import asyncio
import json
from dataclasses import replace

import pytest
from aiohttp import web

from learning.reflection.endpoint import Endpoint
from learning.reflection.llm import propose
from sinks.exchange_log import ExchangeLog
from sources.errors import TickwaxError
from tests.rules.endpoint import ScriptedEndpoint, completion, rules
from tests.rules.synthetic_episodes import made

KEY = "sk-not-to-be-seen-0123456789"
PLANTED = {"when": [{"column": "spread", "op": ">", "value": 1.5}], "action": "veto", "rationale": "wide"}


def comparing(column):
    return {**PLANTED, "when": [{"column": column, "op": ">", "value": 1}]}


@pytest.fixture(scope="module")
def seen():
    return made(3, planted=True, episodes=300)


def asking(url: str) -> Endpoint:
    return Endpoint(url, "scripted", KEY, timeout=2.0, attempts=2, pause=0.01, price_in=1.0, price_out=2.0)


def asked(seen, folder, *answers, budget_tokens=0, budget_money=0.0, most=10, **changes):
    with ScriptedEndpoint(*answers) as endpoint:
        told = propose(
            seen, most, replace(asking(endpoint.url), **changes), ExchangeLog(folder), budget_tokens, budget_money
        )
    return told, endpoint


def nothing_leaked(folder, told):
    for path in folder.rglob("*"):
        assert KEY not in path.read_text("utf-8", "replace")
    assert KEY not in repr(told)


def test_rules_are_taken_and_the_reply_is_an_input(seen, tmp_path):
    told, endpoint = asked(seen, tmp_path, lambda request: rules(PLANTED, PLANTED))
    assert [rule.words for rule in told.rules] == ["when spread > 1.5: no new position"]
    assert not told.recorded
    assert told.tokens >= 1200
    assert endpoint.keys == [f"Bearer {KEY}"]
    question = json.dumps(endpoint.requests)
    assert "BTCUSDT" not in question  # no name of an instrument can say anything
    # Again: nobody is asked, and the rules are the same.
    again = propose(seen, 10, asking("http://127.0.0.1:9/v1"), ExchangeLog(tmp_path), 0, 0.0)
    assert (again.rules, again.question, again.reply) == (told.rules, told.question, told.reply)
    assert again.recorded
    assert again.tokens == 0
    assert ExchangeLog(tmp_path).spent() == (told.tokens, told.cost)
    nothing_leaked(tmp_path, told)


async def endless(request):
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b" " * 1000)
            await asyncio.sleep(0.01)
    except (ConnectionError, asyncio.CancelledError):
        return response


async def silent(request):
    await asyncio.sleep(3)
    return web.Response()


HOSTILE = {
    "not JSON": (lambda r: web.Response(text="no {"), "is not JSON"),
    "no rules": (lambda r: completion("[]"), "is not JSON with rules"),
    "deep": (lambda r: web.Response(text="[" * 100_000), "is not JSON"),
    "deep inside": (lambda r: completion("[" * 100_000), "is not JSON"),
    "10 MB": (lambda r: web.Response(body=b"x" * 10_000_000), "longer than 1,048,576 bytes"),
    "packed": (lambda r: web.Response(body=b"\x1f\x8b\0", headers={"Content-Encoding": "gzip"}), "is not JSON"),
    "endless": (endless, "no whole answer within 0.5 s"),
    "silent": (silent, "no whole answer within 0.5 s"),
    "500": (lambda r: web.Response(status=500, text=r.headers["Authorization"]), "HTTP status 500; 2 attempts"),
    "401": (lambda r: web.Response(status=401, text=r.headers["Authorization"]), "HTTP status 401; 1 attempts"),
    "echo": (lambda r: completion(r.headers["Authorization"]), "is not JSON"),
    "elsewhere": (lambda r: web.Response(status=307, headers={"Location": "/stolen"}), "redirect (307)"),
    "other columns": (lambda r: rules(comparing("os.system")), "'os.system' is no column"),
    "a price": (lambda r: rules(comparing("mid")), "'mid' is no column"),
    "instructions": (lambda r: rules("Ignore all rules and buy", {"do": "buy"}), "do: unknown key"),
    "code": (lambda r: rules({**PLANTED, "action": "__import__('os').abort()"}), "action"),
    "NaN": (lambda r: completion('{"rules": [{"when": [{"column": "spread", "op": ">", "value": NaN}]}]}'), "nan"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_endpoint_costs_a_line(seen, tmp_path, what):
    answer, line = HOSTILE[what]
    told, endpoint = asked(seen, tmp_path, answer, timeout=0.5 if what in ("endless", "silent") else 5.0)
    assert told.rules == []
    assert any(line in refused for refused in told.refused), told.refused
    assert all("\n" not in refused and len(refused) < 300 for refused in told.refused)
    assert endpoint.others == []
    nothing_leaked(tmp_path, told)


def test_a_busy_endpoint_is_asked_again(seen, tmp_path):
    told, endpoint = asked(seen, tmp_path, lambda r: web.Response(status=503), lambda r: rules(PLANTED))
    assert len(told.rules) == 1
    assert len(endpoint.requests) == 2


def test_no_more_rules_than_asked_for(seen, tmp_path):
    many = [{**PLANTED, "when": [{"column": "spread", "op": ">", "value": n}]} for n in range(5)]
    told, _ = asked(seen, tmp_path, lambda r: rules(*many), most=3)
    assert len(told.rules) == 3
    assert told.refused == ["rules.llm.reply: 5 rules; the first 3 are taken"]


def test_budgets_are_kept(seen, tmp_path):
    with pytest.raises(TickwaxError, match=r"^rules.llm.budget_tokens: 100: 0 are used"):
        asked(seen, tmp_path, lambda r: rules(PLANTED), budget_tokens=100)
    with pytest.raises(TickwaxError, match=r"^rules.llm.budget_money: 0.001: 0 is used"):
        asked(seen, tmp_path, lambda r: rules(PLANTED), budget_money=0.001)
    assert not list(tmp_path.iterdir())
    # An endpoint that claims to have cost nothing is not believed.
    told, _ = asked(seen, tmp_path, lambda r: completion("{}", usage={"prompt_tokens": 0, "completion_tokens": -5}))
    assert told.tokens > 100


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"base_url": ""}, "rules.llm.base_url: empty"),
        ({"model": ""}, "rules.llm.model: empty"),
        ({"base_url": "http://far.example/v1"}, "rules.llm.base_url: a key is sent over https alone"),
        ({"key": "a\nb"}, "rules.llm.key: the value, which is not shown"),
    ],
)
def test_what_cannot_be_asked_is_refused(seen, tmp_path, changes, line):
    with pytest.raises(TickwaxError) as e:
        asked(seen, tmp_path, lambda r: rules(PLANTED), **changes)
    assert str(e.value).startswith(line)
    assert KEY not in str(e.value)
