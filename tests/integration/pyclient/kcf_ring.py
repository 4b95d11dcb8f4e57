# SPDX-License-Identifier: Apache-2.0
"""The ring of PROTOCOL.md, section 8, for the client beside this file. One thread, one segment of memory.

Every store that kcfd is to see is an atomic exchange, and so a full fence too.
"""
import ctypes
import mmap
import os
import select
import socket
import struct

PLACES, COMPLETIONS = 512, 1024
TAKEN, DONE, SEEN, SPINS, KCFD_SLEEPS, CLIENT_SLEEPS = 64, 128, 192, 196, 256, 320
ENTRIES_AT, COMPLETIONS_AT, SIZE = 4096, 36864, 53248
# seq op flags param n_extra id slot in_seg out_seg iv_len len in_off in_len out_off out_room deadline preference
# aad_len check_len iv
ENTRY = struct.Struct("<IBBBBQIBBBBIIIIIBBH16s")
COMPLETION = struct.Struct("<QIBBBB")
DUAL = struct.Struct("<IIBBBB")
MECH = 16  # flag: the slot is the number of a mechanism without key


class Ring:
    def __init__(self, client):
        self.client = client
        reply = client.ask("RING_NEW", {"version": 1})
        self.status = reply["status"]
        if self.status:
            return
        fd = client.take_fd()
        self.map = mmap.mmap(fd, SIZE)
        os.close(fd)
        self.bell = socket.socket(fileno=client.take_fd())
        self.bell.setblocking(False)
        magic, version, size, entries, completions = struct.unpack_from("<IIQII", self.map, 0)
        if (magic, version, entries, completions) != (0x3152434b, 1, PLACES, COMPLETIONS) or size < SIZE:
            raise ValueError("not a ring of version 1")
        self.exchange = getattr(ctypes.CDLL("libatomic.so.1"), "__atomic_exchange_4")
        self.exchange.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int]
        self.exchange.restype = ctypes.c_uint32
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.claimed = self.seen = 0

    def word(self, at):
        return ctypes.c_uint32.from_address(self.base + at).value

    def swap(self, at, value):
        return self.exchange(self.base + at, value & 0xffffffff, 5)

    def put(self, ident, op, slot, segment, data, out, flags=0, param=0, iv=b"", length=0, deadline_us=0,
            preference=0, dual=b"", aad=b"", check=b"", n_extra=None):
        """data and out: (offset, length). False: no place. Takes the unit of credit."""
        behind = dual + aad + check
        places = (len(behind) + 59) // 60
        if (self.claimed + 1 + places - self.word(TAKEN)) & 0xffffffff > PLACES:
            return False
        self.client.take_credit(1)
        for i in range(places):
            at = ENTRIES_AT + 64 * ((self.claimed + 1 + i) % PLACES)
            self.map[at:at + 64] = struct.pack("<I60s", (self.claimed + 2 + i) & 0xffffffff,
                                               behind[60 * i:60 * i + 60])
        at = ENTRIES_AT + 64 * (self.claimed % PLACES)
        entry = ENTRY.pack(0, op, flags, param, places if n_extra is None else n_extra, ident, slot, segment.number,
                           segment.number, len(iv), length, data[0], data[1], out[0], out[1], deadline_us, preference,
                           len(aad), len(check), iv)
        self.map[at + 4:at + 64] = entry[4:]
        self.swap(at, self.claimed + 1)
        self.claimed = (self.claimed + 1 + places) & 0xffffffff
        if self.word(KCFD_SLEEPS) and self.swap(KCFD_SLEEPS, 0):
            try:
                self.bell.send(b"!")
            except BlockingIOError:
                pass
        return True

    def get(self, patience):
        """The next completion: (id, len, status, provider, queue_hops, more)."""
        while self.word(DONE) == self.seen:
            self.swap(CLIENT_SLEEPS, 1)
            if self.word(DONE) == self.seen:
                if not select.select([self.bell], [], [], patience)[0]:
                    raise TimeoutError("kcfd does not ring")
                self.bell.recv(64)
            self.swap(CLIENT_SLEEPS, 0)
        out = COMPLETION.unpack_from(self.map, COMPLETIONS_AT + 16 * (self.seen % COMPLETIONS))
        self.seen = (self.seen + 1) & 0xffffffff
        self.swap(SEEN, self.seen)
        return out

    def close(self):
        self.bell.close()
