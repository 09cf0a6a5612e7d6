#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of security that can be read off the sources: `check_rules.py ROOT`.

Where random octets come from, how secrets are compared, that nothing is executed, that nobody out there is called.
Prints each breach as FILE:LINE: text; exit 1 if there is any.
"""
import pathlib
import re
import sys

ROOMS = ("base", "maps", "loader", "xfrm", "ike", "steer", "sad", "control", "gateway", "tools")

# What must not be in a line, the files where it may all the same, and why it must not.
RULES = [
    (r"\b(system|popen|wordexp|posix_spawnp?|v?fork|exec(l|lp|le|v|vp|ve|vpe|veat)|fexecve|dlopen)\s*\(", {"tools/espgate/bundle.cc"},
     "no program is run and none loaded: no name may ever reach a shell (support-bundle runs fixed lines)"),
    (r"(?<![.\w>])(s?rand|random|[dlm]rand48|arc4random\w*)\s*\(|std::(mt19937|minstd|default_random|random_device|ranlux)"
     r"|/dev/u?random", {"ike/crypto/rng.cc"}, "random octets come from OpenSSL's generator or getrandom(2)"),
    (r"\bRAND_\w+\s*\(", {"ike/crypto/rng.cc"}, "OpenSSL's generator is asked in one place, which checks the answer"),
    (r"\bgetrandom\s*\(", {"ike/crypto/rng.cc", "gateway/kernel_side.cc", "tools/espgate/probe.cc"}, "asked where the answer is checked"),
    (r"\bSeededRng\b", {"ike/crypto/rng.h", "ike/crypto/rng.cc"}, "the generator that repeats itself is for tests"),
    (r"\b(mem|str|strn)cmp\s*\(",
     {"control/report/join.cc", "loader/ledger.cc", "loader/shield.cc", "maps/reader.cc", "xfrm/device_features.cc",
      "gateway/state_store.cc", "tools/docgen/main.cc", "tools/espgate/options.cc"},
     "what may be a secret is compared by equal_constant_time(); these files have none"),
    (r"(?<![\w.>:])(::)?connect\s*\(", {"control/vici/client.h", "control/vici/client.cc", "gateway/vici_listener.cc"},
     "nobody is called but the control socket: no address in a certificate or a message is ever followed"),
    (r"\b(gethostbyname|getaddrinfo|async_resolve)\b|resolver", set(), "no name is looked up"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|scanf|alloca)\s*\(", set(), "nothing is written without its size"),
]
# Where a checksum, a cookie or AUTH is judged: it has to be in these files by this name.
CONSTANT_TIME = {"ike/task/auth_proof.cc", "ike/cookies.cc", "ike/crypto/sk_cipher.cc"}


def code_of(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line.split("//")[0])


def breaches_of(root, path):
    where = str(path.relative_to(root))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for pattern, allowed, why in RULES:
            text = line if "/dev/" in line else code_of(line)
            if where not in allowed and re.search(pattern, text):
                yield f"{where}:{number}: {line.strip()} -- {why}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    files = [path for room in ROOMS for path in sorted((root / room).rglob("*")) if path.suffix in {".h", ".cc"}]
    breaches = [breach for path in files for breach in breaches_of(root, path)]
    for name in sorted(CONSTANT_TIME):
        path = root / name
        if path.exists() and "equal_constant_time(" not in path.read_text(encoding="utf-8"):
            breaches.append(f"{name}:1: what it judges is not compared in constant time")
    if "CRYPTO_memcmp(" not in (root / "base/secret.cc").read_text(encoding="utf-8"):
        breaches.append("base/secret.cc:1: equal_constant_time() is not CRYPTO_memcmp")
    print("\n".join(breaches) if breaches else f"security rules: kept by {len(files)} files")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
