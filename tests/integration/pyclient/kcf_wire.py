# SPDX-License-Identifier: Apache-2.0
"""Protobuf and frames, from PROTOCOL.md sections 2 to 4, with the standard library only."""
import struct

HEADER = struct.Struct("<IHHHHIIIQQ")
MAGIC = 0x3146434B
HEADER_LEN = 40

TYPES = {name: number for number, name in enumerate(
    "HELLO HELLO_REPLY OP OP_REPLY OP_STEP TEMPLATE_ATTACH TEMPLATE_DROP CONTEXT_DROP KEY_OP KEY_REPLY CANCEL "
    "STATUS STATUS_REPLY MECH_FIND MECH_REPLY DONE ARENA_NEW ARENA_OFFER ARENA_FREE ARENA_REPLY WANT ROOM EVENT "
    "FATAL ADMIN ADMIN_REPLY RING_NEW RING_REPLY".split(), 1)}
NAMES = {number: name for name, number in TYPES.items()}

# Field number: (name, kind). Kinds: u number, s zigzag, b bytes, t text, M:x message; with * repeated.
KEY_REF = {1: ("bytes", "b"), 2: ("format", "u"), 3: ("handle", "b"), 4: ("name", "t"), 5: ("has_bytes", "u")}
PARAM = {1: ("kind", "u"), 2: ("iv", "b"), 3: ("aad", "b"), 4: ("salt", "b"), 5: ("len", "u"), 6: ("hash", "u"),
         7: ("mgf_hash", "u"), 8: ("salt_len", "s"), 9: ("flags", "u"), 10: ("n", "u"), 11: ("r", "u"),
         12: ("p", "u")}
STEP = {1: ("kind", "u"), 2: ("in_len", "u"), 3: ("out_room", "u"), 4: ("in_ranges", "*u"),
        5: ("out_ranges", "*u")}
MODULE = {1: ("name", "t"), 2: ("provider", "u"), 3: ("size", "u")}
OP_REPLY = {1: ("status", "u"), 2: ("out_len", "u"), 3: ("required", "u"), 4: ("provider", "u"),
            5: ("busy_reason", "u"), 6: ("queue_hops", "u"), 7: ("iv", "b"), 8: ("step", "u"),
            9: ("mac_len", "u"), 10: ("step_lens", "*u")}

SCHEMA = {
    "HELLO": {1: ("version_min", "u"), 2: ("version_max", "u"), 3: ("label", "t"), 4: ("features", "u")},
    "HELLO_REPLY": {1: ("version", "u"), 2: ("features", "u"), 3: ("max_request", "u"), 4: ("max_inline", "u"),
                    5: ("lease", "u"), 6: ("daemon_id", "u"), 7: ("modules", "*M:MODULE")},
    "OP": {1: ("op", "u"), 2: ("phase", "u"), 3: ("flags", "u"), 4: ("mech", "u"), 5: ("template", "u"),
           6: ("key", "M:KEY_REF"), 7: ("param", "M:PARAM"), 8: ("context", "u"), 9: ("in_len", "u"),
           10: ("check_len", "u"), 11: ("out_room", "u"), 12: ("in_ranges", "*u"), 13: ("out_ranges", "*u"),
           14: ("preference", "u"), 15: ("provider", "t"), 16: ("mech2", "u"), 17: ("template2", "u"),
           18: ("key2", "M:KEY_REF"), 19: ("param2", "M:PARAM"), 20: ("mac_room", "u"), 21: ("steps", "*M:STEP"),
           22: ("units", "u"), 23: ("mac_ranges", "*u")},
    "OP_REPLY": OP_REPLY,
    "OP_STEP": OP_REPLY,
    "TEMPLATE_ATTACH": {1: ("slot", "u"), 2: ("mech", "u"), 3: ("key", "M:KEY_REF")},
    "TEMPLATE_DROP": {1: ("slot", "u")},
    "CONTEXT_DROP": {1: ("context", "u")},
    "KEY_OP": {1: ("kind", "u"), 2: ("key", "M:KEY_REF"), 3: ("mech", "u"), 4: ("param", "M:PARAM"),
               5: ("usage", "u"), 6: ("len", "u")},
    "KEY_REPLY": {1: ("status", "u"), 2: ("handle", "b"), 3: ("data", "b")},
    "CANCEL": {1: ("id", "u")},
    "STATUS": {1: ("id", "u")},
    "STATUS_REPLY": {1: ("status", "u"), 2: ("state", "u"), 3: ("position", "u"), 4: ("steps_done", "u"),
                     5: ("provider", "u")},
    "MECH_FIND": {1: ("name", "t")},
    "MECH_REPLY": {1: ("status", "u"), 2: ("mech", "u")},
    "DONE": {1: ("status", "u")},
    "ARENA_NEW": {1: ("size", "u")},
    "ARENA_OFFER": {1: ("segment", "u"), 2: ("size", "u")},
    "ARENA_FREE": {1: ("segment", "u")},
    "ARENA_REPLY": {1: ("status", "u"), 2: ("segment", "u"), 3: ("size", "u")},
    "WANT": {1: ("units", "u"), 2: ("provider", "u")},
    "ROOM": {1: ("units", "u"), 2: ("provider", "u")},
    "EVENT": {1: ("type", "u"), 2: ("mechanism", "t"), 3: ("provider", "t")},
    "FATAL": {1: ("status", "u"), 2: ("text", "t")},
    "ADMIN": {1: ("command", "t"), 2: ("args", "*t")},
    "RING_NEW": {1: ("version", "u")},
    "RING_REPLY": {1: ("status", "u")},
    "ADMIN_REPLY": {1: ("status", "u"), 2: ("error", "t")},
}
PARTS = {"KEY_REF": KEY_REF, "PARAM": PARAM, "STEP": STEP, "MODULE": MODULE}


class Malformed(Exception):
    """Bytes that are not what PROTOCOL.md says."""


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(buf, at):
    value = shift = 0
    while True:
        if at >= len(buf) or shift > 63:
            raise Malformed("varint")
        byte = buf[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _one(number, kind, value):
    if kind == "u":
        return varint(number << 3) + varint(int(value))
    if kind == "s":
        return varint(number << 3) + varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if kind == "t":
        value = value.encode()
    elif kind.startswith("M:"):
        value = encode(PARTS[kind[2:]], value)
    return varint(number << 3 | 2) + varint(len(value)) + bytes(value)


def encode(fields, message):
    """A message as dict to bytes. Absent and empty members are left out; empty parts (dicts) are not."""
    out = b""
    known = {name: (number, kind) for number, (name, kind) in fields.items()}
    for name, value in message.items():
        number, kind = known[name]
        if kind == "*u":
            packed = b"".join(varint(v) for v in value)
            if packed:
                out += varint(number << 3 | 2) + varint(len(packed)) + packed
        elif kind[0] == "*":
            out += b"".join(_one(number, kind[1:], v) for v in value)
        elif isinstance(value, dict) or value:
            out += _one(number, kind, value)
    return out


def _wire(buf, at, wire):
    if wire == 0:
        return read_varint(buf, at)
    if wire == 2:
        size, at = read_varint(buf, at)
    else:
        size = {1: 8, 5: 4}.get(wire)
        if size is None:
            raise Malformed("wire type %d" % wire)
    if at + size > len(buf):
        raise Malformed("length")
    return bytes(buf[at:at + size]), at + size


def decode(fields, buf):
    """Bytes to a dict with every member of the schema; unknown fields are skipped."""
    empty = {"u": 0, "s": 0, "b": b"", "t": "", "M": None, "*": None}
    out = {name: [] if kind[0] == "*" else empty[kind[0]] for name, kind in fields.values()}
    at = 0
    while at < len(buf):
        tag, at = read_varint(buf, at)
        value, at = _wire(buf, at, tag & 7)
        if tag >> 3 not in fields:
            continue
        name, kind = fields[tag >> 3]
        if kind == "*u" and tag & 7 == 2:
            inner = 0
            while inner < len(value):
                number, inner = read_varint(value, inner)
                out[name].append(number)
            continue
        plain = kind.lstrip("*")
        if plain == "s":
            value = (value >> 1) ^ -(value & 1)
        elif plain == "t":
            value = value.decode()
        elif plain.startswith("M:"):
            value = decode(PARTS[plain[2:]], value)
        if kind[0] == "*":
            out[name].append(value)
        else:
            out[name] = value
    return out


def frame(kind, message, ident=0, deadline_us=0, payload=b""):
    """A whole frame. kind: its name."""
    body = encode(SCHEMA[kind], message)
    head = HEADER.pack(MAGIC, 1, HEADER_LEN, TYPES[kind], 0, len(body), len(payload), 0, ident, deadline_us)
    return head + body + bytes(payload)
