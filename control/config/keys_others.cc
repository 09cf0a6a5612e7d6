// SPDX-License-Identifier: Apache-2.0
// secrets, pools, authorities
#include "control/config/keys_tables.h"

namespace espgate::control {
namespace {

using enum KeyType;
using enum KeyStatus;

constexpr auto no_eap = "EAP and XAuth are not supported yet, this secret is not used";
constexpr auto no_containers =
    "PKCS#12 containers and tokens are not supported, this key is not used: `openssl pkcs12` takes one apart, into "
    "x509 and private";
constexpr auto no_keys_on_tokens = "keys on tokens are not supported, this key is not used";
constexpr auto no_pools = "virtual IPs are not supported yet, no pool is used";
constexpr auto no_tokens = "PKCS#11 tokens are not supported, files are";
constexpr auto nothing_fetched = "nothing is fetched: revocation lists in x509crl are used";

// clang-format off
constexpr Key table[] = {
    {"secrets", section, "", "shared secrets and private keys"},
    {"secrets.ike*", section, "", "a preshared key for IKE"},
    {"secrets.ike*.secret", secret, "", "the key: plain text, 0x and hex digits, or 0s and base64"},
    {"secrets.ike*.id*", identity, "", "an identity the key belongs to; without any it is everyone's"},
    {"secrets.eap*", section, "", "an EAP password", ignored, no_eap},
    {"secrets.eap*.secret", secret, "", "the password"},
    {"secrets.eap*.id*", identity, "", "an identity it belongs to"},
    {"secrets.xauth*", section, "", "an XAuth password", ignored, no_eap},
    {"secrets.xauth*.secret", secret, "", "the password"},
    {"secrets.xauth*.id*", identity, "", "an identity it belongs to"},
    {"secrets.ntlm*", section, "", "an NTLM hash", ignored, no_eap},
    {"secrets.ntlm*.secret", secret, "", "the hash"},
    {"secrets.ntlm*.id*", identity, "", "an identity it belongs to"},
    {"secrets.ppk*", section, "", "a post-quantum preshared key (RFC 8784)"},
    {"secrets.ppk*.secret", secret, "", "the key, which should have 256 bits of entropy: plain text, 0x and hex digits, or 0s and base64"},
    {"secrets.ppk*.id*", identity, "", "a PPK_ID it is known by"},
    {"secrets.private*", section, "", "passphrase of a private key"},
    {"secrets.private*.file", text, "", "its file, in private"},
    {"secrets.private*.secret", secret, "", "the passphrase"},
    {"secrets.rsa*", section, "", "passphrase of an RSA key"},
    {"secrets.rsa*.file", text, "", "its file, in rsa"},
    {"secrets.rsa*.secret", secret, "", "the passphrase"},
    {"secrets.ecdsa*", section, "", "passphrase of an ECDSA key"},
    {"secrets.ecdsa*.file", text, "", "its file, in ecdsa"},
    {"secrets.ecdsa*.secret", secret, "", "the passphrase"},
    {"secrets.pkcs8*", section, "", "passphrase of a PKCS#8 key"},
    {"secrets.pkcs8*.file", text, "", "its file, in pkcs8"},
    {"secrets.pkcs8*.secret", secret, "", "the passphrase"},
    {"secrets.pkcs12*", section, "", "passphrase of a PKCS#12 container", ignored, no_containers},
    {"secrets.pkcs12*.file", text, "", "its file"},
    {"secrets.pkcs12*.secret", secret, "", "the passphrase"},
    {"secrets.token*", section, "", "a private key on a token", ignored, no_keys_on_tokens},
    {"secrets.token*.handle", text, "", "its CKA_ID, in hex"},
    {"secrets.token*.slot", text, "", "the token's slot"},
    {"secrets.token*.module", text, "", "the PKCS#11 module"},
    {"secrets.token*.pin", secret, "", "the PIN"},

    {"pools", section, "", "pools of virtual IPs"},
    {"pools.<name>", section, "", "a pool and its name", ignored, no_pools},
    {"pools.<name>.addrs", text, "", "a prefix or range to hand out"},
    {"pools.<name>.<attr>", list, "", "an attribute to hand out: dns, nbns, dhcp, netmask, server, subnet, split_include, split_exclude or a number"},

    {"authorities", section, "", "certification authorities"},
    {"authorities.<name>", section, "", "an authority and its name"},
    {"authorities.<name>.cacert", text, "", "its certificate, a file in x509ca"},
    {"authorities.<name>.file", text, "", "the certificate's file"},
    {"authorities.<name>.handle", text, "", "its CKA_ID on a token, in hex", refused, no_tokens},
    {"authorities.<name>.slot", text, "", "the token's slot", refused, no_tokens},
    {"authorities.<name>.module", text, "", "the PKCS#11 module", refused, no_tokens},
    {"authorities.<name>.crl_uris", list, "", "where its revocation lists are; only file:// is read"},
    {"authorities.<name>.ocsp_uris", list, "", "where its OCSP responders are", ignored, nothing_fetched},
    {"authorities.<name>.cert_uri_base", text, "", "base of hash-and-URL certificates", ignored, nothing_fetched},
};
// clang-format on

}  // namespace

std::span<const Key> other_keys() { return table; }

}  // namespace espgate::control
