/*
 * dr-syncer-attributes: gives the entries of a volume a group, the modes that go with it, and an SELinux label.
 *
 * The volume belongs to a tenant who may rename, replace and link its entries while this runs as root. So no path is
 * ever followed: directories are opened one component at a time relative to the one above, never through a link and
 * never into another mount (openat2(2)), and whatever is changed is held by a descriptor and looked at again through it
 * before it is changed.
 */
#ifndef DR_SYNCER_ATTRIBUTES_H
#define DR_SYNCER_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* As long as the kernel allows for the value of an attribute that is of interest here. */
enum { MAX_LABEL = 4096, MAX_CAPABILITY = 64 };

/* What each entry should have. */
struct wanted {
  bool set_group;
  gid_t group;
  /* Without the terminating zero; NULL: labels are left alone. */
  const char *label;
  size_t label_length;
  /* The volume is part of a larger file system: a file's other links may be outside of it. */
  bool count_links;
  /* Something is mounted inside the volume, on a file perhaps. */
  bool nested_mounts;
};

struct counts {
  uint64_t seen;
  uint64_t groups_changed;
  uint64_t modes_changed;
  uint64_t labels_changed;
  uint64_t capabilities_kept;
  uint64_t privileges_dropped;
  uint64_t links_refused;
  uint64_t other_mounts;
  uint64_t vanished;
  uint64_t failed;
};

/* --- report.c: what is said on standard output, one JSON object a line. ------------------------------------------ */

/* Notes an example for the summary, the first few only. `reason` is a word or the name of an errno. */
void report_example(const char *name, const char *reason);
void report_progress(const struct counts *counts);
/* Progress at most four times a second; cheap enough to be called for each entry. */
void report_progress_sometimes(const struct counts *counts);
void report_done(const struct counts *counts, bool given_up);
/* The root of the volume: group, mode, inode, file system, label and marker, as far as there are any. */
void report_root(const struct stat *root, uint64_t fsid, const char *label, const char *marker);
void report_ok(void);
void report_error(const char *what, int error);
const char *errno_name(int error);

/* --- links.c: files with several links. --------------------------------------------------------------------------- */

enum link_state {
  LINKS_MISSING, /* Not all links have been seen yet. */
  LINKS_ALL_SEEN, /* This is the last of them: the file is in the volume and nowhere else. */
};

/*
 * Counts one more link of a file. Its change time is part of it: renaming a link changes that (and so lets the count
 * begin again), so that one link can't be shown twice under two names.
 */
enum link_state links_saw(const struct stat *status);
bool links_waiting_for(const struct stat *status);
size_t links_waiting(void);
/* Forgets how often links were seen, not of which files. */
void links_restart(void);
void links_forget_all(void);

/* --- attribute.c: of what an O_PATH descriptor holds; -1 and errno as the calls of the same purpose. --------------- */

ssize_t attribute_get(int fd, const char *name, char *value, size_t size);
int attribute_set(int fd, const char *name, const char *value, size_t size);
int attribute_remove(int fd, const char *name);
int mode_set(int fd, mode_t mode);

/* --- entry.c: one entry. ----------------------------------------------------------------------------------------- */

/* What is needed of the walk to deal with one entry. */
struct context {
  struct wanted wanted;
  dev_t device;
  struct counts counts;
};

/* openat2(2) that stays below `directory`, follows no link, enters no other mount. -1 and errno as that call. */
int open_below(int directory, const char *name, int flags);

/*
 * Gives the entry of this name in the working directory (which `directory` is as well) what it should have, where no
 * descriptor is needed for that. Another entry that has taken its name by then is in the same directory and gets what it
 * should have anyway. False: something is left for entry_apply, because what is to be done depends on which entry it is:
 * on its mode, its capabilities, its links.
 */
bool entry_apply_in_place(struct context *context, int directory, const char *name);

/* Gives the entry that `path_fd` holds what it should have. `name` is for examples only. */
void entry_apply(struct context *context, int path_fd, const char *name);

/* The same for an open directory. */
void directory_apply(struct context *context, int fd, const char *name);

void count_failure(struct context *context, const char *name, int error);

/* --- walk.c: all entries. ---------------------------------------------------------------------------------------- */

/* With this many failures nothing is gained by going on. */
enum { MAX_FAILURES = 1000 };

/* Everything below `root`, without `root` itself. False: given up after too many failures. */
bool walk_all(struct context *context, int root);

/* The entry of this name below `root`, with slashes between components. */
void walk_one(struct context *context, int root, const char *name);

/* Looks for the other links of files that walk_one has put off, and deals with the files whose links are all there. */
bool walk_for_links(struct context *context, int root);

#endif
