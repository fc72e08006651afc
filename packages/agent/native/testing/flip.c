/*
 * flip SECONDS A B [A B...]: exchanges the two names of each pair as fast as it goes (renameat2(2), RENAME_EXCHANGE), as a
 * tenant would in their own volume while root works there. Prints how often it did. A name that is gone meanwhile, because
 * a transfer removed it, is made again: A as a directory, B as a link to what B led to at first.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  enum { MAX_PAIRS = 16 };
  static char targets[MAX_PAIRS][PATH_MAX];
  int pairs = (argc - 2) / 2;
  if (pairs < 1 || pairs > MAX_PAIRS) return 64;
  for (int i = 0; i < pairs; i++) {
    if (readlink(argv[3 + 2 * i], targets[i], PATH_MAX - 1) < 0) return 65;
  }
  double end = now() + atof(argv[1]);
  unsigned long long flips = 0;
  for (unsigned round = 0; round % 1024 != 0 || now() < end; round++) {
    int i = (int)(round / 64) % pairs;
    const char *a = argv[2 + 2 * i];
    const char *b = argv[3 + 2 * i];
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0) {
      flips++;
    } else if (errno == ENOENT) {
      (void)mkdir(a, 0755);
      (void)symlink(targets[i], b);
    }
  }
  printf("%llu\n", flips);
  return 0;
}
