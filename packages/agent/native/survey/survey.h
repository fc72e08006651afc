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

/* --- split.c: files in shards that take about as long as each other to send. ---------------------------------------- */

enum { MAX_SHARDS = 64 };

struct shard {
  uint64_t files, bytes, cost;
};

/* A file that has several names, and the shard of all of them. */
struct group {
  uint64_t inode;
  size_t shard;
};

/* Begins as zeroes with a count. Memory: what files with several names take, and bounded. */
struct split {
  size_t count, current;
  uint64_t total, left_of_run;
  struct shard shards[MAX_SHARDS];
  struct group *slots;
  size_t slot_count, group_count;
};

/*
 * The shard of the next file. Names of one inode are never parted. Without such, no shard costs more than another by more
 * than the largest file and one run. The same files in the same order come to the same shards.
 */
size_t split_assign(struct split *split, uint64_t bytes, uint64_t inode, uint64_t links);

#endif
