#!/usr/bin/env python3
"""Sends aurora forms and WhatsApp messages, genuine and hostile, and checks every answer.

Twilio's are signed by its official SDK, whose own validator is asked about every altered delivery as well: aurora must
accept what it accepts and refuse what it refuses. Typeform has no library; its documentation is an HMAC, and `curl`
carries a part of its deliveries. The model of what must have been stored is kept here.

    pip install -r requirements.txt
    python seeds.py --base http://127.0.0.1:9296 --typeform-secret S --twilio-token T [--seed N] [--count N]

Run it against an engine that has just started on a fresh state directory, with the channels `typeform` and `twilio`
at their usual paths. The last line of stdout is a JSON object, channel to number of stored events. Every answer that was
not expected is told on stderr, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

from twilio.request_validator import HMAC_SHA256, RequestValidator

from battery import FORM, JSON, Request, Wire, headers, mac64, random_text

# Past 600 failures a minute on one channel every answer changes.
FLIPS = 100
Parameters = list[tuple[str, str]]


class MultiDict(dict):
    """Parameters as web frameworks hand them to the SDK."""

    def __init__(self, pairs: Parameters) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def getlist(self, name: str) -> list[str]:
        return [value for known, value in self.pairs if known == name]


class Seeds:
    """What both channels share: the wire, the counts, and what went wrong."""

    def __init__(self, base: str, seed: int) -> None:
        self.base = base.rstrip("/")
        self.authority = urlsplit(base).netloc
        self.rng = random.Random(f"seeds {seed}")
        self.wire = Wire(self.authority)
        self.accepted: Counter = Counter(typeform=0, twilio=0)
        self.differences: list[str] = []
        self.checks = 0

    def check(self, label: str, request: Request, *expected: int) -> int:
        got = self.wire.exchange(request)
        self.checks += 1
        if got not in expected:
            self.differences.append(f"{request.channel}, {label}: expected {expected}, got {got}: {request.body[:200]!r}")
        return got if isinstance(got, int) else 0

    def stored(self, label: str, request: Request) -> None:
        """A delivery that must be stored now."""
        self.accepted[request.channel] += self.check(label, request, 200) == 200

    def hexadecimal(self, digits: int) -> str:
        return "".join(self.rng.choices("0123456789abcdef", k=digits))


# ------------------------------------------------------------------------------------------------------------ Twilio


class Twilio(Seeds):
    """WhatsApp and SMS, signed by the SDK."""

    path = "/whatsapp/webhook"

    def __init__(self, base: str, seed: int, token: str) -> None:
        super().__init__(base, seed)
        self.token = token
        self.validator = RequestValidator(token)

    def parameters(self) -> Parameters:
        """A message as Twilio sends it, with values that are easily damaged."""
        sid = "SM" + self.hexadecimal(32)
        values = [("MessageSid", sid), ("SmsSid", sid), ("From", "whatsapp:+491700000000"), ("To", "whatsapp:+491700000001")]
        values += [("Body", self.rng.choice(["", " ", "  padded\t", "a+b%20c&d=e", random_text(self.rng, 60)]))]
        values += [("ProfileName", self.rng.choice(["Ann", "Änn 🦀", ""])), ("NumMedia", "0")]
        if self.rng.random() < 0.5:
            values += [("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("ANewOne", random_text(self.rng, 5)), ("zz", "")]
        self.rng.shuffle(values)
        return values

    def body(self, parameters: Parameters) -> bytes:
        return urlencode(parameters, quote_via=self.rng.choice([quote, quote_plus])).encode()

    def sign(self, target: str, parameters: Parameters, **how: str) -> str:
        return self.validator.compute_signature(self.base + target, MultiDict(parameters), **how)

    def request(self, target: str, parameters: Parameters, body: bytes, signature: str | None = None) -> Request:
        signature = signature or self.sign(target, parameters)
        return Request("twilio", target, headers(content_type=FORM, x_twilio_signature=signature), body)

    def run(self, count: int) -> None:
        for number in range(count):
            target = self.path + self.rng.choice(["", "", "?foo=1&bar=2", "?q=It%27s+here", "?x=a%20b&y"])
            parameters = self.parameters()
            body = self.body(parameters)
            good = self.request(target, parameters, body)
            if number % 4 == 0:
                for label, bad, status in self.forgeries(target, parameters, good):
                    self.check(label, bad, status)
            self.stored("genuine", good)
            self.check("the same again", good, 200)
            self.check("a retry with a token of its own", good.adding("I-Twilio-Idempotency-Token", self.hexadecimal(8)), 200)
            turned = self.body(list(reversed(parameters)))
            if turned != body:
                self.check("other bytes under a known id", good._replace(body=turned), 409)
        self.statuses()
        self.other_ways()
        self.flip_bits()

    def forgeries(self, target: str, parameters: Parameters, good: Request) -> Iterator[tuple[str, Request, int]]:
        name = "X-Twilio-Signature"
        right = good.get(name).decode()
        other = [(key, value + "!" if key == "Body" else value) for key, value in parameters]
        yield "an altered parameter", good._replace(body=self.body(other)), 403
        yield "an added parameter", good._replace(body=good.body + b"&Added=1"), 403
        without = [(key, value) for key, value in parameters if key != "From"]
        yield "a missing parameter", good._replace(body=self.body(without)), 403
        trimmed = [(key, value.strip()) for key, value in parameters]
        if trimmed != parameters:
            yield "trimmed values", good._replace(body=self.body(trimmed)), 403
        yield "another address", good._replace(target=f"{self.path}?other=1"), 403
        elsewhere = self.validator.compute_signature("https://evil.example" + target, MultiDict(parameters))
        yield "signed for another host", good.having(name, elsewhere), 403
        hosted = good.having(name, elsewhere).adding("X-Forwarded-Host", "evil.example")
        yield "another host that a header names", hosted, 403
        by_another = RequestValidator("other").compute_signature(self.base + target, MultiDict(parameters))
        yield "another token", good.having(name, by_another), 403
        yield "only the address is signed", good.having(name, self.sign(target, [])), 403
        yield "no signature", good.without(name), 403
        yield "an empty signature", good.having(name, ""), 403
        yield "two signatures", good.adding(name, right), 403
        yield "two in one header", good.having(name, f"{right},{right}"), 403
        yield "no base64", good.having(name, "sha1=" + right), 403
        yield "another content type", good.having("Content-Type", "text/plain"), 415
        yield "said to be JSON", good.having("Content-Type", JSON), 403
        yield "another method", good._replace(method="PUT"), 405

    def statuses(self) -> None:
        """Callbacks in any order: each once, however often it comes."""
        sid = "SM" + self.hexadecimal(32)
        for status in ["read", "sent", "delivered", "sent", "failed"]:
            parameters = [("MessageSid", sid), ("MessageStatus", status), ("To", "whatsapp:+491700000000")]
            request = self.request(self.path, parameters, urlencode(parameters).encode())
            if self.check(f"status {status}", request, 200) == 200:
                self.accepted["twilio"] += 1
        self.accepted["twilio"] -= 1  # "sent" came twice

    def other_ways(self) -> None:
        """JSON by its hash, parameters in the address, ports, a shared key, and what makes a dead letter."""
        body = json.dumps({"MessageSid": "SM" + self.hexadecimal(32), "From": "+491700000000", "Body": "hällo"}).encode()
        target = f"{self.path}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        signed = headers(content_type=JSON, x_twilio_signature=self.sign(target, []))
        self.stored("JSON", Request("twilio", target, signed, body))
        self.check("JSON with another body", Request("twilio", target, signed, body + b" "), 403)
        bare = headers(content_type=JSON, x_twilio_signature=self.sign(self.path, []))
        self.check("JSON without a hash", Request("twilio", self.path, bare, body), 403)
        double = target + target[target.index("?") :].replace("?", "&")
        twice = headers(content_type=JSON, x_twilio_signature=self.sign(double, []))
        self.check("JSON with two hashes", Request("twilio", double, twice, body), 403)

        query = urlencode([("MessageSid", "SM" + self.hexadecimal(32)), ("From", "+491700000000"), ("Body", "x y")])
        by_get = headers(x_twilio_signature=self.sign(f"{self.path}?{query}", []))
        self.stored("by GET", Request("twilio", f"{self.path}?{query}", by_get, b"", "GET"))
        self.check("by GET, altered", Request("twilio", f"{self.path}?{query}z", by_get, b"", "GET"), 403)

        portless = f"http://{urlsplit(self.base).hostname}{self.path}"
        for url, status in [(portless, 200), (portless.replace("127.0.0.1", "127.0.0.1:1"), 403)]:
            parameters = self.parameters()
            signature = self.validator.compute_signature(url, MultiDict(parameters))
            request = self.request(self.path, parameters, self.body(parameters), signature)
            (self.stored if status == 200 else lambda *a: self.check(*a, 403))(f"signed for {url}", request)

        parameters = self.parameters()
        by_key = self.sign(self.path, parameters, algorithm=HMAC_SHA256)
        self.stored("a shared key", self.request(self.path, parameters, self.body(parameters), by_key))

        for odd in [[("CallSid", "CA1")], [("MessageSid", "SM1")], [("MessageSid", "SM" + "0" * 32)] * 2, []]:
            label = f"a dead letter: {odd}"
            body = urlencode(odd).encode()
            self.stored(label, self.request(self.path, odd, body))
            self.check(f"{label}, again", self.request(self.path, odd, body), 200)

    def flip_bits(self) -> None:
        """The SDK decides about every flipped bit of a body."""
        parameters = [("MessageSid", "SM" + self.hexadecimal(32)), ("Body", "a+b %41 ä"), ("From", "+491700000000")]
        good = self.request(self.path, parameters, urlencode(parameters).encode())
        self.stored("before any bit is flipped", good)
        for _ in range(FLIPS):
            body = bytearray(good.body)
            body[self.rng.randrange(len(body))] ^= 1 << self.rng.randrange(8)
            try:
                pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
            except UnicodeDecodeError:
                pairs = [("not", "text")]
            signature = good.get("X-Twilio-Signature").decode()
            same = self.validator.validate(self.base + self.path, MultiDict(pairs), signature)
            # What verifies comes under a known id with other bytes.
            self.check("a flipped bit", good._replace(body=bytes(body)), 409 if same else 403)
            signed = bytearray(good.get("X-Twilio-Signature"))
            signed[self.rng.randrange(len(signed))] ^= 1 << self.rng.randrange(7)
            if not {10, 13, 0} & set(signed) and bytes(signed).strip() == bytes(signed):
                self.check("a flipped bit of the signature", good.having("X-Twilio-Signature", bytes(signed)), 400, 403)


# ---------------------------------------------------------------------------------------------------------- Typeform


class Typeform(Seeds):
    """Forms, signed as the documentation says: sha256= and the base64 of the HMAC-SHA256 of the exact body."""

    path = "/typeform/webhook"

    def __init__(self, base: str, seed: int, secret: str) -> None:
        super().__init__(base, seed)
        self.secret = secret.encode()

    def body(self, event: str | None = None) -> bytes:
        field = {"id": "q", "type": "long_text", "title": random_text(self.rng, 20)}
        response = {
            "form_id": "f",
            "token": self.hexadecimal(16),
            "definition": {"title": "Survey", "fields": [field]},
            "answers": [{"type": "text", "text": random_text(self.rng, 100), "field": {"id": "q", "type": "long_text"}}],
        }
        kind = self.rng.choice(["form_response", "form_response", "form_response_partial", "something_new"])
        value = {"event_id": event or self.hexadecimal(26), "event_type": kind, "form_response": response}
        return json.dumps(value, ensure_ascii=self.rng.random() < 0.5).encode()

    def sign(self, body: bytes) -> str:
        return "sha256=" + mac64(self.secret, body)

    def request(self, body: bytes) -> Request:
        return Request("typeform", self.path, headers(content_type=JSON, typeform_signature=self.sign(body)), body)

    def by_curl(self, body: bytes) -> int:
        given = ["-H", "Content-Type: application/json", "-H", f"Typeform-Signature: {self.sign(body)}"]
        command = ["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", *given]
        command += ["--data-binary", "@-", self.base + self.path]
        return int(subprocess.run(command, input=body, capture_output=True, check=True, timeout=60).stdout)

    def run(self, count: int) -> None:
        for number in range(count):
            body = self.body()
            good = self.request(body)
            if number % 4 == 0:
                for label, bad, status in self.forgeries(good):
                    self.check(label, bad, status)
            if number % 5 == 0:
                got = self.by_curl(body)
                self.accepted["typeform"] += got == 200
                if got != 200:
                    self.differences.append(f"typeform, by curl: expected 200, got {got}")
            else:
                self.stored("genuine", good)
            self.check("the same again", good, 200)
            event = json.loads(body)["event_id"]
            self.check("another body under the same id", self.request(self.body(event)), 409)
        for odd in [b"", b"{", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"event_id":7}', b'{"event_id":"a","event_id":"b"}']:
            self.stored(f"a dead letter: {odd[:40]!r}", self.request(odd))
            self.check(f"a dead letter again: {odd[:40]!r}", self.request(odd), 200)

    def forgeries(self, good: Request) -> Iterator[tuple[str, Request, int]]:
        name, right = "Typeform-Signature", good.get("Typeform-Signature").decode()
        yield "an altered body", good._replace(body=good.body.replace(b"Survey", b"Survex")), 401
        yield "a byte more", good._replace(body=good.body + b" "), 401
        yield "another secret", good.having(name, "sha256=" + mac64(self.secret + b"x", good.body)), 401
        yield "no signature", good.without(name), 401
        yield "two signatures", good.adding(name, right), 401
        yield "without its prefix", good.having(name, right[7:]), 401
        yield "by SHA-1's name", good.having(name, "sha1=" + right[7:]), 401
        yield "in hexadecimal", good.having(name, "sha256=" + hashlib.sha256(good.body).hexdigest()), 401
        yield "cut off", good.having(name, right[:-4]), 401
        yield "as GitHub signs", good.without(name).adding("X-Hub-Signature-256", right), 401
        yield "another content type", good.having("Content-Type", FORM), 415
        yield "another method", good._replace(method="GET", body=b""), 503
        yield "a path nobody has", good._replace(target="/typeform/gone", body=good.body[:1000]), 503


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="where aurora listens, as http://127.0.0.1:9296")
    parser.add_argument("--typeform-secret", required=True)
    parser.add_argument("--twilio-token", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60, help="genuine deliveries a channel")
    args = parser.parse_args()
    started = time.monotonic()
    both = [Twilio(args.base, args.seed, args.twilio_token), Typeform(args.base, args.seed, args.typeform_secret)]
    for seeds in both:
        with seeds.wire:
            seeds.run(args.count)
    differences = [difference for seeds in both for difference in seeds.differences]
    for difference in differences:
        print(difference, file=sys.stderr)
    spent = time.monotonic() - started
    checks = sum(seeds.checks for seeds in both)
    print(f"seed {args.seed}: {checks} checks, {len(differences)} differences, {spent:.1f} s", file=sys.stderr)
    print(json.dumps({"twilio": both[0].accepted["twilio"], "typeform": both[1].accepted["typeform"]}))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
