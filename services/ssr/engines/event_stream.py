"""Server-sent events: the data of each event, out of the bytes of a reply as they come. Pure.

Of the format (WHATWG HTML, "Server-sent events") only the data counts here: names, ids and comments are skipped, and
events whose data is blank, which some servers send to keep the connection.
"""

from __future__ import annotations

from ssr.core.errors import BadReply

#: The longest event that is read, in bytes. A token with its 20 candidates takes some 2,000.
MAX_EVENT_BYTES = 4 * 2**20


def begins_events(body: bytes) -> bool:
    """Whether a body that begins so is a stream of events, whatever its Content-Type says. JSON never begins so."""
    return body.lstrip(b"\r\n").startswith((b"d", b"e", b":", b"i", b"r", b"\xef\xbb\xbfd"))


class EventParser:
    """Takes the bytes of one reply in any pieces; lines may end with LF, CR LF or CR."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that `chunk` completes. Raises `BadReply` when an event is too long."""
        lines = (self._rest + chunk if self._rest else chunk).splitlines(keepends=True)
        # A line without its end is not complete, and a CR at the end may be half of a CR LF.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        events = [event for line in lines if (event := self._line(line.rstrip(b"\r\n"))) is not None]
        self._check(len(self._rest))
        return events

    def end(self) -> list[bytes]:
        """The data of an event that the reply's end completes, as some servers leave out the last empty line."""
        rest, self._rest = self._rest.rstrip(b"\r\n"), b""
        events = [self._line(rest), self._line(b"")]
        return [event for event in events if event is not None]

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            data, self._data, self._size = self._data, [], 0
            return event if (event := b"\n".join(data).strip()) else None
        name, _, value = line.partition(b":")
        if name.removeprefix(b"\xef\xbb\xbf") == b"data":
            self._check(len(value))
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
        return None

    def _check(self, more: int) -> None:
        if self._size + more > MAX_EVENT_BYTES:
            raise BadReply(f"{self._url} answered with an event of more than {MAX_EVENT_BYTES} bytes")
