// SPDX-License-Identifier: Apache-2.0
// What a responder cannot do without to set up an IKE SA and its child, by OpenSSL and the kernel alone: no parsing, no
// state, no policy. aes128gcm16-prfsha256-x25519; prints one line of JSON, milliseconds of CPU a set-up, by
// authentication.
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr int kRounds = 5;
// HMACs of a responder with a PSK, key and data each: SKEYSEED 1, prf+ of SK_* 6 blocks (K_d, K_e and K_p of 32 + 2 x
// 20 + 2 x 32 octets: 5), AUTH twice 2 each and MACedID 1 each, KEYMAT of 2 x 20 octets: 2 blocks.
constexpr int kPskMacs = 1 + 5 + 2 * 3 + 2, kSignatureMacs = 1 + 5 + 2 + 2;
constexpr int kSeals = 1, kOpens = 1;     // IKE_AUTH
constexpr int kDatagrams = 2;             // each way
constexpr int kChecksOfCertificates = 1;  // the peer's, by the CA's key

void must(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "ike_floor: %s failed\n", what);
  std::exit(1);
}

double cpu_us() {
  timespec at{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) * 1e6 + static_cast<double>(at.tv_nsec) / 1e3;
}

// Microseconds a call: the median of some rounds of `count` calls.
template <class Function>
double took(int count, Function&& function) {
  std::array<double, kRounds> found{};
  for (auto& one : found) {
    const double began = cpu_us();
    for (int i = 0; i < count; ++i) function();
    one = (cpu_us() - began) / count;
  }
  std::ranges::sort(found);
  return found[kRounds / 2];
}

EVP_PKEY* generated(const char* type) {
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, type);
  must(key != nullptr, type);
  return key;
}

double x25519_key() {
  return took(1000, [] {
    EVP_PKEY* const key = generated("X25519");
    std::array<std::uint8_t, 32> octets{};
    std::size_t size = octets.size();
    must(EVP_PKEY_get_raw_public_key(key, octets.data(), &size) == 1, "the public value");
    EVP_PKEY_free(key);
  });
}

double x25519_derive() {
  EVP_PKEY* const own = generated("X25519");
  EVP_PKEY* const other = generated("X25519");
  std::array<std::uint8_t, 32> point{}, shared{};
  std::size_t size = point.size();
  must(EVP_PKEY_get_raw_public_key(other, point.data(), &size) == 1, "the public value");
  return took(1000, [&] {
    EVP_PKEY* const peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, point.data(), point.size());
    EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr);
    std::size_t written = shared.size();
    must(EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1 &&
             EVP_PKEY_derive(context, shared.data(), &written) == 1,
         "X25519");
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
  });
}

double hmac() {
  EVP_MAC_CTX* const context = EVP_MAC_CTX_new(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  char name[] = "SHA256";
  const OSSL_PARAM digest[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                               OSSL_PARAM_construct_end()};
  std::array<std::uint8_t, 32> key{}, out{};
  std::array<std::uint8_t, 100> data{};
  must(EVP_MAC_init(context, key.data(), key.size(), digest) == 1, "HMAC");
  return took(5000, [&] {
    std::size_t written = 0;
    must(EVP_MAC_init(context, key.data(), key.size(), nullptr) == 1 &&
             EVP_MAC_update(context, data.data(), data.size()) == 1 &&
             EVP_MAC_final(context, out.data(), &written, out.size()) == 1,
         "HMAC");
    key = out;
  });
}

double gcm() {
  EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
  std::array<std::uint8_t, 16> key{}, tag{};
  std::array<std::uint8_t, 12> nonce{};
  std::array<std::uint8_t, 220> text{};
  return took(5000, [&] {
    int count = 0;
    must(EVP_EncryptInit_ex2(context, cipher, key.data(), nonce.data(), nullptr) == 1 &&
             EVP_EncryptUpdate(context, nullptr, &count, key.data(), 16) == 1 &&
             EVP_EncryptUpdate(context, text.data(), &count, text.data(), text.size()) == 1 &&
             EVP_EncryptFinal_ex(context, text.data(), &count) == 1 &&
             EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag.data()) == 1,
         "AES-GCM");
    ++nonce[0];
  });
}

struct Signing {
  double sign, verify;
};
Signing signing(EVP_PKEY* key, int count) {
  const std::vector<std::uint8_t> message(500, 1);
  std::vector<std::uint8_t> signature(512);
  std::size_t size = signature.size();
  const auto sign = [&] {
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    size = signature.size();
    must(EVP_DigestSignInit_ex(context, nullptr, "SHA256", nullptr, nullptr, key, nullptr) == 1 &&
             EVP_DigestSign(context, signature.data(), &size, message.data(), message.size()) == 1,
         "sign");
    EVP_MD_CTX_free(context);
  };
  const auto verify = [&] {
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    must(EVP_DigestVerifyInit_ex(context, nullptr, "SHA256", nullptr, nullptr, key, nullptr) == 1 &&
             EVP_DigestVerify(context, signature.data(), size, message.data(), message.size()) == 1,
         "verify");
    EVP_MD_CTX_free(context);
  };
  const double signs = took(count, sign);
  return {signs, took(count, verify)};
}

// One datagram sent and one received, by one socket that talks to itself.
double datagrams() {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof self;
  must(fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&self), length) == 0 &&
           getsockname(fd, reinterpret_cast<sockaddr*>(&self), &length) == 0,
       "a socket on the loopback");
  std::array<std::uint8_t, 220> text{};
  const double each = took(2000, [&] {
    must(sendto(fd, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&self), length) > 0 &&
             recv(fd, text.data(), text.size(), 0) > 0,
         "a datagram");
  });
  close(fd);
  return each;
}

}  // namespace

int main() {
  const double mac = hmac();
  const double common = x25519_key() + x25519_derive() + (kSeals + kOpens) * gcm() + kDatagrams * datagrams();
  const auto ecdsa = signing(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), 300);
  const auto rsa = signing(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(2048)), 100);
  const double signature = common + kSignatureMacs * mac;
  std::printf("{\"psk\": %.4f, \"ecdsa\": %.4f, \"rsa\": %.4f}\n", (common + kPskMacs * mac) / 1e3,
              (signature + ecdsa.sign + (1 + kChecksOfCertificates) * ecdsa.verify) / 1e3,
              (signature + rsa.sign + (1 + kChecksOfCertificates) * rsa.verify) / 1e3);
  return 0;
}
