#include "attributes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_EXAMPLES = 10, MAX_NAME = 512, MAX_REASON = 64, PROGRESS_MS = 250, CLOCK_EVERY = 1024 };

struct example {
  char name[MAX_NAME];
  char reason[MAX_REASON];
};

static struct example examples[MAX_EXAMPLES];
static size_t example_count;
static uint64_t last_progress;

/* Bytes that are no printable ASCII as \u00XX: whoever reads it gets the bytes back as Latin-1. */
static void print_string(const char *text) {
  putchar('"');
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
    if (*c < 0x20 || *c > 0x7e || *c == '"' || *c == '\\') printf("\\u%04x", (unsigned)*c);
    else putchar(*c);
  }
  putchar('"');
}

static void print_counts(const struct counts *counts) {
  printf("\"seen\":%" PRIu64 ",\"groupsChanged\":%" PRIu64 ",\"modesChanged\":%" PRIu64, counts->seen,
         counts->groups_changed, counts->modes_changed);
  printf(",\"labelsChanged\":%" PRIu64 ",\"capabilitiesKept\":%" PRIu64 ",\"privilegesDropped\":%" PRIu64,
         counts->labels_changed, counts->capabilities_kept, counts->privileges_dropped);
  printf(",\"linksRefused\":%" PRIu64 ",\"otherMounts\":%" PRIu64, counts->links_refused, counts->other_mounts);
  printf(",\"vanished\":%" PRIu64 ",\"failed\":%" PRIu64, counts->vanished, counts->failed);
}

static void end_line(void) {
  fputs("}\n", stdout);
  fflush(stdout);
}

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void report_example(const char *name, const char *reason) {
  if (example_count == MAX_EXAMPLES) return;
  struct example *example = &examples[example_count++];
  snprintf(example->name, sizeof example->name, "%s", name);
  snprintf(example->reason, sizeof example->reason, "%s", reason);
}

void report_progress(const struct counts *counts) {
  last_progress = now_ms();
  fputs("{\"is\":\"progress\",", stdout);
  print_counts(counts);
  end_line();
}

void report_progress_sometimes(const struct counts *counts) {
  if (counts->seen % CLOCK_EVERY == 0 && now_ms() - last_progress >= PROGRESS_MS) report_progress(counts);
}

void report_done(const struct counts *counts, bool given_up) {
  fputs("{\"is\":\"done\",", stdout);
  print_counts(counts);
  printf(",\"givenUp\":%s,\"examples\":[", given_up ? "true" : "false");
  for (size_t i = 0; i < example_count; i++) {
    fputs(i == 0 ? "{\"name\":" : ",{\"name\":", stdout);
    print_string(examples[i].name);
    fputs(",\"reason\":", stdout);
    print_string(examples[i].reason);
    putchar('}');
  }
  putchar(']');
  end_line();
}

void report_root(const struct stat *root, uint64_t fsid, const char *label, const char *marker) {
  printf("{\"is\":\"root\",\"group\":%u,\"mode\":%u,\"inode\":\"%" PRIu64 "\",\"fsid\":\"%016" PRIx64 "\"",
         (unsigned)root->st_gid, (unsigned)root->st_mode & 07777U, (uint64_t)root->st_ino, fsid);
  if (label != NULL) {
    fputs(",\"label\":", stdout);
    print_string(label);
  }
  if (marker != NULL) {
    fputs(",\"marker\":", stdout);
    print_string(marker);
  }
  end_line();
}

void report_ok(void) {
  fputs("{\"is\":\"ok\"", stdout);
  end_line();
}

void report_error(const char *what, int error) {
  fputs("{\"is\":\"error\",\"what\":", stdout);
  print_string(what);
  fputs(",\"errno\":", stdout);
  print_string(errno_name(error));
  end_line();
}

const char *errno_name(int error) {
  const char *name = strerrorname_np(error);
  return name == NULL ? "EUNKNOWN" : name;
}
