"""Inputs that nobody should send: messages with nasty values, bytes that are no message, metadata, HTTP/2 frames."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from raw_http2 import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame, headers

_DEPTH = 4
#: Share of the messages with one odd field alone.
_NEARLY_RIGHT = 0.4
_TEXTS = (
    "",
    " ",
    "\0",
    "{}",
    "}{",
    "{a}b}",
    "\u200b\u2060",
    "٣٤٥-٦",
    "18446744073709551615-18446744073709551615",
    "18446744073709551616-1",
    "9" * 400 + "-1",
    "-1",
    "NaN",
    "job-" + "a" * 24,
    "batch-" + "b" * 24,
    "competition",
    "judge",
    "arithmetic+judge",
    "What is 2 + 5?",
    "\\boxed{" * 50,
    "\U0001f600" * 30,
    "\u202e\ufeff\ufffe",
    "x" * 20_001,
    "ssr/batch",
    "*",
    "\r\nHost: x",
    "%s%n%x",
    "../../etc/passwd",
)
_WHOLE = (0, 1, 2, 5, 16, 17, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_FLOATS = (0.0, -0.0, 0.5, 1.0, 7.0, 9.0, -1.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"))


class Inputs:
    """Everything by chance from one seed."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        #: Names that the server has given out: some inputs use them.
        self.known: list[str] = []

    def body(self, message_type: type[Message]) -> bytes:
        """A message of the type, or something like it, or no message at all."""
        kind = self.rng.random()
        if kind < 0.15:
            return self.rng.randbytes(self.rng.choice((0, 1, 2, 7, 64, 1_000)))
        body = self.message(message_type).SerializeToString()
        if kind < 0.55 or not body:
            return body
        return self.rng.choice((self._flipped, self._cut, self._doubled))(body)

    def message(self, message_type: type[Message], depth: int = 0) -> Message:
        if depth == 0 and self.rng.random() < _NEARLY_RIGHT:
            return self._with_one_odd_field(message_type)
        message, filled = message_type(), self.rng.choice((0.1, 0.3, 0.6, 0.9))
        for field in message_type.DESCRIPTOR.fields:
            if self.rng.random() < filled:
                self._fill(message, field, depth)
        return message

    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        chosen: list[tuple[str, str | bytes]] = []
        if self.rng.random() < 0.2:
            chosen.append(("x-ssr-tenant", self.rng.choice(("acme", "a.b.c", "a b", "", "x" * 300, "{}", "*"))))
        if self.rng.random() < 0.1:
            chosen.append(("x-ssr-waiter", self.rng.choice(("one", "a b", "", "x" * 100))))
        if self.rng.random() < 0.1:
            chosen.append(("authorization", self.rng.choice(("Bearer", "Bearer x", "Basic eA==", ""))))
        if self.rng.random() < 0.1:
            chosen.append(("traceparent", self.rng.choice(("00-" + "0" * 32 + "-" + "0" * 16 + "-00", "x", ""))))
        if self.rng.random() < 0.05:
            chosen.append(("x-any-bin", self.rng.randbytes(20)))
        return tuple(chosen)

    def frames(self, method: str, body: bytes) -> list[bytes]:
        """A call by hand, with something wrong with it."""
        kinds: tuple[Callable[[str, bytes], list[bytes]], ...] = (
            self._wrong_length,
            self._compressed,
            self._cut_off,
            self._several,
            self._wrong_headers,
            self._noise,
            self._controls,
        )
        return self.rng.choice(kinds)(method, body)

    def _with_one_odd_field(self, message_type: type[Message]) -> Message:
        """A message whose problems and names are right: what is wrong with it is not found at the first look."""
        made: Message = message_type()
        message: Any = made
        fields = message_type.DESCRIPTOR.fields
        if fields:
            self._fill(message, self.rng.choice(fields), depth=0)
        for field in fields:
            if field.name == "problem":
                message.problem = "What is 2 + 5?"
            elif field.name in ("job_id", "batch_id", "file_id") and self.known:
                setattr(message, field.name, self.rng.choice(self.known))
            elif field.name == "requests":
                for request in message.requests:
                    request.problem = "What is 2 + 5?"
        return made

    def _fill(self, message: Any, field: Any, depth: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for _ in range(self.rng.choice((0, 1, 3, 20))):
                getattr(message, field.name)[self._text()] = self._text()
            return
        count = self.rng.choice((0, 1, 2, 5)) if field.is_repeated else 1
        for _ in range(count):
            if field.message_type is not None:
                if depth < _DEPTH:
                    self._fill_message(message, field, depth)
                continue
            value = self._value(field)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)

    def _fill_message(self, message: Any, field: Any, depth: int) -> None:
        made = self.message(message_factory.GetMessageClass(field.message_type), depth + 1)
        if field.is_repeated:
            getattr(message, field.name).append(made)
        else:
            getattr(message, field.name).CopyFrom(made)

    def _value(self, field: Any) -> Any:
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self.rng.randbytes(9) if field.type == FieldDescriptor.TYPE_BYTES else self._text()
        if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            return self.rng.choice(_FLOATS) if self.rng.random() < 0.7 else self.rng.uniform(-10, 10)
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return self.rng.random() < 0.5
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            return self.rng.choice((0, 1, 2, 3, 4, 5, 99, 2**31 - 1, -1))
        return self._whole(kind)

    def _whole(self, kind: int) -> int:
        bits, signed = {
            FieldDescriptor.CPPTYPE_INT32: (32, True),
            FieldDescriptor.CPPTYPE_INT64: (64, True),
            FieldDescriptor.CPPTYPE_UINT32: (32, False),
            FieldDescriptor.CPPTYPE_UINT64: (64, False),
        }[kind]
        value: int = self.rng.choice(_WHOLE)
        most: int = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        sign: int = self.rng.choice((1, -1)) if signed else 1
        return sign * min(value, most)

    def _text(self) -> str:
        if self.known and self.rng.random() < 0.25:
            return self.rng.choice(self.known)
        if self.rng.random() < 0.75:
            return self.rng.choice(_TEXTS)
        return "".join(
            chr(self.rng.choice((self.rng.randrange(32, 127), self.rng.randrange(0xD7FF)))) for _ in range(20)
        )

    def _flipped(self, body: bytes) -> bytes:
        changed = bytearray(body)
        for _ in range(self.rng.choice((1, 1, 3))):
            changed[self.rng.randrange(len(changed))] ^= 1 << self.rng.randrange(8)
        return bytes(changed)

    def _cut(self, body: bytes) -> bytes:
        return body[: self.rng.randrange(len(body))]

    def _doubled(self, body: bytes) -> bytes:
        at = self.rng.randrange(len(body))
        return body[:at] + body[at:] + body[at:]

    def _wrong_length(self, method: str, body: bytes) -> list[bytes]:
        length = self.rng.choice((0, len(body) + 1, 2**24, 2**31, 2**32 - 1))
        message = b"\0" + struct.pack(">I", length) + body[:5_000]
        return [frame(HEADERS, END_HEADERS, 1, headers(method)), frame(DATA, END_STREAM, 1, message)]

    def _compressed(self, method: str, body: bytes) -> list[bytes]:
        message = bytes([self.rng.choice((1, 2, 255))]) + struct.pack(">I", len(body[:5_000])) + body[:5_000]
        more = {"grpc_encoding": self.rng.choice(("gzip", "deflate", "none-such"))} if self.rng.random() < 0.5 else {}
        return [frame(HEADERS, END_HEADERS, 1, headers(method, **more)), frame(DATA, END_STREAM, 1, message)]

    def _cut_off(self, method: str, body: bytes) -> list[bytes]:
        message = (b"\0" + struct.pack(">I", len(body)) + body)[:4_000]
        part = message[: self.rng.randrange(len(message))]
        end = self.rng.choice((frame(RST_STREAM, 0, 1, struct.pack(">I", 8)), frame(DATA, END_STREAM, 1)))
        return [frame(HEADERS, END_HEADERS, 1, headers(method)), frame(DATA, 0, 1, part), end]

    def _several(self, method: str, body: bytes) -> list[bytes]:
        message = b"\0" + struct.pack(">I", len(body[:2_000])) + body[:2_000]
        return [frame(HEADERS, END_HEADERS, 1, headers(method)), frame(DATA, END_STREAM, 1, message * 4)]

    def _wrong_headers(self, method: str, body: bytes) -> list[bytes]:
        odd = self.rng.choice(
            ({":path": "/none.Such/Method"}, {":path": ""}, {":method": "GET"}, {"content-type": "text/html"})
        )
        timeout = {"grpc_timeout": self.rng.choice(("1n", "99999999H", "x", "-1S", ""))}
        return [frame(HEADERS, END_HEADERS | END_STREAM, 1, headers(method, **{**odd, **timeout}))]

    def _noise(self, method: str, body: bytes) -> list[bytes]:
        return [self.rng.randbytes(self.rng.choice((1, 9, 100, 3_000)))]

    def _controls(self, method: str, body: bytes) -> list[bytes]:
        kinds = (DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, 8, 9, 77)
        return [
            frame(self.rng.choice(kinds), self.rng.randrange(256), self.rng.randrange(4), self.rng.randbytes(8))
            for _ in range(self.rng.choice((1, 3, 20)))
        ]
