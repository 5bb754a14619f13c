"""Websocket frames as a server sends them (RFC 6455, section 5.2): unmasked, whole, uncompressed.

Frames are built once and written to every connection that wants them; a library's own writer would frame, and ask for
room, once a message and connection.
"""

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One final frame around ``payload``."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload
