#!/usr/bin/env python3
"""Sends aurora genuine and hostile deliveries, signed by the libraries senders really use.

aurora's own tests sign with aurora's own code, so a mistake made on both sides would cancel out. Here the
signatures come from the official `standardwebhooks` and `svix` packages, and GitHub's from its documentation.
The battery keeps a model of what must have been stored and checks the status of every answer against it:

1. a seeded random mix of fresh, repeated, conflicting, replayed and forged deliveries;
2. every forgery there is, and single flipped bits in everything that is signed;
3. requests that are malformed, ambiguous, endless or cut off, each followed by a genuine delivery;
4. the same delivery from many connections at once.

Run it against an engine that has just started on a fresh state directory (failures of an earlier run would count
towards its limit, and its events would be repeats):

    pip install -r requirements.txt
    python battery.py --base http://127.0.0.1:9296 --github-secret S --standard-secret whsec_... \\
        --shared-secret S [--seed N] [--count N]

The channels are the default ones: /hooks/github, /hooks/standard, /hooks/secret and /github/webhook. When the
shared secret is base64, with or without whsec_, `x-aurora-signature` is used as well.

The last line of stdout is a JSON object, channel to number of stored events, to be compared with
`aurora events count --channel X`. Every answer that was not expected is told on stderr, and the exit status is 1.
The same seed sends the same deliveries, but for their times.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import http.client
import itertools
import json
import random
import socket
import string
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

WALKS = 8
# Past 600 failures a minute on one channel every answer changes; all parts together stay below 500.
FORGERIES_PER_WALK = 25
FLIPS = 100
RACERS = 8
TIMEOUT = 20.0

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MIB = 1 << 20

# What became of a request that got no status.
CLOSED, SILENT, GARBLED = "closed", "silent", "garbled"
REFUSED = frozenset([CLOSED, *range(400, 429), *range(430, 500)])

FRESH = {"github": 202, "standard": 204, "secret": 202}
Outcome = int | str


@dataclass
class Model:
    """What a receiver that keeps its promises has stored, and hence how it must answer."""

    accepted: Counter = field(default_factory=Counter)
    keys: dict[tuple[str, str], bytes] = field(default_factory=dict)
    bodies: set[tuple[str, bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, channel: str, key: str | None, body: bytes) -> int:
        """The status of a validly signed delivery. GitHub does not sign the id, so there the body counts as well."""
        digest = hashlib.sha256(body).digest()
        by_body = channel == "github" or (channel == "secret" and key is None)
        with self.lock:
            known = self.keys.get((channel, key)) if key else None
            if known is not None and known != digest:
                return 409
            if known is not None or (by_body and (channel, digest) in self.bodies):
                return 200
            self.accepted[channel] += 1
            if key:
                self.keys[channel, key] = digest
            if by_body:
                self.bodies.add((channel, digest))
            return FRESH[channel]


class Body(NamedTuple):
    """Bytes and what they are called."""

    media: str
    data: bytes


class Request(NamedTuple):
    """One HTTP request, before it is written to a socket."""

    channel: str
    target: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes
    method: str = "POST"

    def get(self, name: str) -> bytes:
        return next(value for key, value in self.headers if key.lower() == name.lower())

    def without(self, name: str) -> Request:
        return self._replace(headers=tuple(h for h in self.headers if h[0].lower() != name.lower()))

    def adding(self, name: str, value: str | bytes) -> Request:
        value = value.encode() if isinstance(value, str) else value
        return self._replace(headers=(*self.headers, (name, value)))

    def having(self, name: str, value: str | bytes) -> Request:
        return self.without(name).adding(name, value)


Forgeries = Iterator[tuple[str, Request, int]]


def headers(**values: str) -> tuple[tuple[str, bytes], ...]:
    """Headers by keyword: x_hub_signature_256 is X-Hub-Signature-256."""
    return tuple((name.replace("_", "-").title(), value.encode()) for name, value in values.items())


def unix_now() -> int:
    return int(time.time())


def near(rng: random.Random) -> int:
    """A time within the tolerance of 300 s; on the past side the way to the server is left some seconds."""
    return unix_now() + rng.choice([0, 0, 0, rng.randint(-290, 300), -290, 300])


def far(rng: random.Random) -> int:
    """A time outside of it; on the future side likewise."""
    return unix_now() + rng.choice([-301, 315, -rng.randint(301, 100_000), rng.randint(315, 100_000), -unix_now()])


# ---------------------------------------------------------------------------------------------------------- bodies


def random_text(rng: random.Random, length: int) -> str:
    marks = " .,:;&=+%\"'\\/<>{}[]\t\n\r\0äßñ€漢字🦀\u2028\u202e"
    alphabet = string.ascii_letters + string.digits + marks
    return "".join(rng.choices(alphabet, k=length))


def random_json(rng: random.Random) -> bytes:
    """An event with a number nobody else has, written in one of the ways JSON may be written."""
    value = {
        "type": rng.choice(["user.created", "invoice.paid", "a b", 7, None]),
        "action": rng.choice(["opened", "closed", "synchronize"]),
        "nonce": f"{rng.getrandbits(96):x}",
        "data": {"text": random_text(rng, rng.choice([0, 10, 100, 1000])), "n": [rng.random(), -1, 1e300, None, True]},
        "repository": {"full_name": "example/garden"},
    }
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 2]))
    return (text + rng.choice(["", "", "\n", "\r\n  "])).encode()


def random_bytes(rng: random.Random) -> bytes:
    """Bytes that are no UTF-8 and so cannot be signed as text."""
    return b"\xff\xfe\x00" + rng.randbytes(rng.choice([16, 200, 5000]))


def any_body(rng: random.Random) -> Body:
    """A body for channels that take everything."""
    kind = rng.random()
    if kind < 0.6:
        return Body(rng.choice([JSON, "application/json; charset=utf-8", ""]), random_json(rng))
    if kind < 0.8:
        return Body("application/octet-stream", random_bytes(rng))
    if kind < 0.85:
        return Body(JSON, random_json(rng) + b" " * rng.randint(50_000, 300_000))
    return Body(rng.choice(["text/plain", FORM, "x"]), f"{rng.getrandbits(96):x} {random_text(rng, 50)}".encode())


# -------------------------------------------------------------------------------------------------------- channels


class Github:
    """Signed by the documentation: sha256= and the hexadecimal HMAC-SHA256 of the exact body."""

    name = "github"
    limit = 25 * MIB
    signature = "X-Hub-Signature-256"

    def __init__(self, secret: str) -> None:
        self.secret = secret.encode()

    def sign(self, body: bytes) -> str:
        return "sha256=" + hmac.new(self.secret, body, hashlib.sha256).hexdigest()

    def new_key(self, rng: random.Random) -> str | None:
        """An X-GitHub-Delivery; rarely none, which makes a dead letter."""
        delivery = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        return delivery if rng.random() > 0.08 else None

    def new_body(self, rng: random.Random) -> Body:
        kind = rng.random()
        if kind < 0.6:
            return Body(rng.choice([JSON, JSON, "Application/JSON; charset=utf-8"]), random_json(rng))
        if kind < 0.8:
            return Body(FORM, urlencode({"payload": random_json(rng).decode()}).encode())
        # Dead letters: forms without a payload, JSON that is none.
        if kind < 0.9:
            return Body(FORM, urlencode({"other": random_json(rng).decode()}).encode())
        return Body(JSON, rng.choice([b"{", b"\xef\xbb\xbf", b"not json ", random_bytes(rng)]) + random_json(rng))

    def request(self, rng: random.Random, key: str | None, body: Body) -> Request:
        values = {"content_type": body.media, "user_agent": "GitHub-Hookshot/abc1234"}
        if rng.random() > 0.05:
            values["x_github_event"] = rng.choice(["push", "issues", "ping", "pull_request"])
        if key is not None:
            values["x_github_delivery"] = key
        signature = self.sign(body.data)
        values["x_hub_signature_256"] = signature if rng.random() > 0.1 else "sha256=" + signature[7:].upper()
        target = rng.choice(["/hooks/github", "/github/webhook"])
        return Request(self.name, target, headers(**values), body.data)

    def signed_parts(self, request: Request) -> tuple[str | None, ...]:
        """Names of the headers a flipped bit must break; None is the body."""
        return (None, self.signature)

    def is_no_change(self, part: str | None, old: int, bit: int) -> bool:
        """Hexadecimal digits count in either case."""
        return part == self.signature and bit == 5 and chr(old) in "abcdefABCDEF"

    def forgeries(self, rng: random.Random, good: Request) -> Forgeries:
        name, right = self.signature, self.sign(good.body)
        wrong = "sha256=" + hmac.new(self.secret + b"x", good.body, hashlib.sha256).hexdigest()
        sha1 = "sha1=" + hmac.new(self.secret, good.body, hashlib.sha1).hexdigest()
        bad = {
            "another secret": wrong,
            "SHA-1": sha1,
            "SHA-1's length": "sha256=" + sha1[5:],
            "no prefix": right[7:],
            "another prefix": "sha512=" + right[7:],
            "too short": right[:-2],
            "odd length": right[:-1],
            "too long": right + "00",
            "not hexadecimal": right[:-1] + "g",
            "nothing after the prefix": "sha256=",
            "empty": "",
            "two in one header": f"{wrong},{right}",
            "base64": "sha256=" + base64.b64encode(bytes.fromhex(right[7:])).decode(),
            "not UTF-8": right.encode() + b"\xff",
            "of the empty body": self.sign(b""),
        }
        for label, value in bad.items():
            yield f"signature: {label}", good.having(name, value), 401
        yield "signature missing", good.without(name), 401
        yield "only the old signature", good.without(name).having("X-Hub-Signature", sha1), 401
        yield "signature twice", good.adding(name, right), 401
        yield "signature right and wrong", good.adding(name, wrong), 401
        for media in ["text/plain", "application/xml", "application/jsonx", "multipart/form-data; boundary=x"]:
            yield f"content type {media}", good.having("Content-Type", media), 415
        yield "no content type", good.without("Content-Type"), 415
        form = urlencode({"payload": good.body.decode(errors="replace")}).encode()
        signed_inside = good._replace(body=form).having("Content-Type", FORM)
        yield "the payload is signed, not the form", signed_inside, 401
        yield from altered_bodies(good)
        yield from wrong_ways(rng, good)


class Standard:
    """Signed by the official libraries, under the header names of either."""

    name = "standard"
    limit = MIB

    def __init__(self, secret: str, family: str | None = None, channel: str = "standard") -> None:
        self.secret = secret
        self.raw = base64.b64decode(secret.removeprefix("whsec_"))
        self.libraries = (StandardWebhook(secret), SvixWebhook(secret))
        self.families = (family,) if family else ("webhook", "svix")
        self.name = channel

    def sign(self, rng: random.Random, key: str, moment: int, body: bytes) -> str:
        """By one of the libraries, or by hand where they take only text."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return "v1," + mac64(self.raw, b"%s.%d.%s" % (key.encode(), moment, body))
        return rng.choice(self.libraries).sign(key, datetime.fromtimestamp(moment, timezone.utc), text)

    def new_key(self, rng: random.Random) -> str:
        return "msg_" + "".join(rng.choices(string.ascii_letters + string.digits + "-_:~", k=27))

    def new_body(self, rng: random.Random) -> Body:
        return any_body(rng)

    def request(self, rng: random.Random, key: str, body: Body) -> Request:
        moment = near(rng)
        family = rng.choice(self.families)
        values = {"content_type": body.media} if body.media else {}
        values[f"{family}_id"] = key
        values[f"{family}_timestamp"] = str(moment)
        values[f"{family}_signature"] = self.among_others(rng, self.sign(rng, key, moment, body.data))
        return Request(self.name, f"/hooks/{self.name}", headers(**values), body.data)

    def among_others(self, rng: random.Random, right: str) -> str:
        """The right signature, sometimes between wrong ones and ones of unknown versions."""
        if rng.random() < 0.7:
            return right
        wrong = "v1," + base64.b64encode(rng.randbytes(32)).decode()
        others = ["v2,abcd", "v1a,abcd", "v1,", "v9", wrong, f"v2,{right[3:]}"]
        entries = [right, *rng.sample(others, rng.randint(1, 5))]
        rng.shuffle(entries)
        return " ".join(entries)

    def signed_parts(self, request: Request) -> tuple[str | None, ...]:
        return (None, *names_of(request))

    def is_no_change(self, part: str | None, old: int, bit: int) -> bool:
        return False

    def forgeries(self, rng: random.Random, good: Request) -> Forgeries:
        yield from self.bad_signatures(rng, good)
        yield from self.bad_times(rng, good)
        yield from self.bad_headers(rng, good)
        yield from altered_bodies(good)
        yield from wrong_ways(rng, good)

    def bad_signatures(self, rng: random.Random, good: Request) -> Forgeries:
        name_of_id, name_of_time, name = names_of(good)
        key, moment = good.get(name_of_id), good.get(name_of_time)
        signed = b".".join([key, moment, good.body])
        right = mac64(self.raw, signed)
        bad = {
            "another secret": "v1," + mac64(self.raw + b"x", signed),
            "the secret's text as key": "v1," + mac64(self.secret.encode(), signed),
            "only the body is signed": "v1," + mac64(self.raw, good.body),
            "the time is not signed": "v1," + mac64(self.raw, key + b"." + good.body),
            "the id is not signed": "v1," + mac64(self.raw, moment + b"." + good.body),
            "another order": "v1," + mac64(self.raw, b".".join([moment, key, good.body])),
            "no version": right,
            "only an unknown version": f"v2,{right}",
            "the version of public keys": f"v1a,{right}",
            "version in capitals": f"V1,{right}",
            "separated by commas": f"v2,abcd,v1,{right}",
            "hexadecimal": "v1," + base64.b64decode(right).hex(),
            "cut off": f"v1,{right[:20]}",
            "nothing after the version": "v1,",
            "empty": "",
            "several wrong ones": " ".join(f"v1,{base64.b64encode(rng.randbytes(32)).decode()}" for _ in range(5)),
            "not UTF-8": b"v1," + right.encode() + b"\xff",
        }
        for label, value in bad.items():
            yield f"signature: {label}", good.having(name, value), 401

    def bad_times(self, rng: random.Random, good: Request) -> Forgeries:
        name_of_id, name_of_time, name = names_of(good)
        key = good.get(name_of_id)

        def resigned(moment: bytes) -> Request:
            signature = "v1," + mac64(self.raw, b".".join([key, moment, good.body]))
            return good.having(name_of_time, moment).having(name, signature)

        for moment in [far(rng) for _ in range(4)]:
            yield f"{moment - unix_now()} s away", resigned(b"%d" % moment), 401
        now = unix_now()
        signs = [f"+{now}", f"-{now}", f"{now}.0", f"{now}\xa0"]
        for text in [*signs, f"{now}000", f"{now:#x}", f"{now:e}", "now", "9" * 30]:
            yield f"time written {text!r}", resigned(text.encode("latin-1")), 401
        other = b"%d" % (int(good.get(name_of_time)) - 1)
        yield "a time the signature does not cover", good.having(name_of_time, other), 401

    def bad_headers(self, rng: random.Random, good: Request) -> Forgeries:
        name_of_id, _, name = names_of(good)
        for missing in names_of(good):
            yield f"{missing} missing", good.without(missing), 401
            yield f"{missing} empty", good.having(missing, ""), 401
            yield f"{missing} twice", good.adding(missing, good.get(missing)), 401
        moment = near(rng)
        for key in ["a.b", ".", "msg.1", f"{self.new_key(rng)}.", f"x.{moment}"]:
            signed = good.having(name_of_id, key).having(name, self.sign(rng, key, moment, good.body))
            yield f"id {key!r}", signed.having(names_of(good)[1], str(moment)), 401
        yield "another id", good.having(name_of_id, self.new_key(rng)), 401
        yield "the body's beginning read as the time", self.shifted(rng, good), 401

    def shifted(self, rng: random.Random, good: Request) -> Request:
        """Another delivery with the same signed bytes: `id.time` is its id and the body's beginning its time."""
        name_of_id, name_of_time, name = names_of(good)
        key, moment = good.get(name_of_id), unix_now()
        signature = self.sign(rng, key.decode(), moment, b"%d.%s" % (moment, good.body))
        dotted = good.having(name_of_id, b"%s.%d" % (key, moment))
        return dotted.having(name_of_time, b"%d" % moment).having(name, signature)


class Shared:
    """A secret in a header, with an id and a time where the sender has them; or a signature instead."""

    name = "secret"
    limit = MIB

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.signer = Standard(secret, "x_aurora", self.name) if is_base64(secret) else None

    def new_key(self, rng: random.Random) -> str | None:
        """An x-aurora-id, or none."""
        key = "".join(rng.choices(string.ascii_letters + string.digits + "-_/", k=20))
        return key if rng.random() < 0.6 else None

    def new_body(self, rng: random.Random) -> Body:
        return any_body(rng)

    def request(self, rng: random.Random, key: str | None, body: Body) -> Request:
        if self.signer and key is not None and rng.random() < 0.4:
            return self.signer.request(rng, key, body)
        values = {"content_type": body.media} if body.media else {}
        values["x_aurora_secret"] = self.secret
        if key is not None:
            values["x_aurora_id"] = key
        if rng.random() < 0.3:
            values["x_aurora_timestamp"] = str(near(rng))
        target = "/hooks/secret" + rng.choice(["", "", "", "?page=2", "?a=b&c", "?x=Secret"])
        return Request(self.name, target, headers(**values), body.data)

    def forgeries(self, rng: random.Random, good: Request) -> Forgeries:
        if self.signer and any(name == "X-Aurora-Signature" for name, _ in good.headers):
            yield from self.signer.forgeries(rng, good)
            return
        yield from self.bad_secrets(good)
        yield from self.told_addresses(good)
        for moment in [str(far(rng)), str(far(rng)), "now", f"{unix_now()}.0", "9" * 30]:
            yield f"time {moment}", good.having("X-Aurora-Timestamp", moment), 401
        yield from wrong_ways(rng, good)

    def bad_secrets(self, good: Request) -> Forgeries:
        name, secret = "X-Aurora-Secret", self.secret
        bad = {
            "shorter": secret[:-1],
            "longer": secret + "x",
            "in other case": secret.swapcase(),
            "reversed": secret[::-1],
            "quoted": f'"{secret}"',
            "with a scheme": f"Bearer {secret}",
            "empty": "",
            "not UTF-8": secret.encode() + b"\xff",
        }
        for label, value in bad.items():
            if value != secret:
                yield f"secret {label}", good.having(name, value), 401
        yield "secret missing", good.without(name), 401
        yield "secret twice", good.adding(name, secret), 401
        yield "secret right and wrong", good.adding(name, "x"), 401
        bare = good.without(name)
        yield "secret in Authorization", bare.having("Authorization", f"Bearer {secret}"), 401
        yield "a signature of nothing", bare.having("X-Aurora-Signature", "v1,"), 401

    def told_addresses(self, good: Request) -> Forgeries:
        secret = quote_plus(self.secret)
        hexed = "".join(f"%{byte:02X}" for byte in self.secret.encode())
        named = ["secret=wrong", "secret=", f"secret={secret}", f"a=b&secret={secret}", f"%73ecret={secret}"]
        # Not every sender encodes it, and nothing of base64 has to be encoded in a query (RFC 3986, 3.4).
        legal = set(self.secret) <= set(string.ascii_letters + string.digits + "-._~+/=")
        raw = [f"page={self.secret}"] if legal and self.secret != secret else []
        for query in [*named, f"page={secret}", f"x=1&y={hexed}", *raw]:
            target = f"/hooks/secret?{query}"
            label = query.replace(secret, "SECRET").replace(hexed, "%SECRET").replace(self.secret, "RAW-SECRET")
            yield f"?{label} beside the header", good._replace(target=target), 401
            yield f"?{label} alone", good._replace(target=target).without("X-Aurora-Secret"), 401


Channel = Github | Standard | Shared


def mac64(key: bytes, data: bytes) -> str:
    return base64.b64encode(hmac.new(key, data, hashlib.sha256).digest()).decode()


def is_base64(secret: str) -> bool:
    text = secret.removeprefix("whsec_")
    try:
        return bool(text) and base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except binascii.Error:
        return False


def names_of(request: Request) -> tuple[str, str, str]:
    """The names of id, time and signature in the family that `request` uses."""
    family = next(name for name, _ in request.headers if name.endswith("-Signature")).removesuffix("-Signature")
    return f"{family}-Id", f"{family}-Timestamp", f"{family}-Signature"


def altered_bodies(good: Request) -> Forgeries:
    """Bodies the signature does not cover, some of which mean the same."""
    body = good.body
    for label, other in {
        "a newline more": body + b"\n",
        "a byte less": body[:-1],
        "nothing": b"",
        "a NUL in front": b"\0" + body,
        "twice": body * 2,
        "other line ends": body.replace(b"\n", b"\r\n") + b"\r\n",
        "more white space": b" " + body,
    }.items():
        yield f"body: {label}", good._replace(body=other), 401


def wrong_ways(rng: random.Random, good: Request) -> Forgeries:
    """Genuine deliveries by another method, or to nowhere."""
    method = rng.choice(["GET", "GET", "GET", "PUT", "DELETE", "PATCH"])
    yield method, good._replace(method=method, body=b"" if method == "GET" else good.body[:1000]), 405
    more = f"/hooks/{good.channel}/more"
    path = rng.choice(["/", "/hooks", "/hooks/nope", more, "/HOOKS/GITHUB", "/github", "//hooks/github"])
    yield path, good._replace(target=path, body=good.body[:1000]), 404


# -------------------------------------------------------------------------------------------------------- transport

TRANSPORTS = ("plain", "lower", "upper", "mixed", "absolute", "chunked", "dribbled")


def spell(name: str, transport: str) -> str:
    if transport == "mixed":
        return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(name))
    return {"lower": name.lower(), "upper": name.upper()}.get(transport, name)


def head(request: Request, authority: str, transport: str, *framing: tuple[str, bytes]) -> bytes:
    target = f"http://{authority}{request.target}" if transport == "absolute" else request.target
    lines = [f"{request.method} {target} HTTP/1.1".encode()]
    for name, value in (("Host", authority.encode()), *request.headers, *framing):
        lines.append(spell(name, transport).encode() + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunks(body: bytes) -> Iterator[bytes]:
    """The chunks of `body`, each twice as long as the one before, without the last, empty one."""
    start, size = 0, 1
    while start < len(body):
        piece = body[start : start + size]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
        start, size = start + size, size * 2


def length_of(body: bytes) -> tuple[str, bytes]:
    return ("Content-Length", b"%d" % len(body))


CHUNKED = ("Transfer-Encoding", b"chunked")


def pieces(request: Request, authority: str, transport: str) -> list[bytes]:
    """The bytes of `request`, divided into writes."""
    if transport == "chunked":
        return [head(request, authority, transport, CHUNKED), *chunks(request.body), b"0\r\n\r\n"]
    framing = () if request.method == "GET" else (length_of(request.body),)
    whole = head(request, authority, transport, *framing) + request.body
    if transport != "dribbled":
        return [whole]
    size = len(whole) // 20 + 1
    return [whole[start : start + size] for start in range(0, len(whole), size)]


class Wire:
    """One connection, reopened when it has to be."""

    def __init__(self, authority: str) -> None:
        self.authority = authority
        self.socket: socket.socket | None = None

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        if self.socket is not None:
            return
        host, _, port = self.authority.rpartition(":")
        try:
            self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        except OSError:
            return
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def close(self) -> None:
        if self.socket is not None:
            self.reader.close()
            self.socket.close()
            self.socket = None

    def exchange(self, request: Request, transport: str = "plain") -> Outcome:
        return self.raw(*pieces(request, self.authority, transport))

    def raw(self, *writes: bytes, hang_up: bool = False) -> Outcome:
        """Writes, and reads one answer. The server may answer and close before everything is written."""
        self.open()
        if self.socket is None:
            return CLOSED
        try:
            for data in writes:
                self.socket.sendall(data)
            if hang_up:
                self.socket.shutdown(socket.SHUT_WR)
        except TimeoutError:
            self.close()
            return SILENT
        except OSError:
            pass
        return self.answer()

    def answer(self) -> Outcome:
        if self.socket is None:
            return CLOSED
        try:
            status, reusable = self.read_answer()
        except TimeoutError:
            status, reusable = SILENT, False
        except OSError:
            status, reusable = CLOSED, False
        except (ValueError, IndexError, http.client.HTTPException):
            status, reusable = GARBLED, False
        if not reusable:
            self.close()
        return status

    def read_answer(self) -> tuple[Outcome, bool]:
        status = 100
        while status < 200:
            line = self.reader.readline()
            if not line:
                return CLOSED, False
            status = int(line.split()[1])
            fields = http.client.parse_headers(self.reader)
        self.reader.read(int(fields.get("Content-Length", 0)))
        # These answers are given before the body is read, so the server may close behind them.
        early = status in (400, 404, 405, 413, 415, 431)
        return status, not early and fields.get("Connection", "").lower() != "close"


# --------------------------------------------------------------------------------------------------------- battery


class Battery:
    """What all parts share: the address, the channels, the model, and what went wrong."""

    def __init__(self, authority: str, channels: list[Channel], seed: int) -> None:
        self.authority, self.channels, self.seed = authority, channels, seed
        self.model = Model()
        self.differences: list[str] = []
        self.checks = 0
        self.lock = threading.Lock()

    def random(self, part: str) -> random.Random:
        return random.Random(f"{self.seed}/{part}")

    def check(self, label: str, request: Request | None, expected: Set[Outcome], got: Outcome) -> None:
        with self.lock:
            self.checks += 1
        if got not in expected:
            shown = describe(request) if request else ""
            self.differences.append(f"{label}: expected {either(expected)}, got {got}{shown}")


def either(expected: Set[Outcome]) -> str:
    """Outcomes in words."""
    words = sorted(str(one) for one in expected - REFUSED) if expected >= REFUSED else sorted(map(str, expected))
    return " or ".join([*words, "a refusal"] if expected >= REFUSED else words)


def describe(request: Request) -> str:
    """A request without its secrets."""
    hidden = {"x-aurora-secret", "authorization"}
    fields = {name: value.decode("latin-1") for name, value in request.headers if name.lower() not in hidden}
    path = request.target.split("?")[0]
    return f"\n    {request.method} {path} {fields} {len(request.body)} bytes: {request.body[:80]!r}"


class Walk:
    """A random walk over the channels. Its ids and bodies are its own, so that walks may run side by side."""

    def __init__(self, battery: Battery, name: str) -> None:
        self.battery, self.name = battery, name
        self.rng = battery.random(name)
        self.wire = Wire(battery.authority)
        self.past: dict[str, list[tuple[str | None, Body]]] = {channel.name: [] for channel in battery.channels}
        self.forgeries_left = {channel.name: FORGERIES_PER_WALK for channel in battery.channels}

    def run(self, steps: int) -> None:
        with self.wire:
            for _ in range(steps):
                channel = self.rng.choice(self.battery.channels)
                if self.rng.random() < 0.3 and self.forgeries_left[channel.name] > 0:
                    self.forgeries_left[channel.name] -= 1
                    self.forge(channel)
                else:
                    self.deliver(channel, *self.choose(channel))

    def choose(self, channel: Channel) -> tuple[str | None, Body]:
        """An id and a body, each new or known."""
        rng, past = self.rng, self.past[channel.name]
        key, body = channel.new_key(rng), channel.new_body(rng)
        way = rng.choices(["fresh", "repeat", "same id", "same body", "crossed"], [50, 20, 10, 10, 10])[0]
        if not past or way == "fresh":
            return key, body
        if way == "repeat":
            return rng.choice(past)
        if way in ("same id", "crossed"):
            key = rng.choice(past)[0]
        if way in ("same body", "crossed"):
            body = rng.choice(past)[1]
        if channel.name == "secret" and key is None and any(known == body for name, known in past if name is not None):
            # Whether a body that came under an id counts as a repeat without one is not promised.
            return None, channel.new_body(rng)
        return key, body

    def deliver(self, channel: Channel, key: str | None, body: Body, transport: str | None = None) -> None:
        """A genuine delivery, answered as the model says."""
        request = channel.request(self.rng, key, body)
        transport = transport or self.rng.choices(TRANSPORTS, [70, 5, 5, 5, 5, 5, 5])[0]
        expected = self.battery.model.deliver(channel.name, key, body.data)
        self.past[channel.name].append((key, body))
        got = self.wire.exchange(request, transport)
        self.battery.check(f"{self.name}, {channel.name}, genuine, {transport}", request, {expected}, got)

    def fresh(self, channel: Channel, transport: str | None = None) -> None:
        self.deliver(channel, channel.new_key(self.rng), channel.new_body(self.rng), transport)

    def forge(self, channel: Channel) -> None:
        """A forged delivery; often the genuine one afterwards, which must not have been harmed by it."""
        key, body = channel.new_key(self.rng), channel.new_body(self.rng)
        good = channel.request(self.rng, key, body)
        label, bad, expected = self.rng.choice(list(channel.forgeries(self.rng, good)))
        self.battery.check(f"{self.name}, {channel.name}, {label}", bad, {expected}, self.wire.exchange(bad))
        if self.rng.random() < 0.5:
            self.deliver(channel, key, body)


def mix(battery: Battery, count: int) -> None:
    """The long part: walks side by side."""
    shares = [count // WALKS + (number < count % WALKS) for number in range(WALKS)]
    with ThreadPoolExecutor(WALKS) as pool:
        list(pool.map(lambda number: Walk(battery, f"walk {number}").run(shares[number]), range(WALKS)))


def forge_all(battery: Battery, channel: Channel, name: str) -> None:
    """Every forgery of one delivery, and then the genuine one."""
    walk = Walk(battery, f"forgeries {name}")
    key, body = channel.new_key(walk.rng), Body(JSON, random_json(walk.rng))
    good = channel.request(walk.rng, key, body)
    with walk.wire:
        for label, bad, expected in channel.forgeries(walk.rng, good):
            battery.check(f"{walk.name}, {label}", bad, {expected}, walk.wire.exchange(bad))
        walk.deliver(channel, key, body)


def flip(request: Request, part: str | None, position: int) -> Request:
    """`request` with one bit of its body, or of a header, turned over."""
    data = bytearray(request.body if part is None else request.get(part))
    data[position // 8] ^= 1 << position % 8
    return request._replace(body=bytes(data)) if part is None else request.having(part, bytes(data))


def flips(
    rng: random.Random, channel: Github | Standard, good: Request, count: int
) -> Iterator[tuple[str | None, int]]:
    """Which bits to turn over: random ones in every part in turn, and all in the last two digits of the signature."""
    parts = channel.signed_parts(good)
    data = {part: good.body if part is None else good.get(part) for part in parts}
    last = parts[-1]
    chosen = [(last, 8 * len(data[last]) - 1 - back) for back in range(16)]
    chosen += [(part, rng.randrange(8 * len(data[part]))) for part in itertools.islice(itertools.cycle(parts), count)]
    return ((part, at) for part, at in chosen if not channel.is_no_change(part, data[part][at // 8], at % 8))


def is_illegal(value: bytes) -> bool:
    """Whether HTTP forbids these bytes in a header (RFC 9110, 5.5)."""
    return any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in value)


def flip_bits(battery: Battery, channel: Github | Standard, count: int, name: str) -> None:
    """No bit of a signed part can be changed, and trying leaves no trace."""
    walk = Walk(battery, f"flips {name}")
    key, body = channel.new_key(walk.rng) or str(uuid.UUID(int=0)), Body(JSON, random_json(walk.rng))
    good = channel.request(walk.rng, key, body)
    if isinstance(channel, Standard):
        good = good.having(names_of(good)[2], channel.sign(walk.rng, key, int(good.get(names_of(good)[1])), body.data))
    with walk.wire:
        for part, position in flips(walk.rng, channel, good, count):
            bad = flip(good, part, position)
            illegal = part is not None and is_illegal(bad.get(part))
            expected = {400, 401} if illegal else {401}
            label = f"{walk.name}, bit {position} of {part or 'the body'}"
            battery.check(label, bad, expected, walk.wire.exchange(bad))
        walk.deliver(channel, key, body)


class Siege:
    """Requests no honest client sends. After each of them a genuine delivery must be answered as ever."""

    def __init__(self, battery: Battery, channel: Channel, name: str = "siege") -> None:
        self.battery, self.channel = battery, channel
        self.walk = Walk(battery, f"{name} {channel.name}")
        self.rng = self.walk.rng

    def run(self) -> None:
        attacks: list[Callable[[], None]] = [
            self.other_spellings,
            self.two_lengths,
            self.length_and_chunks,
            self.hidden_request,
            self.endless_header,
            self.many_headers,
            self.truncated_body,
            self.truncated_chunks,
            self.nonsense,
            self.silence,
            self.empty_body,
            self.deep_json,
            self.invalid_utf8,
            self.invalid_utf8_id,
            self.pipelined,
            self.largest_body,
            self.too_large,
        ]
        with self.walk.wire:
            for attack in attacks:
                attack()
                self.walk.fresh(self.channel)

    def genuine(self) -> tuple[str, Body, Request]:
        """A delivery with an id and a short body, not sent yet."""
        key = self.channel.new_key(self.rng)
        while key is None:
            key = self.channel.new_key(self.rng)
        body = Body(JSON, random_json(self.rng))
        request = self.channel.request(self.rng, key, body)
        return key, body, request

    def send(self, *writes: bytes, hang_up: bool = False) -> Outcome:
        with Wire(self.battery.authority) as wire:
            return wire.raw(*writes, hang_up=hang_up)

    def head(self, request: Request, *framing: tuple[str, bytes]) -> bytes:
        return head(request, self.battery.authority, "plain", *framing)

    def whole(self, request: Request) -> bytes:
        return self.head(request, length_of(request.body)) + request.body

    def check(self, label: str, expected: Set[Outcome], got: Outcome) -> None:
        self.battery.check(f"{self.walk.name}, {label}", None, expected, got)

    def must_refuse(self, label: str, *writes: bytes, hang_up: bool = False) -> None:
        self.check(label, REFUSED, self.send(*writes, hang_up=hang_up))
        self.walk.fresh(self.channel)

    def may_refuse(self, label: str, key: str, body: Body, *writes: bytes) -> None:
        """A genuine delivery in doubtful form: taken or refused, but never half. Sent again it is stored once."""
        expected = self.battery.model.deliver(self.channel.name, key, body.data)
        got = self.send(*writes)
        self.check(label, REFUSED | {expected}, got)
        again = self.channel.request(self.rng, key, body)
        after = 200 if got == expected else expected
        got = self.walk.wire.exchange(again)
        self.battery.check(f"{self.walk.name}, {label}, then properly", again, {after}, got)

    def other_spellings(self) -> None:
        for transport in TRANSPORTS:
            self.walk.fresh(self.channel, transport)

    def two_lengths(self) -> None:
        key, body, request = self.genuine()
        right, wrong = length_of(body.data), length_of(body.data[:-1])
        self.must_refuse("two lengths", self.head(request, right, wrong) + body.data)
        self.must_refuse("two lengths, the wrong one first", self.head(request, wrong, right) + body.data)
        both = ("Content-Length", right[1] + b", " + wrong[1])
        self.must_refuse("two lengths in one header", self.head(request, both) + body.data)
        self.must_refuse("a negative length", self.head(request, ("Content-Length", b"-1")) + body.data)
        self.walk.deliver(self.channel, key, body)

    def length_and_chunks(self) -> None:
        for order in [slice(None), slice(None, None, -1)]:
            key, body, request = self.genuine()
            whole = b"".join(chunks(body.data)) + b"0\r\n\r\n"
            framing = (CHUNKED, length_of(whole))[order]
            self.may_refuse("length and chunks", key, body, self.head(request, *framing) + whole)

    def hidden_request(self) -> None:
        """A genuine delivery inside an unsigned one by its length, behind it by its chunks.

        Such a connection must be closed after the first answer (RFC 9112, 6.1), so the one inside is never read.
        """
        key, body, request = self.genuine()
        inside = self.head(request, length_of(body.data)) + body.data
        outside = Request(self.channel.name, request.target.split("?")[0], headers(content_type=JSON), b"")
        whole = b"0\r\n\r\n" + inside
        for framing in [(length_of(whole), CHUNKED), (CHUNKED, length_of(whole))]:
            with Wire(self.battery.authority) as wire:
                self.check("a request around another", REFUSED, wire.raw(self.head(outside, *framing) + whole))
                self.check("a request inside another", {CLOSED}, wire.answer())
        self.walk.deliver(self.channel, key, body)

    def endless_header(self) -> None:
        request = self.genuine()[2]
        start = self.head(request)[:-2] + b"X-Endless: "
        self.must_refuse("a header without end", start, *[b"a" * 1024] * 70)
        self.must_refuse("a target without end", b"POST /", *[b"a" * 1024] * 70)

    def many_headers(self) -> None:
        key, body, request = self.genuine()
        many = b"".join(b"X-%d: 1\r\n" % number for number in range(10_000))
        whole = self.head(request, length_of(body.data))[:-2] + many + b"\r\n" + body.data
        self.may_refuse("10 000 headers", key, body, whole)

    def truncated_body(self) -> None:
        """The signature covers what arrived, so only its length says that it is not whole."""
        key, body, request = self.genuine()
        self.must_refuse("a truncated body", self.head(request, length_of(body.data + b"x")) + body.data, hang_up=True)
        self.walk.deliver(self.channel, key, body)

    def truncated_chunks(self) -> None:
        key, body, request = self.genuine()
        start = self.head(request, CHUNKED) + b"".join(chunks(body.data))
        self.must_refuse("chunks without an end", start, hang_up=True)
        self.must_refuse("a chunk of no number", start + b"xyz\r\n", hang_up=True)
        self.walk.deliver(self.channel, key, body)

    def nonsense(self) -> None:
        tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"
        for data in [tls, b"\0" * 2000, b"POST\r\n\r\n", self.rng.randbytes(4000)]:
            self.must_refuse(f"nonsense {data[:8]!r}", data, hang_up=True)

    def silence(self) -> None:
        self.must_refuse("a connection closed at once", hang_up=True)
        self.must_refuse("half a request line", b"POST /hooks/sec", hang_up=True)

    def empty_body(self) -> None:
        key = self.channel.new_key(self.rng)
        body = Body(JSON, b"")
        self.walk.deliver(self.channel, key, body, "plain")
        self.walk.deliver(self.channel, key, body, "chunked")
        request = self.channel.request(self.rng, key, body)
        self.check("an empty body without a length", {200}, self.send(self.head(request)))

    def deep_json(self) -> None:
        for data in [b"[" * 100_000, b'{"data":' * 100_000, b"[" * 100_000 + b"]" * 100_000]:
            self.walk.deliver(self.channel, self.channel.new_key(self.rng), Body(JSON, data))
        form = urlencode({"payload": "[" * 100_000}).encode()
        self.walk.deliver(self.channel, self.channel.new_key(self.rng), Body(FORM, form))

    def invalid_utf8(self) -> None:
        key, body, request = self.genuine()
        request = request.adding("X-Junk", b"\xff\xfe\xc3\x28 \x80")
        self.may_refuse("a header that is no UTF-8", key, body, self.whole(request))

    def invalid_utf8_id(self) -> None:
        """In the id itself: GitHub's is not signed and makes a dead letter, the others are refused."""
        key, body, request = self.genuine()
        name = next(name for name, value in request.headers if value == key.encode())
        broken = request.having(name, b"\xff" + key.encode())
        if self.channel.name == "github":
            self.may_refuse("an id that is no UTF-8", key, body, self.whole(broken))
        else:
            self.must_refuse("an id that is no UTF-8", self.whole(broken))

    def pipelined(self) -> None:
        """Two requests in one write are two deliveries."""
        pairs = [self.genuine(), self.genuine()]
        data = b"".join(self.whole(request) for *_, request in pairs)
        with Wire(self.battery.authority) as wire:
            answers = [wire.raw(data), wire.answer()]
        for (key, body, request), got in zip(pairs, answers, strict=True):
            expected = self.battery.model.deliver(self.channel.name, key, body.data)
            self.battery.check(f"{self.walk.name}, pipelined", request, {expected}, got)

    def largest_body(self) -> None:
        body = random_json(self.rng)
        padded = Body(JSON, body + b" " * (self.channel.limit - len(body)))
        self.walk.deliver(self.channel, self.channel.new_key(self.rng), padded, "plain")

    def too_large(self) -> None:
        """A byte more than the channel takes; the rest is not sent, so that the answer is not lost to a reset."""
        body = Body(JSON, b'"%s"' % (b"a" * (self.channel.limit - 1)))
        request = self.channel.request(self.rng, self.channel.new_key(self.rng), body)
        self.check("a length too large", {413}, self.send(self.head(request, length_of(body.data))))
        self.check("a length beyond numbers", REFUSED, self.send(self.head(request, ("Content-Length", b"9" * 30))))
        whole = b"%x\r\n%s" % (len(body.data), body.data)
        self.check("chunks too large", {413}, self.send(self.head(request, CHUNKED), whole))


def besiege(battery: Battery) -> None:
    with ThreadPoolExecutor(len(battery.channels)) as pool:
        list(pool.map(lambda channel: Siege(battery, channel).run(), battery.channels))


def race(battery: Battery, channel: Channel, label: str, entries: list[tuple[str | None, Body]]) -> None:
    """Sends `entries` at the same moment. Who wins is open; how many win is not."""
    rng = battery.random(f"race {channel.name} {label}")
    requests = [channel.request(rng, key, body) for key, body in entries]
    expected = Counter(battery.model.deliver(channel.name, key, body.data) for key, body in entries)
    start = threading.Barrier(len(requests), timeout=TIMEOUT)

    def send(request: Request) -> Outcome:
        with Wire(battery.authority) as wire:
            wire.open()
            start.wait()
            return wire.exchange(request)

    with ThreadPoolExecutor(len(requests)) as pool:
        got = Counter(pool.map(send, requests))
    battery.checks += len(requests)
    if got != expected:
        battery.differences.append(f"race, {channel.name}, {label}: expected {dict(expected)}, got {dict(got)}")


def races(battery: Battery) -> None:
    for channel in battery.channels:
        siege = Siege(battery, channel, "races")
        for _ in range(3):
            keys, bodies = zip(*(siege.genuine()[:2] for _ in range(RACERS)), strict=True)
            race(battery, channel, "one delivery", [(keys[0], bodies[0])] * RACERS)
            race(battery, channel, "one id, many bodies", [(keys[1], body) for body in bodies[1:]])
            other = siege.genuine()[1]
            race(battery, channel, "many ids, one body", [(key, other) for key in keys[2:]])
            if channel.name != "standard":
                race(battery, channel, "no id, one body", [(None, siege.genuine()[1])] * RACERS)


def run(battery: Battery, count: int) -> None:
    github, standard, shared = battery.channels
    signed = {"github": (github, FLIPS), "secret": (shared.signer, FLIPS // 2)}
    signed |= {family: (Standard(standard.secret, family), FLIPS // 2) for family in standard.families}
    mix(battery, count)
    forge_all(battery, shared, "secret plain")
    for name, (channel, number) in signed.items():
        if channel is not None:
            forge_all(battery, channel, name)
            flip_bits(battery, channel, number, name)
    besiege(battery)
    races(battery)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="where aurora listens, as http://127.0.0.1:9296")
    parser.add_argument("--github-secret", required=True)
    parser.add_argument("--standard-secret", required=True, help="whsec_ and base64")
    parser.add_argument("--shared-secret", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=600, help="deliveries in the random mix")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    channels = [Github(args.github_secret), Standard(args.standard_secret), Shared(args.shared_secret)]
    battery = Battery(urlsplit(args.base).netloc, channels, args.seed)
    started = time.monotonic()
    run(battery, args.count)
    for difference in battery.differences:
        print(difference, file=sys.stderr)
    spent = time.monotonic() - started
    found = f"{battery.checks} checks, {len(battery.differences)} differences"
    print(f"seed {args.seed}: {found}, {spent:.1f} s", file=sys.stderr)
    print(json.dumps({channel.name: battery.model.accepted[channel.name] for channel in channels}))
    return 1 if battery.differences else 0


if __name__ == "__main__":
    sys.exit(main())
