/*
 * dr-syncer-survey: looks at every entry of a volume and says how many there are and which are not as they were at an
 * earlier survey. It opens no file and writes nothing in the volume.
 *
 * It runs as the identity of a transfer. The volume belongs to a tenant who may rename, replace and link its entries
 * meanwhile: directories are opened one component at a time and never through a link.
 */
#ifndef DR_SYNCER_SURVEY_H
#define DR_SYNCER_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- hash.c: SipHash-2-4 with 128 bits (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). ------------------- */

struct hash {
  uint64_t high, low;
};

enum { HASH_KEY_BYTES = 16 };

struct hash hash_of(const uint8_t key[HASH_KEY_BYTES], const void *data, size_t length);

/* --- set.c: what an entry was like, one hash for each. -------------------------------------------------------------- */

struct set {
  struct hash *values;
  size_t count, room;
};

/* False: no memory. */
bool set_add(struct set *set, struct hash value);
void set_sort(struct set *set);
bool set_has(const struct set *sorted, struct hash value);
/* As set_write() wrote it; the file may be empty. False: it can't be read, or is none. */
bool set_read(struct set *set, int fd);
bool set_write(const struct set *set, int fd);

#endif
