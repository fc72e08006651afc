/*
 * The volume's root directory is descriptor 3. What the entries should have is on the command line, what to do comes on
 * standard input, as records that end with a zero byte and begin with a letter; each answer is a line on standard output.
 *
 *   P        the root as it is                       -> root
 *   U        removes the marker                      -> ok
 *   A        all entries but the root                -> progress..., done
 *   N<name>  one entry, path below the root          -> progress...
 *   E        the end of the names                    -> done
 *   R        the root itself                         -> done
 *   M<text>  writes the marker                       -> ok
 *
 * Nothing happens before the first record, so the identity of the process can be looked at first.
 */
#include "attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ROOT = 3, MAX_RECORD = 8192, BAD_USAGE = 64 };

static const char MARKER[] = "user.dr-syncer.permissions";

static struct context context;

static _Noreturn void usage(const char *what) {
  fprintf(stderr, "dr-syncer-attributes: %s\n", what);
  exit(BAD_USAGE);
}

static gid_t parse_group(const char *text) {
  char *end = NULL;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  /* (gid_t)-1 means "leave it as it is" to chown(2). */
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > INT_MAX) usage("not a group");
  return (gid_t)value;
}

static void parse_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "--fs-group=", 11) == 0) {
      context.wanted.set_group = true;
      context.wanted.group = parse_group(argv[i] + 11);
    } else if (strncmp(argv[i], "--label=", 8) == 0) {
      context.wanted.label = argv[i] + 8;
      context.wanted.label_length = strlen(argv[i] + 8);
      if (context.wanted.label_length == 0 || context.wanted.label_length >= MAX_LABEL) usage("not a label");
    } else if (strcmp(argv[i], "--count-links") == 0) {
      context.wanted.count_links = true;
    } else if (strcmp(argv[i], "--nested-mounts") == 0) {
      context.wanted.nested_mounts = true;
    } else {
      usage("unknown argument");
    }
  }
}

/* NULL: there is none. */
static const char *attribute(const char *name, char *value, size_t size) {
  ssize_t length = fgetxattr(ROOT, name, value, size - 1);
  if (length < 0) return NULL;
  value[length] = '\0';
  return value;
}

static void probe(void) {
  struct stat root;
  struct statfs filesystem;
  if (fstat(ROOT, &root) != 0 || fstatfs(ROOT, &filesystem) != 0) {
    report_error("root", errno);
    return;
  }
  uint64_t fsid = (uint64_t)(uint32_t)filesystem.f_fsid.__val[0] << 32 | (uint32_t)filesystem.f_fsid.__val[1];
  char label[MAX_LABEL + 1];
  char marker[MAX_LABEL + 1];
  report_root(&root, fsid, attribute("security.selinux", label, sizeof label),
              attribute(MARKER, marker, sizeof marker));
}

static void remove_marker(void) {
  if (fremovexattr(ROOT, MARKER) == 0 || errno == ENODATA || errno == EOPNOTSUPP) report_ok();
  else report_error("marker", errno);
}

static void write_marker(const char *text) {
  if (fsetxattr(ROOT, MARKER, text, strlen(text), 0) == 0) report_ok();
  else report_error("marker", errno);
}

static void done(bool given_up) {
  context.counts.links_refused = links_waiting();
  if (links_waiting() > 0) report_example("(files with several links)", "not all links are in the volume");
  report_done(&context.counts, given_up);
}

static void obey(const char *record) {
  const char *rest = record + 1;
  switch (record[0]) {
    case 'P': probe(); return;
    case 'U': remove_marker(); return;
    case 'A': done(!walk_all(&context, ROOT)); return;
    case 'N':
      if (context.counts.failed < MAX_FAILURES) walk_one(&context, ROOT, rest);
      return;
    case 'E': done(links_waiting() > 0 && !walk_for_links(&context, ROOT)); return;
    case 'R':
      directory_apply(&context, ROOT, ".");
      context.counts.seen++;
      done(false);
      return;
    case 'M': write_marker(rest); return;
    default: usage("unknown command");
  }
}

int main(int argc, char **argv) {
  parse_arguments(argc, argv);
  struct stat root;
  if (fstat(ROOT, &root) != 0 || !S_ISDIR(root.st_mode)) usage("descriptor 3 is no directory");
  context.device = root.st_dev;
  /* One for each level of the tree. */
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
  }
  char *record = NULL;
  size_t size = 0;
  ssize_t length;
  while ((length = getdelim(&record, &size, '\0', stdin)) > 0) {
    if (record[length - 1] != '\0' || length > MAX_RECORD || length < 2) usage("not a record");
    obey(record);
  }
  free(record);
  links_forget_all();
  return 0;
}
