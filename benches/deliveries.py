"""Signed deliveries of about 1 KiB for each provider, made before the clock runs.

`write(provider, directory)` leaves `template` and `values` there, as post.lua wants them: one whole HTTP request with
holes of fixed width, and one line of values a delivery.
"""

import base64, hashlib, hmac, os, time
from urllib.parse import quote

SECRET = b"perfsecret"
COUNT = 400_000
URL = "http://127.0.0.1:{port}/hook"
WORDS = "the gate is stuck and nobody has oil "


def request(headers, body, length):
    head = [b"POST /hook HTTP/1.1", b"Host: 127.0.0.1", *headers, b"Content-Length: %d" % length]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def filler(room):
    return (WORDS * (room // len(WORDS) + 1))[:room]


def github(port, now):
    before = b'{"id":"evt_'
    after = b'","type":"message.received","from":"ann@example.org","text":"' + filler(940).encode() + b'"}'
    headers = [b"Content-Type: application/json", b"X-GitHub-Event: issues",
               b"X-GitHub-Delivery: 00000000-0000-4000-8000-00\1", b"X-Hub-Signature-256: sha256=\2"]

    def values(number):
        number = b"%010d" % number
        return number, hmac.new(SECRET, before + number + after, hashlib.sha256).hexdigest().encode()
    return request(headers, before + b"\1" + after, len(before) + 10 + len(after)), values


def typeform(port, now):
    before = b'{"event_id":"evt_'
    after = (b'","event_type":"form_response","form_response":{"form_id":"garden","token":"tok","definition":{"id":"garden",'
             b'"title":"Garden","fields":[{"id":"a","title":"What is wrong?","type":"long_text"}]},"answers":[{"type":"text",'
             b'"text":"' + filler(720).encode() + b'","field":{"id":"a","type":"long_text"}}]}}')
    headers = [b"Content-Type: application/json", b"Typeform-Signature: sha256=\2"]

    def values(number):
        number = b"%010d" % number
        return number, base64.b64encode(hmac.new(SECRET, before + number + after, hashlib.sha256).digest())
    return request(headers, before + b"\1" + after, len(before) + 10 + len(after)), values


def twilio(port, now):
    fields = {"AccountSid": "AC" + "0" * 32, "Body": filler(640), "From": "whatsapp:+491700000000",
              "MessageSid": "SM" + "0" * 22 + "\1", "NumMedia": "0", "ProfileName": "Ann", "To": "whatsapp:+491700000001"}
    body = "&".join(f"{name}={quote(value, safe=chr(1))}" for name, value in fields.items()).encode()
    signed = (URL.format(port=port) + "".join(name + fields[name] for name in sorted(fields))).encode()
    headers = [b"Content-Type: application/x-www-form-urlencoded", b"X-Twilio-Signature: \2"]

    def values(number):
        number = b"%010d" % number
        digest = hmac.new(SECRET, signed.replace(b"\1", number), hashlib.sha1).digest()
        return number, base64.b64encode(digest)
    return request(headers, body, len(body) + 9), values


def mailgun(port, now):
    stamp = str(now)
    headers_field = '[["Message-Id","<\1@example.org>"],["From","Ann <ann@example.org>"],["Subject","The gate"]]'
    fields = {"recipient": "garden@example.org", "sender": "ann@example.org", "from": "Ann <ann@example.org>",
              "subject": "The gate", "body-plain": filler(480), "message-headers": headers_field,
              "Message-Id": "<\1@example.org>", "timestamp": stamp, "token": "0" * 40 + "\1", "signature": "\2"}
    body = "&".join(f"{name}={quote(value, safe=chr(1) + chr(2))}" for name, value in fields.items()).encode()
    headers = [b"Content-Type: application/x-www-form-urlencoded"]

    def values(number):
        number = b"%010d" % number
        return number, hmac.new(SECRET, stamp.encode() + b"0" * 40 + number, hashlib.sha256).hexdigest().encode()
    return request(headers, body, len(body) + 3 * 9 + 63), values


PROVIDERS = {"github": github, "typeform": typeform, "twilio": twilio, "mailgun": mailgun}


def write(provider, directory, port):
    template, values = PROVIDERS[provider](port, int(time.time()))
    with open(os.path.join(directory, "template"), "wb") as file:
        file.write(template)
    with open(os.path.join(directory, "values"), "wb") as file:
        for number in range(COUNT):
            file.write(b"\t".join(values(number)) + b"\n")
