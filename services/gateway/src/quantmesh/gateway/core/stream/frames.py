"""What is sent on the stream, worded once: as text, and as the WebSocket frame around it (RFC 6455, 5.2)."""

_TEXT_FRAME = 0x81


class Frame:
    """A whole, unmasked, uncompressed text frame, the same for every client."""

    __slots__ = ("text", "wire")

    def __init__(self, text: str) -> None:
        payload = text.encode()
        length = len(payload)
        if length < 126:
            head = bytes((_TEXT_FRAME, length))
        elif length < 65_536:
            head = bytes((_TEXT_FRAME, 126)) + length.to_bytes(2)
        else:
            head = bytes((_TEXT_FRAME, 127)) + length.to_bytes(8)
        self.text = text
        self.wire = head + payload


def event_frame(channel: str, seq: int, time: str, kind: str, data: str) -> Frame:
    """The one form of every event; `data` is JSON. The others hold nothing that JSON would escape."""
    return Frame(f'{{"channel":"{channel}","seq":{seq},"time":"{time}","type":"{kind}","data":{data}}}')
