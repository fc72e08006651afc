/*
 * dr-syncer-survey [--names=BYTES] [--sample=N] [--shards=N]
 *
 * Descriptor 0 gives the 16 bytes of the key, after which it begins; 3 is the volume's root directory, 4 the set of an
 * earlier survey (empty: there was none), 5 takes the set of this one, 6 takes names, each with a zero byte behind it:
 * of what is not in the earlier set (directories with a slash at the end, so that rsync lists what is in them), or with
 * --sample of one regular file in N, chosen by its name; no more than so many bytes of names. With --shards regular
 * files that are not in the earlier set are named in N lists instead, at the descriptors from 7 on, which take about as
 * long as each other to send. One JSON object on standard output says the rest.
 */
#include "survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROOT = 3, BEFORE = 4, AFTER = 5, NAMES = 6, FIRST_SHARD = 7, BAD_USAGE = 64, FAILED = 1 };

/* One level costs a descriptor; the path of a file that rsync can name has at most PATH_MAX / 2 components. */
enum { MAX_DEPTH = 2100, MAX_NAME_LENGTH = 4096 };

/* 256 MB. What there is beyond is new to each survey. */
enum { MAX_REMEMBERED = 1 << 24 };

/*
 * What changed so short a time ago may change again without its time of change becoming another one: file systems and
 * kernels count it in ticks of up to two seconds. It stands at the end of the set, behind what is settled, so that it can
 * be cut off: it is new to later surveys then.
 */
static const time_t TOO_FRESH_S = 2;

/* Where rsync keeps what is not whole, at any depth, and what mkfs makes: neither is ever sent (rsync-options.ts). */
static const char PARTIAL[] = ".dr-syncer-partial";
static const char LOST_FOUND[] = "lost+found";

/* What is hashed of an entry, in front of its path. Without holes, so that equal entries are equal bytes. */
struct facts {
  uint64_t inode, size, device_number;
  int64_t modified_s, changed_s;
  uint32_t modified_ns, changed_ns, mode, uid, gid, links;
};

struct counts {
  uint64_t entries, files, directories, links, others, bytes;
  uint64_t changed, known, unreadable, vanished;
  /* Of regular files: all, and those that changed. */
  uint64_t largest, changed_bytes, changed_largest;
};

struct frame {
  DIR *stream;
  size_t path_length;
};

static struct {
  uint8_t key[HASH_KEY_BYTES];
  uint64_t names_room;
  bool names_left_out;
  uint64_t sample;
  struct split split;
  FILE *lists[MAX_SHARDS];
  time_t fresh_since;
  dev_t device;
  bool other_devices;
  struct set before, after, fresh;
  struct counts counts;
  struct hash digest;
  FILE *names_out;
  struct frame frames[MAX_DEPTH];
  size_t depth;
  /* The facts and behind them the path below the root, without a slash in front. */
  uint8_t record[sizeof(struct facts) + MAX_NAME_LENGTH];
  size_t path_length;
} survey;

static char *path(void) {
  return (char *)survey.record + sizeof(struct facts);
}

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "dr-syncer-survey: %s: %s\n", what, strerror(errno));
  exit(FAILED);
}

static _Noreturn void usage(const char *what) {
  fprintf(stderr, "dr-syncer-survey: %s\n", what);
  exit(BAD_USAGE);
}

static void count_kind(const struct stat *status) {
  struct counts *counts = &survey.counts;
  counts->entries++;
  if (S_ISREG(status->st_mode)) counts->files++;
  else if (S_ISDIR(status->st_mode)) counts->directories++;
  else if (S_ISLNK(status->st_mode)) counts->links++;
  else counts->others++;
  /* As rsync adds up "Total file size". */
  if (S_ISREG(status->st_mode) || S_ISLNK(status->st_mode)) counts->bytes += (uint64_t)status->st_size;
}

static void write_name(FILE *out, bool directory) {
  if (survey.names_room <= survey.path_length + 3) {
    survey.names_room = 0;
    survey.names_left_out = true;
    return;
  }
  survey.names_room -= survey.path_length + 3;
  const char *name = survey.path_length == 0 ? "." : path();
  if (fputs(name, out) < 0 || (directory && fputc('/', out) < 0) || fputc('\0', out) < 0) {
    fail("names");
  }
}

/* By its name alone: the same share each time, and nobody can tell beforehand without the key. */
static bool is_in_sample(const struct stat *status) {
  if (survey.sample == 0 || !S_ISREG(status->st_mode)) return false;
  return hash_of(survey.key, path(), survey.path_length).low % survey.sample == 0;
}

static void add_to_digest(struct hash value) {
  survey.digest.low += value.low;
  survey.digest.high += value.high + (survey.digest.low < value.low ? 1 : 0);
}

static void count_size(const struct stat *status, bool changed) {
  if (!S_ISREG(status->st_mode)) return;
  struct counts *counts = &survey.counts;
  uint64_t size = (uint64_t)status->st_size;
  if (size > counts->largest) counts->largest = size;
  if (!changed) return;
  counts->changed_bytes += size;
  if (size > counts->changed_largest) counts->changed_largest = size;
}

static void name_changed(const struct stat *status) {
  survey.counts.changed++;
  if (survey.sample != 0) return;
  if (survey.split.count == 0) {
    write_name(survey.names_out, S_ISDIR(status->st_mode));
  } else if (S_ISREG(status->st_mode)) {
    size_t shard = split_assign(&survey.split, (uint64_t)status->st_size, status->st_ino, status->st_nlink);
    write_name(survey.lists[shard], false);
  }
}

static void saw(const struct stat *status) {
  count_kind(status);
  if (status->st_dev != survey.device) survey.other_devices = true;
  struct facts facts = {
    .inode = status->st_ino,
    .size = (uint64_t)status->st_size,
    .device_number = status->st_rdev,
    .modified_s = status->st_mtim.tv_sec,
    .changed_s = status->st_ctim.tv_sec,
    .modified_ns = (uint32_t)status->st_mtim.tv_nsec,
    .changed_ns = (uint32_t)status->st_ctim.tv_nsec,
    .mode = status->st_mode,
    .uid = status->st_uid,
    .gid = status->st_gid,
    .links = (uint32_t)status->st_nlink,
  };
  memcpy(survey.record, &facts, sizeof facts);
  struct hash value = hash_of(survey.key, survey.record, sizeof facts + survey.path_length);
  add_to_digest(value);
  struct set *set = status->st_ctim.tv_sec < survey.fresh_since ? &survey.after : &survey.fresh;
  if (set->count < MAX_REMEMBERED && !set_add(set, value)) fail("memory");
  bool known = set_has(&survey.before, value);
  count_size(status, !known);
  if (known) survey.counts.known++;
  else name_changed(status);
  if (is_in_sample(status)) write_name(survey.names_out, false);
}

/* Takes over `fd`. */
static void push(int fd) {
  DIR *stream = survey.depth == MAX_DEPTH ? NULL : fdopendir(fd);
  if (stream == NULL) {
    close(fd);
    survey.counts.unreadable++;
    return;
  }
  survey.frames[survey.depth++] = (struct frame){.stream = stream, .path_length = survey.path_length};
}

static void enter(int above, const char *name) {
  int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) push(fd);
  else if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) survey.counts.vanished++;
  else survey.counts.unreadable++;
}

/* False: the path would be longer than rsync can name. */
static bool append(size_t above, const char *name) {
  size_t length = strlen(name);
  if (above + 1 + length >= MAX_NAME_LENGTH) return false;
  if (above > 0) path()[above++] = '/';
  memcpy(path() + above, name, length + 1);
  survey.path_length = above + length;
  return true;
}

static void look_at(const struct frame *frame, const char *name) {
  if (!append(frame->path_length, name)) {
    survey.counts.unreadable++;
    return;
  }
  int directory = dirfd(frame->stream);
  struct stat status;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) survey.counts.vanished++;
    else survey.counts.unreadable++;
    return;
  }
  saw(&status);
  if (S_ISDIR(status.st_mode)) enter(directory, name);
}

static bool is_left_out(const char *name) {
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, PARTIAL) == 0) return true;
  return survey.depth == 1 && strcmp(name, LOST_FOUND) == 0;
}

static void walk(void) {
  struct stat root;
  if (fstat(ROOT, &root) != 0) fail("root");
  survey.device = root.st_dev;
  path()[0] = '\0';
  saw(&root);
  /* A stream of its own, at the beginning, whoever read from the descriptor before. */
  enter(ROOT, ".");
  while (survey.depth > 0) {
    const struct frame *frame = &survey.frames[survey.depth - 1];
    errno = 0;
    const struct dirent *entry = readdir(frame->stream);
    if (entry == NULL) {
      if (errno != 0) survey.counts.unreadable++;
      closedir(frame->stream);
      survey.depth--;
    } else if (!is_left_out(entry->d_name)) {
      look_at(frame, entry->d_name);
    }
  }
}

static void parse_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    char *end = NULL;
    if (strncmp(argv[i], "--names=", 8) == 0) {
      survey.names_room = strtoull(argv[i] + 8, &end, 10);
      if (*end != '\0') usage("not a number of bytes");
    } else if (strncmp(argv[i], "--sample=", 9) == 0) {
      survey.sample = strtoull(argv[i] + 9, &end, 10);
      if (*end != '\0' || survey.sample == 0) usage("not a share");
    } else if (strncmp(argv[i], "--shards=", 9) == 0) {
      survey.split.count = strtoull(argv[i] + 9, &end, 10);
      if (*end != '\0' || survey.split.count == 0 || survey.split.count > MAX_SHARDS) usage("not a number of shards");
    } else {
      usage("unknown argument");
    }
  }
}

static void read_key(void) {
  for (size_t done = 0; done < HASH_KEY_BYTES;) {
    ssize_t got = read(0, survey.key + done, HASH_KEY_BYTES - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) usage("no key");
    done += (size_t)got;
  }
}

static void open_lists(void) {
  survey.names_out = fdopen(NAMES, "w");
  if (survey.names_out == NULL) fail("names");
  for (size_t i = 0; i < survey.split.count; i++) {
    survey.lists[i] = fdopen(FIRST_SHARD + (int)i, "w");
    if (survey.lists[i] == NULL) fail("shards");
  }
}

static void close_lists(void) {
  if (fclose(survey.names_out) != 0) fail("names");
  for (size_t i = 0; i < survey.split.count; i++) {
    if (fclose(survey.lists[i]) != 0) fail("shards");
  }
}

static void report_shards(void) {
  printf(",\"shards\":[");
  for (size_t i = 0; i < survey.split.count; i++) {
    const struct shard *shard = &survey.split.shards[i];
    printf("%s{\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", i == 0 ? "" : ",", shard->files, shard->bytes);
  }
  printf("]}\n");
}

static void report(void) {
  const struct counts *counts = &survey.counts;
  printf("{\"entries\":%" PRIu64 ",\"files\":%" PRIu64 ",\"directories\":%" PRIu64 ",\"links\":%" PRIu64
         ",\"others\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"removed\":%" PRIu64
         ",\"unreadable\":%" PRIu64 ",\"vanished\":%" PRIu64 ",\"otherDevices\":%s,\"named\":%s,\"settled\":%zu,\"digest\":\"%016" PRIx64
         "%016" PRIx64 "\",\"largest\":%" PRIu64 ",\"changedBytes\":%" PRIu64 ",\"changedLargest\":%" PRIu64,
         counts->entries, counts->files, counts->directories, counts->links, counts->others, counts->bytes,
         counts->changed, survey.before.count - counts->known, counts->unreadable, counts->vanished,
         survey.other_devices ? "true" : "false",
         survey.names_left_out ? "false" : "true", survey.after.count, survey.digest.high, survey.digest.low,
         counts->largest, counts->changed_bytes, counts->changed_largest);
  report_shards();
}

int main(int argc, char **argv) {
  parse_arguments(argc, argv);
  read_key();
  /* One for each level of the tree. */
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
  }
  if (!set_read(&survey.before, BEFORE)) usage("the earlier set cannot be read");
  set_sort(&survey.before);
  open_lists();
  survey.fresh_since = time(NULL) - TOO_FRESH_S;
  walk();
  set_sort(&survey.after);
  close_lists();
  if (!set_write(&survey.after, AFTER) || !set_write(&survey.fresh, AFTER)) fail("set");
  report();
  free(survey.before.values);
  free(survey.after.values);
  free(survey.fresh.values);
  free(survey.split.slots);
  return 0;
}
