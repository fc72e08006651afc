#include "survey.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 };

static int compare(const void *left, const void *right) {
  const struct hash *a = left;
  const struct hash *b = right;
  if (a->high != b->high) return a->high < b->high ? -1 : 1;
  if (a->low != b->low) return a->low < b->low ? -1 : 1;
  return 0;
}

bool set_add(struct set *set, struct hash value) {
  if (set->count == set->room) {
    size_t room = set->room == 0 ? FIRST_ROOM : set->room * 2;
    struct hash *values = reallocarray(set->values, room, sizeof *values);
    if (values == NULL) return false;
    set->values = values;
    set->room = room;
  }
  set->values[set->count++] = value;
  return true;
}

void set_sort(struct set *set) {
  if (set->count > 1) qsort(set->values, set->count, sizeof *set->values, compare);
}

bool set_has(const struct set *sorted, struct hash value) {
  return sorted->count > 0 && bsearch(&value, sorted->values, sorted->count, sizeof value, compare) != NULL;
}

bool set_read(struct set *set, int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0 || status.st_size % (off_t)sizeof(struct hash) != 0) return false;
  size_t size = (size_t)status.st_size;
  *set = (struct set){.count = size / sizeof(struct hash), .room = size / sizeof(struct hash)};
  if (size == 0) return true;
  set->values = malloc(size);
  if (set->values == NULL) return false;
  for (size_t done = 0; done < size;) {
    ssize_t got = pread(fd, (char *)set->values + done, size - done, (off_t)done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += (size_t)got;
  }
  return true;
}

bool set_write(const struct set *set, int fd) {
  size_t size = set->count * sizeof *set->values;
  for (size_t done = 0; done < size;) {
    ssize_t put = write(fd, (const char *)set->values + done, size - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    done += (size_t)put;
  }
  return true;
}
