/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* SipHash-2-4 with 64 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), over what a cookie is
 * made of. */
#ifndef ESPGATE_BPF_SIPHASH_H
#define ESPGATE_BPF_SIPHASH_H

#include "bpf/shield_maps.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define little_endian(word) (word)
#else
#define little_endian(word) __builtin_bswap64(word)
#endif

struct sip {
  __u64 v0, v1, v2, v3;
};

static __always_inline __u64 rotate(__u64 word, int bits) { return word << bits | word >> (64 - bits); }

static __always_inline void sip_round(struct sip* s) {
  s->v0 += s->v1;
  s->v2 += s->v3;
  s->v1 = rotate(s->v1, 13) ^ s->v0;
  s->v3 = rotate(s->v3, 16) ^ s->v2;
  s->v0 = rotate(s->v0, 32);
  s->v2 += s->v1;
  s->v0 += s->v3;
  s->v1 = rotate(s->v1, 17) ^ s->v2;
  s->v3 = rotate(s->v3, 21) ^ s->v0;
  s->v2 = rotate(s->v2, 32);
}

static __always_inline void sip_word(struct sip* s, __u64 word) {
  s->v3 ^= word;
  sip_round(s);
  sip_round(s);
  s->v0 ^= word;
}

/* The hash of the first `octets` of `input`, which are followed by zeros up to the next multiple of 8; its octets
 * stand in memory as the reference writes them. A function of its own, which the verifier takes in once and not at each
 * call. */
__attribute__((noinline)) __u64 siphash(struct cookie_input* input, __u32 octets,
                                        struct espgate_cookie_secret* secret) {
  __u32 words = octets / 8, i;
  __u64 key[2];
  struct sip s;

  if (!input || !secret || words > COOKIE_INPUT_WORDS - 1) return 0;
  __builtin_memcpy(key, secret->key, sizeof(key));
  s.v0 = little_endian(key[0]) ^ 0x736f6d6570736575ULL; /* "somepseudorandomlygeneratedbytes" */
  s.v1 = little_endian(key[1]) ^ 0x646f72616e646f6dULL;
  s.v2 = little_endian(key[0]) ^ 0x6c7967656e657261ULL;
  s.v3 = little_endian(key[1]) ^ 0x7465646279746573ULL;
  for (i = 0; i < COOKIE_INPUT_WORDS - 1; i++) {
    if (i == words) break;
    sip_word(&s, little_endian(input->words[i]));
  }
  sip_word(&s, little_endian(input->words[words]) | (__u64)octets << 56);
  s.v2 ^= 0xff;
  sip_round(&s);
  sip_round(&s);
  sip_round(&s);
  sip_round(&s);
  return little_endian(s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}

#endif
