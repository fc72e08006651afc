#include "attributes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory on the way from the root down to where the walk is. Its descriptor is that of `stream`. */
struct frame {
  DIR *stream;
  char *name;
};

/* One level costs a descriptor; the path of a file that rsync can name has at most PATH_MAX / 2 components. */
enum { MAX_DEPTH = 2100, MAX_PATH = 4096 };

struct walk {
  struct context *context;
  /* Only files that links_waiting_for() knows; nothing else is looked at. */
  bool only_links;
  /* The way back up was barred: nothing can be looked up any more. */
  bool lost;
  struct frame frames[MAX_DEPTH];
  size_t depth;
};

/* For examples: the path below the root, cut off in front where it is too long. */
static const char *path_of(const struct walk *walk, const char *name, char path[MAX_PATH]) {
  size_t start = MAX_PATH - 1;
  path[start] = '\0';
  const char *part = name;
  for (size_t level = walk->depth;; level--) {
    size_t length = strlen(part);
    if (length + 1 > start) break;
    if (path[start] != '\0') path[--start] = '/';
    start -= length;
    memcpy(path + start, part, length);
    /* The frame of the root has no name. */
    if (level <= 1) break;
    part = walk->frames[level - 1].name;
  }
  return path + start;
}

static int top(const struct walk *walk) {
  return dirfd(walk->frames[walk->depth - 1].stream);
}

static void fail(struct walk *walk, const char *name, int error) {
  /* The walk before has counted these. */
  if (walk->only_links && (error == EXDEV || error == ENOENT)) return;
  char path[MAX_PATH];
  count_failure(walk->context, path_of(walk, name, path), error);
}

/* Takes over `fd`. The working directory becomes the directory. False: it can't be read; `fd` is closed then. */
static bool push(struct walk *walk, int fd, const char *name) {
  if (walk->depth == MAX_DEPTH) errno = ENAMETOOLONG;
  DIR *stream = walk->depth == MAX_DEPTH ? NULL : fdopendir(fd);
  if (stream == NULL) {
    close(fd);
    return false;
  }
  char *copy = strdup(name);
  if (copy == NULL || fchdir(fd) != 0) {
    free(copy);
    closedir(stream);
    return false;
  }
  walk->frames[walk->depth++] = (struct frame){.stream = stream, .name = copy};
  return true;
}

/* Leaves the directory that was last pushed, after giving it what it should have. */
static void pop(struct walk *walk) {
  struct frame frame = walk->frames[--walk->depth];
  if (walk->depth > 0 && !walk->lost) {
    char path[MAX_PATH];
    if (!walk->only_links) directory_apply(walk->context, dirfd(frame.stream), path_of(walk, frame.name, path));
    if (fchdir(top(walk)) != 0) {
      fail(walk, frame.name, errno);
      walk->lost = true;
    }
  }
  closedir(frame.stream);
  free(frame.name);
}

static void enter(struct walk *walk, const char *name) {
  int fd = open_below(top(walk), name, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  /* Swapped for something else since it was listed: that is new, and whoever made it is its owner. */
  if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) errno = ENOENT;
  if (fd < 0 || !push(walk, fd, name)) fail(walk, name, errno);
}

static void leaf(struct walk *walk, const char *name) {
  struct context *context = walk->context;
  int directory = top(walk);
  if (walk->only_links) {
    struct stat entry;
    if (fstatat(directory, name, &entry, AT_SYMLINK_NOFOLLOW) != 0 || entry.st_nlink < 2 ||
        entry.st_dev != context->device || !links_waiting_for(&entry)) {
      return;
    }
  } else if (entry_apply_in_place(context, directory, name)) {
    return;
  }
  int fd = open_below(directory, name, O_PATH);
  if (fd < 0) {
    fail(walk, name, errno);
    return;
  }
  char path[MAX_PATH];
  entry_apply(context, fd, path_of(walk, name, path));
  close(fd);
}

static bool is_directory(const struct walk *walk, const struct dirent *entry) {
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  struct stat status;
  return fstatat(top(walk), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static bool run(struct walk *walk, int root) {
  struct context *context = walk->context;
  /* A stream of its own, at the beginning, whoever read from `root` before. */
  int fd = open_below(root, ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0 || !push(walk, fd, "")) {
    count_failure(context, ".", errno);
    return false;
  }
  while (walk->depth > 0) {
    bool give_up = walk->lost || context->counts.failed >= MAX_FAILURES;
    errno = 0;
    const struct dirent *entry = give_up ? NULL : readdir(walk->frames[walk->depth - 1].stream);
    if (entry == NULL) {
      if (errno != 0) fail(walk, ".", errno);
      pop(walk);
      continue;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (!walk->only_links) {
      context->counts.seen++;
      report_progress_sometimes(&context->counts);
    }
    if (is_directory(walk, entry)) enter(walk, entry->d_name);
    else leaf(walk, entry->d_name);
  }
  return !walk->lost && context->counts.failed < MAX_FAILURES;
}

/* Large, so it is kept off the stack; there is one walk at a time. */
static struct walk the_walk;

bool walk_all(struct context *context, int root) {
  the_walk = (struct walk){.context = context};
  return run(&the_walk, root);
}

bool walk_for_links(struct context *context, int root) {
  links_restart();
  the_walk = (struct walk){.context = context, .only_links = true};
  return run(&the_walk, root);
}

void walk_one(struct context *context, int root, const char *name) {
  context->counts.seen++;
  report_progress_sometimes(&context->counts);
  int fd = open_below(root, name, O_PATH);
  if (fd < 0) {
    /* A component that is a link or no directory now is not what was named. */
    count_failure(context, name, errno == ENOTDIR || errno == ELOOP ? ENOENT : errno);
    return;
  }
  entry_apply(context, fd, name);
  close(fd);
}
