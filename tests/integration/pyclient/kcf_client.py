# SPDX-License-Identifier: Apache-2.0
"""A second client of kcfd, written from PROTOCOL.md alone, for tests. One thread, blocking.

Every wait is bounded by PATIENCE seconds, after which an exception ends the test; nothing is measured by it.
"""
import array
import ctypes
import mmap
import os
import socket
import struct

import kcf_wire as wire

PATIENCE = 60
CREDIT_AT = 4096
UNIT = 4096

SUCCESS, ARGUMENTS_BAD, BUFFER_TOO_SMALL, BUFFER_TOO_BIG, INVALID_CONTEXT = 0, 3, 4, 5, 6
KEY_SIZE_RANGE, MECH_NOT_SUPPORTED, BUSY, CANCELED, INVALID_MAC, SIGNATURE_INVALID = 11, 12, 13, 14, 16, 17
KEY_HANDLE_INVALID, PERMISSION_DENIED, VERSION_MISMATCH, PROTOCOL_ERROR, NOT_FOUND = 18, 20, 26, 27, 29
TIMED_OUT, ALREADY_EXISTS = 21, 30

DIGEST, MAC, MAC_VERIFY, ENCRYPT, DECRYPT, SIGN, VERIFY, ENCRYPT_MAC, MAC_DECRYPT, DERIVE, RANDOM = range(1, 12)
SINGLE, INIT, UPDATE, FINAL = range(4)
SEALS = 1 | 2 | 4  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW
ALWAYS_QUEUE, NEVER_QUEUE, NOTIFY_STEPS, SYNC = 1, 2, 4, 8
FEATURE_RING = 2


class Closed(Exception):
    """kcfd closed the connection; fatal is the FATAL message before, if there was one."""

    def __init__(self, fatal):
        super().__init__(str(fatal))
        self.fatal = fatal


class Credit:
    """The credit word of the connection page: section 5."""

    def __init__(self, page):
        self.word = ctypes.c_uint64.from_buffer(page, CREDIT_AT)
        self.swap = getattr(ctypes.CDLL("libatomic.so.1"), "__atomic_compare_exchange_8")
        self.swap.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int, ctypes.c_int]
        self.swap.restype = ctypes.c_bool

    def value(self):
        return self.word.value

    def take(self, units):
        while True:
            seen = self.word.value
            if seen < units:
                return False
            expected = ctypes.c_uint64(seen)
            if self.swap(ctypes.addressof(self.word), ctypes.addressof(expected), seen - units, 5, 5):
                return True


def raw_key(data):
    return {"bytes": data, "has_bytes": 1}


def units_of(op):
    size = sum(op.get(name, 0) for name in ("in_len", "check_len", "out_room", "mac_room"))
    size += sum(s.get("in_len", 0) + s.get("out_room", 0) for s in op.get("steps", []))
    return 1 + (size + UNIT - 1) // UNIT


class Connection:
    """Frames on a socket, with descriptors: sections 1 and 2."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(path)
        self.buf = b""
        self.fds = []
        self.fatal = None

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def send_bytes(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.sock.sendmsg([data], rights)
        if sent < len(data):
            self.sock.sendall(data[sent:])

    def send(self, kind, message, ident=0, deadline_us=0, payload=b"", fds=()):
        self.send_bytes(wire.frame(kind, message, ident, deadline_us, payload), fds)

    def _fill(self, size):
        while len(self.buf) < size:
            try:
                data, ancillary, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(16 * 4),
                                                          socket.MSG_CMSG_CLOEXEC)
            except (ConnectionResetError, BrokenPipeError):
                data, ancillary = b"", []
            for level, kind, rights in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(rights[:len(rights) - len(rights) % fds.itemsize])
                    self.fds.extend(fds)
            if not data:
                raise Closed(self.fatal)
            self.buf += data

    def recv(self):
        """The next frame: (kind, id, message, payload)."""
        self._fill(wire.HEADER_LEN)
        magic, version, header_len, kind, _, msg_len, payload_len, _, ident, _ = \
            wire.HEADER.unpack(self.buf[:wire.HEADER_LEN])
        if magic != wire.MAGIC or version != 1 or not 40 <= header_len <= 256 or kind not in wire.NAMES:
            raise wire.Malformed("header")
        self._fill(header_len + msg_len + payload_len)
        body = self.buf[header_len:header_len + msg_len]
        payload = self.buf[header_len + msg_len:header_len + msg_len + payload_len]
        self.buf = self.buf[header_len + msg_len + payload_len:]
        message = wire.decode(wire.SCHEMA[wire.NAMES[kind]], body)
        if wire.NAMES[kind] == "FATAL":
            self.fatal = message
        return wire.NAMES[kind], ident, message, payload

    def take_fd(self):
        return self.fds.pop(0)


class Segment:
    """An arena segment, mapped."""

    def __init__(self, number, size, fd):
        self.number, self.size, self.fd = number, size, fd
        self.map = mmap.mmap(fd, size)

    def close(self):
        self.map.close()
        os.close(self.fd)


class Client(Connection):
    """A connection after the handshake: sections 3 to 5."""

    def __init__(self, path, label="python", versions=(1, 1), features=0):
        super().__init__(path)
        self.next_id = 0
        self.answers = {}
        self.steps = {}
        self.events = []
        self.rooms = []
        self.send("HELLO", {"version_min": versions[0], "version_max": versions[1], "label": label,
                            "features": features}, self.new_id())
        kind, _, self.hello, _ = self.recv()
        if kind == "FATAL":
            raise Closed(self.fatal)
        if kind != "HELLO_REPLY":
            raise wire.Malformed("no HELLO_REPLY")
        self.table = self._map(mmap.PROT_READ)
        self.page = self._map(mmap.PROT_READ | mmap.PROT_WRITE)
        self.modules = [(m["name"], self.take_fd()) for m in self.hello["modules"]]
        self.credit = Credit(self.page)

    def _map(self, prot):
        fd = self.take_fd()
        try:
            return mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED, prot)
        finally:
            os.close(fd)

    def close(self):
        super().close()
        for _, fd in self.modules:
            os.close(fd)
        self.modules = []

    def new_id(self):
        self.next_id += 1
        return self.next_id

    # ---- waiting ----

    def read_one(self):
        kind, ident, message, payload = self.recv()
        if kind == "EVENT":
            self.events.append(message)
        elif kind == "ROOM":
            self.rooms.append(message)
        elif kind == "OP_STEP":
            self.steps.setdefault(ident, []).append((message, payload))
        elif kind != "FATAL":
            self.answers[ident] = (kind, message, payload)

    def wait(self, ident):
        while ident not in self.answers:
            self.read_one()
        return self.answers.pop(ident)

    def wait_closed(self):
        """kcfd is to close; returns its FATAL message or None."""
        try:
            while True:
                self.read_one()
        except Closed as end:
            return end.fatal

    def ask(self, kind, message, **more):
        ident = self.new_id()
        self.send(kind, message, ident, **more)
        return self.wait(ident)[1]

    # ---- operations ----

    def take_credit(self, units):
        while not self.credit.take(units):
            self.send("WANT", {"units": units})
            seen = len(self.rooms)
            while len(self.rooms) == seen and self.credit.value() < units:
                self.read_one()

    def start(self, op, data=b"", check=b"", deadline_us=0):
        """Send an OP; inline data is the payload. Returns its id."""
        op = dict(op)
        if "in_ranges" not in op and "steps" not in op:
            op["in_len"] = len(data)
        op["check_len"] = len(check)
        op["units"] = units_of(op)
        self.take_credit(op["units"])
        ident = self.new_id()
        self.send("OP", op, ident, deadline_us, bytes(data) + bytes(check))
        return ident

    def finish(self, ident):
        """(reply, payload)"""
        kind, message, payload = self.wait(ident)
        if kind != "OP_REPLY":
            raise wire.Malformed("no OP_REPLY but " + kind)
        return message, payload

    def run(self, op, data=b"", check=b""):
        return self.finish(self.start(op, data, check))

    def find(self, name):
        reply = self.ask("MECH_FIND", {"name": name})
        return reply["mech"] if reply["status"] == SUCCESS else None

    def attach(self, slot, mech, key):
        return self.ask("TEMPLATE_ATTACH", {"slot": slot, "mech": mech, "key": key})["status"]

    def admin(self, command, *args):
        ident = self.new_id()
        self.send("ADMIN", {"command": command, "args": args}, ident)
        _, message, payload = self.wait(ident)
        return message, payload

    # ---- arena ----

    def segment(self, size):
        reply = self.ask("ARENA_NEW", {"size": size})
        if reply["status"] != SUCCESS:
            return reply["status"], None
        return SUCCESS, Segment(reply["segment"], reply["size"], self.take_fd())

    # ---- the table: section 6 ----

    def mechanisms(self):
        """name -> (number, [names of providers that have it enabled])"""
        for _ in range(3):
            generation = struct.unpack_from("<Q", self.table, 24)[0]
            copy = bytes(self.table[2176 + 115464 * (generation & 1):][:115464])
            if struct.unpack_from("<Q", self.table, 24)[0] == generation:
                break
        n_mechs, n_providers = struct.unpack_from("<II", copy, 0)
        providers = [copy[8 + 48 * i:][:32].split(b"\0")[0].decode() for i in range(n_providers)]
        out = {}
        for i in range(n_mechs):
            at = 776 + 448 * i
            number, _, _, n_offers = struct.unpack_from("<IIII", copy, at)
            offers = [struct.unpack_from("<HH", copy, at + 64 + 48 * k) for k in range(n_offers)]
            name = copy[at + 16:at + 64].split(b"\0")[0].decode()
            out[name] = (number, [providers[p] for p, flags in offers if flags & 1])
        return out
