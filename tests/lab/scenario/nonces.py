# SPDX-License-Identifier: Apache-2.0
"""Whether a nonce was ever used twice under one key: of ESP (its IV is made of SPI and sequence number) and of IKE."""
import struct

from . import counters

SK, SKF = 46, 53
INIT = 34


class Nonces(counters.Capture):
    """A capture that is looked at when it ends: `looked_at` (how many of each), `repeated`."""

    def __init__(self, path, with_esp=True):
        super().__init__(path, expression="udp port 500 or udp port 4500" + (" or esp" if with_esp else ""), snap=2048)
        self.looked_at, self.repeated = {"esp": 0, "ike": 0}, []

    def so_far(self):
        """How many packets the capture has so far, at least."""
        return sum(1 for _ in counters.pcap_packets(self.path))

    def __exit__(self, *failure):
        super().__exit__(*failure)
        seen = {}
        for packet in counters.pcap_packets(self.path):
            for kind, key, octets in _nonce_of(packet):
                self.looked_at[kind] += 1
                # An IKE message may be sent again to the octet; ESP never is.
                if key in seen and (kind == "esp" or seen[key] != octets):
                    self.repeated.append(key)
                seen[key] = octets


def _nonce_of(frame):
    if len(frame) < 42 or frame[12:14] != b"\x08\x00":
        return
    ip = frame[14:]
    header = 4 * (ip[0] & 15)
    source, body = ip[12:16], ip[header:]
    if ip[9] == 50:
        spi, sequence = struct.unpack_from(">II", body)
        yield "esp", ("esp", source, spi, sequence), None
    elif ip[9] == 17:
        message = body[8:]
        if 4500 in struct.unpack_from(">HH", body) and message[:4] == bytes(4):
            message = message[4:]
        if len(message) < 48 or message[18] == INIT or message[16] not in (SK, SKF):
            return
        at = 32 if message[16] == SK else 36
        yield "ike", ("ike", source, message[:16], message[at:at + 8]), message
