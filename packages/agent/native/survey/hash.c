#include "survey.h"

#include <string.h>

static uint64_t rotate(uint64_t value, unsigned bits) {
  return value << bits | value >> (64 - bits);
}

static uint64_t little_endian(const uint8_t *bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

static void rounds(uint64_t v[4], int count) {
  for (int i = 0; i < count; i++) {
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
  }
}

struct hash hash_of(const uint8_t key[HASH_KEY_BYTES], const void *data, size_t length) {
  const uint8_t *bytes = data;
  uint64_t k0 = little_endian(key, 8);
  uint64_t k1 = little_endian(key + 8, 8);
  uint64_t v[4] = {
    k0 ^ 0x736f6d6570736575u,
    k1 ^ 0x646f72616e646f6du ^ 0xee,
    k0 ^ 0x6c7967656e657261u,
    k1 ^ 0x7465646279746573u,
  };
  size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    uint64_t word = little_endian(bytes + at, 8);
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
  }
  uint64_t last = little_endian(bytes + at, length - at) | (uint64_t)length << 56;
  v[3] ^= last;
  rounds(v, 2);
  v[0] ^= last;
  v[2] ^= 0xee;
  rounds(v, 4);
  struct hash result = {.low = v[0] ^ v[1] ^ v[2] ^ v[3]};
  v[1] ^= 0xdd;
  rounds(v, 4);
  result.high = v[0] ^ v[1] ^ v[2] ^ v[3];
  return result;
}
