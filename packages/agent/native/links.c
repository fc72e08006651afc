#include "attributes.h"

#include <stdlib.h>
#include <string.h>

/* One file with several links. Slots with inode 0 are free: no file system has such an inode. */
struct file {
  uint64_t inode;
  struct timespec changed;
  uint32_t seen;
  bool done;
};

enum { FIRST_SIZE = 1024 };
/* 96 MiB. What does not fit is never complete, so it is refused and not changed. */
static const size_t MAX_SIZE = (size_t)1 << 22;

static struct file *table;
static size_t size;
static size_t used;
static size_t waiting;
/* Links of files that there was no room for. */
static size_t overflow;

static size_t slot_of(const struct file *in, size_t in_size, uint64_t inode) {
  size_t slot = (size_t)((inode * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (in_size - 1);
  while (in[slot].inode != 0 && in[slot].inode != inode) slot = (slot + 1) & (in_size - 1);
  return slot;
}

static bool grow(void) {
  size_t new_size = size == 0 ? FIRST_SIZE : size * 2;
  if (new_size > MAX_SIZE) return false;
  struct file *bigger = calloc(new_size, sizeof *bigger);
  if (bigger == NULL) return false;
  for (size_t i = 0; i < size; i++) {
    if (table[i].inode != 0) bigger[slot_of(bigger, new_size, table[i].inode)] = table[i];
  }
  free(table);
  table = bigger;
  size = new_size;
  return true;
}

/* The entry of the file, a new one if need be. NULL: there is no room for a new one. */
static struct file *find(const struct stat *status) {
  /* A quarter stays free at all times, so that a search ends. */
  bool full = used >= size / 4 * 3 && !grow();
  if (size == 0) return NULL;
  struct file *file = &table[slot_of(table, size, status->st_ino)];
  if (file->inode != 0) return file;
  if (full) return NULL;
  *file = (struct file){.inode = status->st_ino, .changed = status->st_ctim};
  used++;
  waiting++;
  return file;
}

enum link_state links_saw(const struct stat *status) {
  struct file *file = find(status);
  if (file == NULL) {
    overflow++;
    return LINKS_MISSING;
  }
  if (file->done) return LINKS_MISSING;
  if (file->changed.tv_sec != status->st_ctim.tv_sec || file->changed.tv_nsec != status->st_ctim.tv_nsec) {
    file->seen = 0;
    file->changed = status->st_ctim;
  }
  file->seen++;
  if (file->seen < status->st_nlink) return LINKS_MISSING;
  file->done = true;
  waiting--;
  return LINKS_ALL_SEEN;
}

bool links_waiting_for(const struct stat *status) {
  if (size == 0) return false;
  const struct file *file = &table[slot_of(table, size, status->st_ino)];
  return file->inode != 0 && !file->done;
}

size_t links_waiting(void) {
  return waiting + overflow;
}

void links_restart(void) {
  overflow = 0;
  for (size_t i = 0; i < size; i++) table[i].seen = 0;
}

void links_forget_all(void) {
  free(table);
  table = NULL;
  size = used = waiting = overflow = 0;
}
